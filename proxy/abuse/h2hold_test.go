package abuse

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"bitgate/internal/peers"
)

// What many connections make the proxy hold together is bounded: answers that
// nobody takes and bodies that no server takes, on a hundred streams of each. It
// holds 100 MiB more at most, with bodies 64 MiB, and everybody else is answered.
func TestWhatHTTP2ConnectionsHoldTogether(t *testing.T) {
	connections := 150
	if long {
		connections = 1000
	}
	never := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost { // takes nothing
			select {
			case <-never:
			case <-r.Context().Done():
			}
			return
		}
		if r.URL.Path == canaryPath {
			io.WriteString(w, "alive")
			return
		}
		w.Write(make([]byte, 100_000))
	}))
	defer s.Close()
	defer close(never)
	for name, attack := range map[string]func(*attacker) error{
		"answers that are not taken": func(a *attacker) error {
			for range 100 {
				if err := a.open("GET", true, longFields(5000)...); err != nil {
					return err
				}
			}
			return a.hold()
		},
		"bodies that are not taken": func(a *attacker) error {
			for range 100 {
				_ = a.open("POST", false)
				if err := a.WriteData(a.stream, false, make([]byte, 16<<10)); err != nil {
					return err
				}
			}
			for range 20 {
				for stream := uint32(1); stream <= a.stream; stream += 2 {
					_ = a.WriteData(stream, false, make([]byte, 16<<10))
				}
				if err := a.send(); err != nil {
					break
				}
			}
			return a.hold()
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, s.Listener.Addr().String(), nil)
			calm := f.canary()
			asked(t, calm, 50)
			calm.stop(t)
			before, memory := f.resident(), f.memory()
			over := make(chan struct{})
			var all sync.WaitGroup
			var begun atomic.Int64
			for i := range connections {
				all.Go(func() {
					time.Sleep(time.Duration(i) * 5 * time.Millisecond)
					a, err := f.attack(over, false, noWindow...)
					if err == nil {
						defer a.conn.NetConn().Close()
						begun.Add(1)
						_ = attack(a) // ended by the proxy, as it should be
					}
					begun.Add(1)
				})
			}
			peers.WaitFor(t, "attackers", func() bool { return begun.Load() >= int64(connections) })
			peers.WaitFor(t, "an answer to somebody else", func() bool { // many wait for their turn
				c := f.client()
				defer c.CloseIdleConnections()
				res, err := c.Get(f.url.Origin() + canaryPath)
				if err != nil {
					return false
				}
				res.Body.Close()
				return res.StatusCode == http.StatusOK
			})
			close(over)
			all.Wait()
			most := memory() - before
			t.Logf("%d connections, memory +%d MiB", connections, most>>20)
			if most > 100<<20 || long && name == "bodies that are not taken" && most > 64<<20 { // with handshakes, and garbage; without a common limit it is 1.2 MiB a connection
				t.Errorf("%d MiB more than before", most>>20)
			}
		})
	}
}

// client is an ordinary one.
func (f *front) client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: f.roots}}, Timeout: time.Minute}
}

// An upload that its server does not take keeps no other stream of its connection
// waiting, whatever size of it is on its way.
func TestUploadThatIsNotTakenStopsNoOtherStream(t *testing.T) {
	release := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/stuck") {
			<-release
		}
		_, _ = io.Copy(io.Discard, r.Body) // its client says what it makes of that
		io.WriteString(w, "alive")
	}))
	defer s.Close()
	defer letGo() // else a failure would wait for ever
	f := start(t, s.Listener.Addr().String(), nil)
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: f.roots, ServerName: "localhost"}, ForceAttemptHTTP2: true, HTTP2: &http.HTTP2Config{StrictMaxConcurrentRequests: true},
	}}
	defer client.CloseIdleConnections()
	const size = 60 << 20
	stuck := make(chan error, 1)
	go func() {
		res, err := client.Post(f.url.BaseURL()+"/stuck", "text/plain", bytes.NewReader(make([]byte, size)))
		if err == nil {
			res.Body.Close()
		}
		stuck <- err
	}()
	time.Sleep(300 * time.Millisecond) // much of it is on its way
	for i := range 20 {
		body := io.Reader(http.NoBody)
		if i%2 == 1 {
			body = bytes.NewReader(make([]byte, 200_000))
		}
		res, err := client.Post(f.url.BaseURL()+"/other", "text/plain", body)
		must(t, err)
		text, err := io.ReadAll(res.Body)
		must(t, err)
		res.Body.Close()
		if string(text) != "alive" {
			t.Fatalf("%s %q", res.Status, text)
		}
	}
	letGo()
	must(t, <-stuck) // the client has a limit
}

// What a client has sent before it hears that its windows are narrow is taken, also
// where it is slow to hear: its other streams' frames come behind that.
func TestStreamBehindWhatWasOnItsWay(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			<-release
		}
		io.WriteString(w, "alive")
	}))
	defer s.Close()
	defer close(release)
	for _, cores := range []int{2, 64} {
		t.Run(fmt.Sprint(cores, " cores"), func(t *testing.T) {
			f := startWith(t, fmt.Sprint("GOMAXPROCS=", cores), s.Listener.Addr().String(), nil)
			a, err := f.attack(nil, true)
			must(t, err)
			defer a.conn.NetConn().Close()
			must(t, a.open("POST", false, "user-agent", "Firefox"))
			for range 7 << 20 / (16 << 10) { // the sockets to the server take some four MiB
				must(t, a.WriteData(a.stream, false, make([]byte, 16<<10)))
			}
			must(t, a.WriteSettingsAck()) // the first ones
			must(t, a.WriteSettingsAck()) // narrow windows
			must(t, a.open("GET", true, "user-agent", "Firefox"))
			_ = a.conn.SetDeadline(time.Now().Add(time.Minute))
			must(t, a.out.Flush())
			for in := http2.NewFramer(nil, a.conn); ; {
				frame, err := in.ReadFrame()
				must(t, err)
				if id := frame.Header().StreamID; id == a.stream && frame.Header().Type == http2.FrameHeaders {
					return
				} else if frame.Header().Type == http2.FrameRSTStream || frame.Header().Type == http2.FrameGoAway {
					t.Fatalf("%v", frame)
				}
			}
		})
	}
}

// Pushes of Git that a slow server does not take for a while wait, however many
// there are and whatever is on its way of each: none is cut off for what it holds.
func TestStalledPushesEndWhole(t *testing.T) {
	for _, cores := range []int{2, 64} {
		t.Run(fmt.Sprint(cores, " cores"), func(t *testing.T) {
			t.Parallel()
			stalledPushesEndWhole(t, cores)
		})
	}
}

func stalledPushesEndWhole(t *testing.T, cores int) {
	const pushes, size = 6, 48 << 20
	release := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, _ := io.CopyN(io.Discard, r.Body, size/3) // by then the sockets have large buffers
		<-release
		rest, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, first+rest, " ", err)
	}))
	defer s.Close()
	defer letGo()
	f := startWith(t, fmt.Sprint("GOMAXPROCS=", cores), s.Listener.Addr().String(), nil)
	answers := make(chan string, pushes)
	for range pushes {
		go func() {
			client := f.client()
			client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
			defer client.CloseIdleConnections()
			q, err := http.NewRequest(http.MethodPost, f.url.BaseURL()+"/git-receive-pack", bytes.NewReader(make([]byte, size)))
			if err != nil {
				answers <- err.Error()
				return
			}
			q.Header.Set("User-Agent", "git/2.39.5")
			res, err := client.Do(q)
			if err != nil {
				answers <- err.Error()
				return
			}
			defer res.Body.Close()
			text, _ := io.ReadAll(res.Body)
			answers <- res.Proto + " " + string(text)
		}()
	}
	time.Sleep(4 * time.Second) // longer than the proxy waits before it looks for others behind
	letGo()
	for range pushes {
		if got, want := <-answers, fmt.Sprintf("HTTP/2.0 %d <nil>", size); got != want { // the client has a limit
			t.Errorf("a push ended with %s, want %s", got, want)
		}
	}
}
