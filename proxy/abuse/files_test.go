package abuse

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/internal/peers"
	"bitgate/proxy/config"
)

// Connections that say nothing are more than the proxy may have open files. Who is
// connected goes on being served, also by a server that has to be connected to
// anew, health checks go on, nothing is said about the server's health, SSH
// connections leave room as well, and the log says what is the matter once. When
// they have left, everybody is served.
func TestMoreConnectionsThanFiles(t *testing.T) {
	var checks atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/status") {
			checks.Add(1)
			fmt.Fprint(w, `{"state":"RUNNING"}`)
			return
		}
		io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, "ok")
	}))
	defer s.Close()
	quiet, err := net.Listen("tcp", "127.0.0.1:0") // an SSH server
	must(t, err)
	defer quiet.Close()
	for _, attacked := range []string{"https", "ssh"} {
		t.Run(attacked, func(t *testing.T) {
			dir := t.TempDir()
			f := &front{t: t, addr: peers.FreeAddress(t), log: dir + "/log", roots: x509.NewCertPool()}
			pem := dir + "/front.pem"
			f.renew(pem)
			ssh := peers.FreeAddress(t)
			file := f.configure(dir, s.Listener.Addr().String(), pem, func(c *config.Config) {
				c.HealthPath, c.HealthInterval, c.MaxConn, c.LimitConnections = "", 50*time.Millisecond, 5, 1000
				c.SSHListen, c.SSHUpstream = ssh, quiet.Addr().String()
			})
			f.run(exec.Command("sh", "-c", `ulimit -n 200; exec "$0" proxy --config "$1"`, program, file))

			user := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: f.roots}}, Timeout: time.Minute}
			defer user.CloseIdleConnections()
			ask := func(c *http.Client, method string) {
				t.Helper()
				req, _ := http.NewRequest(method, f.url.BaseURL()+"/x", strings.NewReader("body"))
				res, err := c.Do(req)
				must(t, err)
				defer res.Body.Close()
				if body, _ := io.ReadAll(res.Body); res.StatusCode != 200 || string(body) != "ok" {
					t.Fatalf("%s: %s %q", method, res.Status, body)
				}
			}
			ask(user, "GET")
			var silent []net.Conn
			for range 400 {
				conn, err := net.Dial("tcp", map[string]string{"https": f.addr, "ssh": ssh}[attacked])
				if err != nil {
					break // the kernel holds no more for it
				}
				defer conn.Close()
				silent = append(silent, conn)
			}
			before := checks.Load()
			peers.WaitFor(t, "health checks that go on", func() bool { return checks.Load() >= before+20 })
			for range 20 {
				ask(user, "GET")
				ask(user, "POST") // always over a connection of its own to the server
			}
			for _, conn := range silent {
				conn.Close()
			}
			other := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: f.roots}, DisableKeepAlives: true}, Timeout: time.Minute}
			ask(other, "GET")
			text, err := os.ReadFile(f.log)
			must(t, err)
			for _, bad := range []string{"DOWN", "too many open files", " 503 "} {
				if n := strings.Count(string(text), bad); n > 0 {
					t.Errorf("%d lines of the log say %q", n, bad)
				}
			}
			if n := strings.Count(string(text), "have to wait"); n > 2 {
				t.Errorf("%d lines of the log say that there is no room", n)
			}
		})
	}
}
