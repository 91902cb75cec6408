package proxy_test

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bitgate/internal/publicurl"
	"bitgate/proxy/config"
)

// The streams of requests that are mutated; HOST is the public authority.
var streamSeeds = []string{
	"GET /bitbucket/a%2Fb?c=d HTTP/1.1\r\nHost: HOST\r\nUser-Agent: git/2.39\r\nAccept: */*\r\n\r\n",
	"HEAD /bitbucket/x HTTP/1.1\r\nHost: HOST\r\nConnection: keep-alive\r\n\r\n",
	"POST /bitbucket/x HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\n\r\nhello",
	"PUT /bitbucket/x HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"POST /bitbucket/x HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-T: y\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: HOST\r\nX-Forwarded-For: 1.2.3.4\r\nConnection: close, X-Gone\r\nX-Gone: 1\r\n\r\n",
	"GET https://HOST/bitbucket/rest/api HTTP/1.1\r\nHost: HOST\r\nAccept: application/json\r\n\r\n",
	"GET /bitbucket/x HTTP/1.0\r\nHost: HOST\r\n\r\n",
	"POST /bitbucket/empty HTTP/1.1\r\nHost: HOST\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
	"GET /bitbucket/204 HTTP/1.1\r\nHost: HOST\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n",
	// Bodies that read as requests.
	"POST /bitbucket/x HTTP/1.1\r\nHost: HOST\r\nContent-Length: 50\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost:8080\r\n\r\n\r\n",
	"POST /bitbucket/x HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n32\r\nGET /smuggled HTTP/1.1\r\nHost: localhost:8080\r\n\r\n\r\n\r\n0\r\n\r\n",
}

// What mutation puts in.
var streamTokens = []string{
	"\r\n", "\n", "\r", " ", "\t", ":", "\x00", ",", "0", "-1", "ffffffffffffffff", "chunked", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n",
	"Transfer-Encoding: gzip, chunked\r\n", "Host: x\r\n", "\r\n\r\n", "HTTP/1.1", "HTTP/2.0", "é", "Connection: close\r\n", "Upgrade: h2c\r\nConnection: Upgrade\r\n",
	"\r\n ", "Content-Length: 0\r\n", "Content-Length: 50\r\n", "Transfer_Encoding: chunked\r\n", "Transfer-Encoding : chunked\r\n", "0\r\n\r\n", "+", "0x", "\v", ";", "#", "?", "%00", "@", "\"",
}

// mutated returns a few requests one behind the other, spoilt in a few places.
func mutated(r *rand.Rand) string {
	var b []byte
	for range 1 + r.IntN(3) {
		b = append(b, streamSeeds[r.IntN(len(streamSeeds))]...)
	}
	for range r.IntN(4) {
		at := r.IntN(len(b))
		switch r.IntN(4) {
		case 0:
			b[at] = byte(r.IntN(256))
		case 1:
			b = slices.Delete(b, at, min(len(b), at+1+r.IntN(4)))
		case 2:
			b = slices.Insert(b, at, []byte(streamTokens[r.IntN(len(streamTokens))])...)
		case 3:
			b = b[:max(at, 1)]
		}
		if len(b) == 0 {
			return "\r\n"
		}
	}
	return string(b)
}

// TestEnginesAgree plays mutated streams of requests to both engines: client and
// server must see the same bytes. 200 streams, and 20,000 under BITGATE_TORTURE.
func TestEnginesAgree(t *testing.T) {
	if len(engines()) < 2 {
		t.Skip("this system has one engine only")
	}
	streams := 200
	if os.Getenv("BITGATE_TORTURE") != "" {
		streams = 20_000
	}
	upstream := server(t, mirror)
	var rigs []*rig
	for _, engine := range engines() {
		rigs = append(rigs, start(t, upstream, func(c *config.Config) {
			c.Engine, c.RequestTimeout, c.KeepAliveTimeout, c.IdleTimeout = engine, 500*time.Millisecond, 300*time.Millisecond, time.Second
			c.URL, _ = publicurl.Parse("https://" + corpusHost + "/bitbucket") // the name may be in a body, too
		}))
	}
	seed := uint64(time.Now().UnixNano())
	if *seedFlag != 0 {
		seed = *seedFlag
	}
	t.Logf("seed %d", seed)
	var all sync.WaitGroup
	lanes := make(chan struct{}, 32)
	for i := range streams {
		lanes <- struct{}{}
		all.Go(func() {
			defer func() { <-lanes }()
			stream := mutated(rand.New(rand.NewPCG(seed, uint64(i))))
			var one, two string
			for range 6 { // a limit that passes on a busy machine is no difference: that repeats itself
				if one, two = rigs[0].play(stream), rigs[1].play(stream); one == two {
					return
				}
			}
			t.Errorf("%q\n%s:   %q\n%s: %q", stream, engines()[0], one, engines()[1], two)
		})
	}
	all.Wait()
}

// mirror answers with what it got.
func mirror(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if strings.HasSuffix(r.URL.Path, "204") {
		w.WriteHeader(204)
		return
	}
	fmt.Fprintf(w, "%s %s %d %v %x %v\n", r.Method, r.RequestURI, r.ContentLength, r.TransferEncoding, sha256.Sum256(body), err != nil)
	_ = r.Header.Write(w) // the client may be gone
}

var dates = regexp.MustCompile(`Date: [^\r\n]*`)

// play sends the stream and returns all that comes back until the proxy ends the
// connection.
func (r *rig) play(stream string) string {
	answer, err := converse(r.addr, r.tls(), strings.ReplaceAll(stream, "HOST", r.url.Authority()))
	text := dates.ReplaceAllString(answer, "Date:")
	return strings.NewReplacer(r.url.Authority(), "HOST", r.url.ProxyPort(), "PORT").Replace(text) + fmt.Sprintf(" [%v]", err)
}

// converse sends bytes and returns all that comes back until the proxy ends the
// connection.
func converse(front string, c *tls.Config, stream string) (string, error) {
	conn, err := connect(front, c)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, stream) // refused streams may not be taken to their end
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// connect is dial for a proxy whose limits may be too short for a handshake on a
// busy machine.
func connect(front string, c *tls.Config) (conn *tls.Conn, err error) {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if conn, err = dialTLS(front, c); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// Idle connections hold no coroutine and no goroutine on the event loop.
func TestIdleConnectionsOnTheEventLoop(t *testing.T) {
	if !slices.Contains(engines(), config.EngineLoop) {
		t.Skip("this system has no event loop")
	}
	r := start(t, server(t, hello), func(c *config.Config) { c.Engine = config.EngineLoop })
	serve := func() {
		conn := r.dial()
		fmt.Fprintf(conn, "GET /bitbucket/x HTTP/1.1\r\nHost: %s\r\n\r\n", r.url.Authority())
		if _, err := conn.Read(make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
	}
	serve()
	before := runtime.NumGoroutine()
	for range 200 {
		serve()
	}
	until(t, "they hold nothing that runs", func() bool { return runtime.NumGoroutine() <= before+10 })
}

// A log that nobody takes stops nobody, and says afterwards what it lacks.
func TestStuckLogStopsNobody(t *testing.T) {
	r := start(t, server(t, hello), nil)
	r.log.stop()
	long := "/" + strings.Repeat("x", 3000)
	c := r.client(false)
	for range 6000 { // more than is kept
		if res, _ := r.do(c, "GET", long, nil, "User-Agent", long); res.StatusCode != 200 {
			r.log.goOn()
			t.Fatal(res.Status)
		}
	}
	r.log.goOn()
	until(t, "the gap is told", func() bool { return strings.Contains(r.log.String(), " lines of this log are lost") })
}
