package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"bitgate/proxy/config"
)

// loginServer serves whoever has logged in on a connection as that, as IIS does
// with NTLM: a first word, a challenge, a second word, and from then on everybody
// who asks on that connection.
func loginServer(t *testing.T, challenge func(scheme, more string) string) string {
	var connections atomic.Int64
	return tcpServer(t, func(conn net.Conn) {
		connections.Add(1)
		in := bufio.NewReader(conn)
		for user, begun := "", false; ; {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			scheme, word, _ := strings.Cut(req.Header.Get("Authorization"), " ")
			switch {
			case word == "first":
				begun = true
				fmt.Fprintf(conn, "HTTP/1.1 401 Unauthorized\r\n%sContent-Length: 0\r\n\r\n", challenge(scheme, "go on"))
				continue
			case begun && strings.HasPrefix(word, "I am "):
				user = strings.TrimPrefix(word, "I am ")
			}
			if user == "" {
				fmt.Fprintf(conn, "HTTP/1.1 401 Unauthorized\r\n%sContent-Length: 0\r\n\r\n", challenge("NTLM", ""))
				continue
			}
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(user), user)
		}
	})
}

// Nobody is served as somebody else who logged in on a connection to the server,
// whatever that is called, and the handshake of any method succeeds.
func TestLoginOfAConnectionIsItsClients(t *testing.T) {
	for name, challenge := range map[string]func(scheme, more string) string{
		"plain":        func(_, more string) string { return "WWW-Authenticate: " + strings.TrimSpace("NTLM "+more) + "\r\n" },
		"lower case":   func(_, more string) string { return "www-authenticate: negotiate" + more + "\r\n" },
		"among others": func(string, string) string { return "WWW-Authenticate: Basic realm=\"a, NTLM\", NTLM\r\n" },
		"several lines": func(string, string) string {
			return "WWW-Authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: Negotiate\r\n"
		},
		"not told at all": func(string, string) string { return "" },
	} {
		for _, scheme := range []string{"NTLM", "Negotiate", "negotiate", "X-New"} {
			t.Run(name+" "+scheme, func(t *testing.T) {
				t.Parallel()
				r := start(t, loginServer(t, challenge), nil)
				for _, method := range []string{"GET", "POST"} {
					alice := r.dial()
					defer alice.Close()
					in := bufio.NewReader(alice)
					ask := func(authorization string) (int, string) {
						fmt.Fprintf(alice, "%s /bitbucket/x HTTP/1.1\r\nHost: %s\r\n%sContent-Length: 4\r\n\r\nbody", method, r.url.Authority(), authorization)
						res := readAnswer(t, in)
						text, _ := io.ReadAll(res.Body)
						return res.StatusCode, string(text)
					}
					if method == "GET" {
						ask = func(authorization string) (int, string) {
							fmt.Fprintf(alice, "GET /bitbucket/x HTTP/1.1\r\nHost: %s\r\n%s\r\n", r.url.Authority(), authorization)
							res := readAnswer(t, in)
							text, _ := io.ReadAll(res.Body)
							return res.StatusCode, string(text)
						}
					}
					ask("Authorization: " + scheme + " first\r\n")
					if status, text := ask("Authorization: " + scheme + " I am alice\r\n"); status != 200 || text != "alice" {
						t.Errorf("%s: the handshake ends with %d %q", method, status, text)
					}
					if status, text := ask(""); status != 200 || text != "alice" {
						t.Errorf("%s: her next request: %d %q", method, status, text)
					}
					for range 6 {
						for _, http2 := range []bool{false, true} {
							if res, text := r.do(r.client(http2), method, "/bitbucket/x", nil); text != "" {
								t.Errorf("%s of somebody else: %s %q", method, res.Status, text)
							}
						}
					}
				}
			})
		}
	}
}

// A balancer's connection brings many clients, of which one has logged in.
func TestLoginBehindABalancerIsItsClients(t *testing.T) {
	r := start(t, loginServer(t, func(string, string) string { return "WWW-Authenticate: NTLM\r\n" }), func(c *config.Config) {
		c.TrustedProxies = []string{"127.0.0.1"}
	})
	balancer := r.dial()
	defer balancer.Close()
	in := bufio.NewReader(balancer)
	ask := func(client, authorization string) string {
		fmt.Fprintf(balancer, "GET /bitbucket/x HTTP/1.1\r\nHost: %s\r\nX-Forwarded-For: %s\r\n%s\r\n", r.url.Authority(), client, authorization)
		text, _ := io.ReadAll(readAnswer(t, in).Body)
		return string(text)
	}
	ask("192.0.2.1", "Authorization: NTLM first\r\n")
	if got := ask("192.0.2.1", "Authorization: NTLM I am alice\r\n"); got != "alice" {
		t.Errorf("the handshake ends with %q", got)
	}
	if got := ask("192.0.2.2", ""); got != "" {
		t.Errorf("another client of the balancer is served as %q", got)
	}
}
