package abuse

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bitgate/internal/peers"
	"bitgate/proxy/config"
)

// largePath is answered with more than any socket's buffers hold.
const largePath = "/bitbucket/large"

// Clients that do not come on are more than there are slots, and have begun in all
// sorts of ways. Everybody else is served: at once where they have shown little,
// and else as soon as it is plain that they do not come on, which is after some ten
// seconds (HAProxy: never).
func TestSlotsOfClientsThatDoNotComeOn(t *testing.T) {
	post := "POST " + abusedPath + " HTTP/1.1\r\nHost: %s\r\nCookie: NODE=a\r\n"
	bound := "one of two nodes"
	for name, begin := range map[string]string{
		"nothing":         post + "Content-Length: 1000000\r\n\r\n",
		"one byte":        post + "Content-Length: 1000000\r\n\r\nx",
		"one chunk":       post + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
		"expects 100":     post + "Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n",
		"expects, short":  post + "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n",
		"much":            post + "Content-Length: 1000000\r\n\r\n" + strings.Repeat("x", 100_000),
		"takes no answer": "GET " + largePath + " HTTP/1.1\r\nHost: %s\r\n\r\n",
		bound:             post + "Content-Length: 1000000\r\n\r\n" + strings.Repeat("x", 100_000),
		"many chunks":     post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				if r.URL.Path == largePath {
					for range 1000 {
						if _, err := w.Write(make([]byte, 64<<10)); err != nil {
							return
						}
					}
				}
				fmt.Fprint(w, "alive")
			}))
			t.Cleanup(s.Close)
			f := start(t, s.Listener.Addr().String(), func(c *config.Config) {
				if name == bound { // whose users have no other
					c.Upstream, c.Cookie = "", "NODE"
					c.Nodes = []config.Node{{Name: "a", Address: s.Listener.Addr().String()}, {Name: "b", Address: newBitbucket(t).addr}}
				}
			})
			for range 60 {
				conn, err := tls.Dial("tcp", f.addr, &tls.Config{RootCAs: f.roots, ServerName: "localhost", NextProtos: []string{"http/1.1"}})
				must(t, err)
				defer conn.Close()
				_ = conn.NetConn().(*net.TCPConn).SetReadBuffer(4 << 10)
				_, err = fmt.Fprintf(conn, begin, f.url.Authority())
				must(t, err)
			}
			c := f.canary(&http.Cookie{Name: "NODE", Value: "a"})
			asked(t, c, 20)
			told(t, c)
		})
	}
}

// The same over HTTP/2, where a connection has many of them.
func TestSlotsOfStreamsThatDoNotComeOn(t *testing.T) {
	for name, body := range map[string]int{"nothing": 0, "one byte": 1, "much": 60_000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBitbucket(t)
			f := start(t, b.addr, nil)
			over := make(chan struct{})
			defer close(over)
			for range 2 {
				a, err := f.attack(over, false)
				must(t, err)
				defer a.conn.Close()
				for range 50 {
					must(t, a.open("POST", false, "content-length", "1000000"))
					for left := body; left > 0; left -= 10_000 {
						must(t, a.WriteData(a.stream, false, make([]byte, min(left, 10_000))))
					}
				}
				must(t, a.send())
			}
			peers.WaitFor(t, "those that are let in", func() bool { return b.now.Load() >= 25 })
			c := f.canary()
			asked(t, c, 20)
			told(t, c)
		})
	}
}
