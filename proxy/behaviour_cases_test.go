package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

func signalUSR1(pid int) error { return syscall.Kill(pid, syscall.SIGUSR1) }

const (
	short = 400 * time.Millisecond // a scaled timer that is to pass
	long  = 30 * time.Second       // one that is not
)

// hold makes a server that keeps requests for "/bitbucket/hold..." until let.
func hold() (http.HandlerFunc, *holder) {
	h := &holder{arrived: make(chan string, 100), let: make(chan struct{}, 100)}
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		path := strings.TrimPrefix(r.URL.Path, "/bitbucket/")
		if !strings.HasPrefix(path, "hold") {
			fmt.Fprint(w, "ok")
			return
		}
		n := h.now.Add(1)
		defer h.now.Add(-1)
		for m := h.most.Load(); n > m && !h.most.CompareAndSwap(m, n); m = h.most.Load() {
		}
		h.arrived <- path
		select {
		case <-h.let:
			fmt.Fprint(w, "ok")
		case <-r.Context().Done():
		}
	}, h
}

type holder struct {
	arrived   chan string
	let       chan struct{}
	now, most atomic.Int64
}

// raw answers with bytes of its own and closes.
func raw(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, answer)
	}
}

// begun sends the first part of an answer of 1,000 bytes and stops.
func begun(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "1000")
	fmt.Fprint(w, "begun")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func simple(path string) func(*testing.T, *stage) string {
	return func(t *testing.T, s *stage) string { return s.term(s.get(path), "/bitbucket/"+path) }
}

func behaviours() []behaviour {
	return append(append(timeoutBehaviours(), serverBehaviours()...), append(queueBehaviours(), healthBehaviours()...)...)
}

func timeoutBehaviours() []behaviour {
	return []behaviour{
		{
			id: "http-request", about: "a head that drips is 408 after all of the time, whatever comes", scale: timers{head: short, idle: long},
			play: func(t *testing.T, s *stage) string {
				conn := s.send("GET", "slow", "X: y\r\n")
				go func() { // a field now and then does not help
					for i := 0; ; i++ {
						time.Sleep(short / 8)
						if _, err := fmt.Fprintf(conn, "X-%d: y\r\n", i); err != nil {
							return
						}
					}
				}()
				return answered(conn)
			}, want: "408 close",
		},
		{
			id: "http-request-nothing", about: "a connection on which nothing comes is closed", scale: timers{head: short, idle: long, keepAlive: long},
			play: func(t *testing.T, s *stage) string { return answered(s.dial()) },
			want: "closed", haproxy: "408 close", // RFC 9110, 15.5.9: an answer to no question may be taken for the next one's
		},
		{
			id: "http-keep-alive", about: "idle between two requests: closed without a word", scale: timers{head: long, keepAlive: short, idle: long},
			play: func(t *testing.T, s *stage) string {
				conn := s.send("GET", "x", "")
				if first := answeredOnce(conn); first != "200" {
					return first
				}
				return answered(conn)
			}, want: "closed",
		},
		{
			id: "server-idle", about: "a server that is silent before its answer is 504", scale: timers{idle: short, head: long},
			handle: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			play:   simple("silent"), want: "504, sH",
		},
		{
			id: "server-idle-answer", about: "a server that stops in its answer is seen as broken off", scale: timers{idle: short, head: long},
			handle: begun, play: simple("stops"), want: "200 cut, sD",
		},
		{
			id: "client-idle-upload", about: "a client that stops in its upload is 408, and the server is not to blame", scale: timers{idle: short, head: long},
			play: func(t *testing.T, s *stage) string {
				conn := s.send("POST", "up", "Content-Length: 100000\r\n\r\nbegun")
				return s.term(answered(conn), "/bitbucket/up")
			}, want: "408 close, cH", haproxy: "504 close, sH", // both sides wait equally long there, and it blames the server
		},
		{
			id: "idle-not-total", about: "an answer may take longer than the limit as long as bytes come", scale: timers{idle: 3 * short}, again: true,
			handle: func(w http.ResponseWriter, r *http.Request) {
				for range 20 {
					fmt.Fprint(w, ".")
					_ = http.NewResponseController(w).Flush()
					time.Sleep(short / 4)
				}
			},
			play: simple("drip"), want: "200, --",
		},
		{
			id: "tunnel", about: "after an upgrade the tunnel's limit replaces client's and server's", scale: timers{idle: short, tunnel: 5 * short}, again: true,
			handle: func(w http.ResponseWriter, r *http.Request) {
				conn, buf, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				defer conn.Close()
				fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
				_, _ = io.Copy(conn, buf)
			},
			play: func(t *testing.T, s *stage) string {
				conn := s.send("GET", "ws", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
				if first := answeredOnce(conn); first != "101" {
					return first
				}
				begun := time.Now()
				_, _ = io.Copy(io.Discard, conn)
				if passed := time.Since(begun); passed < 4*short {
					return "101, cut by the wrong limit"
				}
				return "101, cut by its own limit"
			}, want: "101, cut by its own limit",
		},
	}
}

func serverBehaviours() []behaviour {
	rows := []behaviour{
		{id: "502-nothing", about: "a server that closes without an answer", handle: raw(""), play: simple("x"), want: "502, SH"},
		{id: "502-garbage", about: "an answer that is none", handle: raw("SSH-2.0-x\r\n\r\n"), play: simple("x"), want: "502, PH"},
		{id: "502-half-head", about: "an answer whose head is not complete", handle: raw("HTTP/1.1 200 OK\r\nX: y"), play: simple("x"), want: "502, SH"},
		{id: "502-long-head", about: "an answer's head beyond the limit", handle: raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n"), play: simple("x"), want: "502, PH"},
		{id: "502-interim", about: "interim answers without end", handle: raw(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 20) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), play: func(t *testing.T, s *stage) string {
			return s.term(lastAnswered(s.send("GET", "x", "")), "/bitbucket/x")
		}, want: "502, PH", haproxy: "200, --"}, // it passes any number on
		{id: "cut-length", about: "a server that dies in its answer, with a length", handle: raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"), play: simple("x"), want: "200 cut, SD"},
		{id: "cut-chunked", about: "the same, chunked", handle: raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"), play: simple("x"), want: "200 cut, SD"},
		{id: "until-close", about: "an answer that ends with its connection is complete", handle: raw("HTTP/1.1 200 OK\r\n\r\nall"), play: simple("x"), want: "200, --", haproxy: "200 close, --"},
		{id: "503-refused", about: "a server that refuses connections, after the retries", scale: timers{connect: 50 * time.Millisecond}, play: func(t *testing.T, s *stage) string {
			s.server.Listener.Close()
			return s.term(s.get("x"), "/bitbucket/x")
		}, want: "503, SC"},
		{id: "500-stays", about: "a server's own errors pass and count against nobody (no observe)", handle: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, play: func(t *testing.T, s *stage) string {
			for range 20 {
				s.get("x")
			}
			return s.get("x")
		}, want: "500"},
		{id: "400", about: "a request that is none", play: func(t *testing.T, s *stage) string {
			conn := s.dial()
			fmt.Fprint(conn, "nonsense\r\n\r\n")
			return answered(conn)
		}, want: "400 close"},
		{id: "head-limit", about: "a request's head beyond the limit: RFC 6585 has 431, HAProxy 400", play: func(t *testing.T, s *stage) string {
			return answered(s.send("GET", "x", "X: "+strings.Repeat("x", 70_000)+"\r\n\r\n"))
		}, want: "431 close", haproxy: "400 close"},
		{id: "field-limit", about: "more than 255 fields", play: func(t *testing.T, s *stage) string {
			return answered(s.send("GET", "x", strings.Repeat("X: y\r\n", 300)+"\r\n"))
		}, want: "431 close", haproxy: "400 close"},
		{id: "421", about: "another host", play: func(t *testing.T, s *stage) string {
			conn := s.dial()
			fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
			return strings.TrimSuffix(answered(conn), " close")
		}, want: "421"},
		{id: "streams", about: "HTTP/2 streams of one connection", play: playStreams, want: "100 streams"},
		{id: "client-close", about: "a client that asks to close is closed", play: func(t *testing.T, s *stage) string {
			return answered(s.send("GET", "x", "Connection: close\r\n\r\n"))
		}, want: "200 close"},
		{id: "forwardfor", about: "the last X-Forwarded-For is the peer's", handle: func(w http.ResponseWriter, r *http.Request) {
			all := r.Header.Values("X-Forwarded-For")
			if all[len(all)-1] != "127.0.0.1" {
				w.WriteHeader(500)
			}
		}, play: func(t *testing.T, s *stage) string {
			return answered(s.send("GET", "x", "X-Forwarded-For: 6.6.6.6\r\n\r\n"))
		}, want: "200"},
	}
	return append(rows, onceBehaviour("post-once-broken", "a POST whose answer does not come is not sent again", ""),
		onceBehaviour("reuse", "a POST never meets a kept connection that is being closed", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
}

// onceBehaviour posts to a server that says answer and closes, whatever it
// promised.
func onceBehaviour(id, about, answer string) behaviour {
	want := "10 answered 502, 10 arrived"
	if answer != "" {
		want = "10 answered 200, 10 arrived"
	}
	return behaviour{
		id: id, about: about,
		play: func(t *testing.T, s *stage) string {
			var arrived atomic.Int64
			s.handle(func(w http.ResponseWriter, r *http.Request) {
				arrived.Add(1)
				raw(answer)(w, r)
			})
			n, status := 0, ""
			for range 10 {
				got := strings.TrimSuffix(answered(s.send("POST", "x", "Content-Length: 4\r\n\r\nbody")), " close")
				if status == "" {
					status = got
				}
				if got == status {
					n++
				}
			}
			return fmt.Sprintf("%d answered %s, %d arrived", n, status, arrived.Load())
		}, want: want,
	}
}

func playStreams(t *testing.T, s *stage) string {
	conn, err := s.connect("h2")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if settings, ok := frame.(*http2.SettingsFrame); ok {
			n, _ := settings.Value(http2.SettingMaxConcurrentStreams)
			return fmt.Sprintf("%d streams", n)
		}
	}
}
