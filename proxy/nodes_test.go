package proxy_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"bitgate/internal/peers"
	"bitgate/proxy/config"
)

// node is a server that says its name, and which cookies and cache rules it saw.
func node(t *testing.T, name string) config.Node {
	t.Helper()
	return config.Node{Name: name, Address: server(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s cookie=%q", name, r.Header.Get("Cookie"))
	})}
}

func cluster(t *testing.T, edit func(*config.Config), nodes ...config.Node) *rig {
	return start(t, "unused:1", func(c *config.Config) {
		c.Upstream, c.Nodes = "", nodes
		if edit != nil {
			edit(c)
		}
	})
}

func TestNodesInTurn(t *testing.T) {
	for _, balance := range []string{"leastconn", "roundrobin"} {
		r := cluster(t, func(c *config.Config) { c.Balance = balance }, node(t, "a"), node(t, "b"), node(t, "c"))
		var got string
		for i := range 6 {
			_, body := r.get("/bitbucket/x")
			got += body[:1]
			// A client may have the answer a moment before its place is given back.
			until(t, "the request is over", func() bool { return strings.Count(r.log.String(), " 200 ") > i })
		}
		if got != "abcabc" {
			t.Errorf("%s: %s", balance, got)
		}
	}
}

func TestCookieBindsToANode(t *testing.T) {
	b := node(t, "b")
	r := cluster(t, func(c *config.Config) { c.Cookie = "NODE" }, node(t, "a"), b)
	for _, http2 := range []bool{false, true} {
		c := r.client(http2)
		res, body := r.do(c, "GET", "/bitbucket/x", nil, "Cookie", "BITBUCKETSESSIONID=1")
		name := body[:1]
		if got := res.Header.Get("Set-Cookie"); got != "NODE="+name+"; path=/; HttpOnly; Secure" || res.Header.Get("Cache-Control") != "private" {
			t.Errorf("%s sets %q, %q", name, got, res.Header.Get("Cache-Control"))
		}
		for range 3 {
			res, body := r.do(c, "GET", "/bitbucket/x", nil, "Cookie", "a=1; NODE="+name+"; b=2")
			if body != name+` cookie="a=1; b=2"` || res.Header.Get("Set-Cookie") != "" || res.Header.Get("Cache-Control") != "" {
				t.Errorf("bound to %s: %s, sets %q", name, body, res.Header.Get("Set-Cookie"))
			}
		}
		if _, body := r.do(c, "GET", "/bitbucket/x", nil, "Cookie", "NODE="+name); body != name+` cookie=""` {
			t.Errorf("an empty cookie header is passed on: %s", body)
		}
		if res, _ := r.do(c, "GET", "/bitbucket/x", nil, "Cookie", "NODE=gone"); res.Header.Get("Set-Cookie") == "" {
			t.Error("a node that does not exist goes on binding")
		}
	}
	until(t, "the cookie's state is logged", func() bool {
		log := r.log.String()
		return strings.Contains(log, " --NI ") && strings.Contains(log, " --VN ") && strings.Contains(log, " --II ")
	})
}

// A node that refuses connections costs no request: it goes to the other one.
func TestRefusedConnectionGoesToAnotherNode(t *testing.T) {
	dead := config.Node{Name: "dead", Address: peers.FreeAddress(t)}
	// It is also the pause between two tries, and holds for the node that lives, too.
	r := cluster(t, func(c *config.Config) { c.Cookie, c.ConnectTimeout = "NODE", 100*time.Millisecond }, dead, node(t, "alive"))
	for _, method := range []string{"GET", "POST"} {
		thrice(t, func() string {
			res, body := r.do(r.client(false), method, "/bitbucket/x", strings.NewReader("body"), "Cookie", "NODE=dead")
			if res.StatusCode != 200 || !strings.HasPrefix(body, "alive") || !strings.HasPrefix(res.Header.Get("Set-Cookie"), "NODE=alive;") {
				return fmt.Sprintf("%s: %s %s %q", method, res.Status, body, res.Header.Get("Set-Cookie"))
			}
			return ""
		})
	}
	until(t, "the redispatch is logged", func() bool { return strings.Count(r.log.String(), "/+3 ") >= 2 })
}

// A node whose status page fails gets no request; those bound to it move.
func TestNodeDown(t *testing.T) {
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
	t.Cleanup(down.Close)
	r := cluster(t, func(c *config.Config) {
		c.HealthPath, c.HealthInterval, c.Cookie = "/status", 10*time.Millisecond, "NODE"
	}, config.Node{Name: "down", Address: down.Listener.Addr().String()}, node(t, "up"))
	until(t, "it is seen", func() bool { return strings.Contains(r.log.String(), "server down is DOWN") })
	for range 4 {
		if _, body := r.get("/bitbucket/x", "Cookie", "NODE=down"); !strings.HasPrefix(body, "up ") {
			t.Error(body)
		}
	}
	until(t, "all are logged", func() bool { return strings.Count(r.log.String(), " --DI ") == 4 })
	if strings.Contains(r.log.String(), "bitbucket/down ") {
		t.Error("a request went to the node that is down")
	}
}

// SSH goes to the node with the fewest connections, and past one that refuses.
func TestSSHGoesToTheNodes(t *testing.T) {
	_, port, _ := net.SplitHostPort(sshd(t))
	l, err := net.Listen("tcp", "127.0.0.2:"+port) // another machine, as far as TCP can tell
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "SSH-2.0-test\r\n")
			accepted <- conn
		}
	}()
	r := start(t, "unused:1", func(c *config.Config) {
		c.Upstream, c.SSHListen, c.SSHUpstream = "", "127.0.0.1:0", ":"+port
		for name, host := range map[string]string{"a": "127.0.0.1", "b": "127.0.0.2", "gone": "127.0.0.3"} {
			c.Nodes = append(c.Nodes, config.Node{Name: name, Address: host + ":7990"})
		}
	})
	for range 4 {
		dialSSH(t, r)
	}
	for range 2 { // every second one is here
		conn := <-accepted
		t.Cleanup(func() { conn.Close() })
	}
	l.Close()
	for range 4 {
		dialSSH(t, r)
	}
	if n := len(accepted); n > 0 {
		t.Errorf("%d connections too many went to one node", n)
	}
}
