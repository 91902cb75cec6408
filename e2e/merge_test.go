package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/internal/peers"
)

// An HAProxy that serves another site on the port already is joined: plan,
// apply and undo of the built binary, with the other site as it was throughout.
func TestApplyJoinsAPortInUse(t *testing.T) {
	peers.Need(t, "haproxy", "curl") // curl is the restart command
	haproxy := peers.Path(t, "haproxy")
	const head = "global\n    maxconn 200\ndefaults\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n"
	for name, layout := range map[string]string{
		"TLS in HTTP mode": head + "    mode http\nfrontend www\n    bind 127.0.0.1:PORT ssl crt DIR/other.pem\n    default_backend other\nbackend other\n    server s PLAIN\n",
		"SNI passthrough":  head + "    mode tcp\nfrontend sni\n    bind 127.0.0.1:PORT\n    tcp-request inspect-delay 5s\n    tcp-request content accept if { req.ssl_hello_type 1 }\n    default_backend other\nbackend other\n    server s TLS\n",
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t)
			origin := d.answer("url")
			_, port, _ := net.SplitHostPort(strings.TrimSuffix(strings.TrimPrefix(origin, "https://"), "/bitbucket"))
			other := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the other site") })
			plain, overTLS := httptest.NewServer(other), httptest.NewTLSServer(other)
			t.Cleanup(plain.Close)
			t.Cleanup(overTLS.Close)
			_, cert, key, err := certs.Dev([]string{"other.example.com"}, 90, time.Now())
			must(t, err)
			must(t, os.WriteFile(filepath.Join(d.dir, "other.pem"), append(cert, key...), 0o600))
			original := strings.NewReplacer("PORT", port, "DIR", d.dir, "PLAIN", plain.Listener.Addr().String(), "s TLS\n", "s "+overTLS.Listener.Addr().String()+" check\n").Replace(layout)
			cfg := filepath.Join(d.dir, "haproxy.cfg")
			must(t, os.WriteFile(cfg, []byte(original), 0o600))
			master := exec.Command(haproxy, "-W", "-db", "-f", cfg)
			must(t, master.Start())
			t.Cleanup(func() { _ = master.Process.Signal(syscall.SIGTERM); _ = master.Wait() })

			ask := func(host, path string) string {
				c := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
					DisableKeepAlives: true,
					TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, ServerName: host}, //nolint:gosec // who answers is asked for
					DialContext:       func(context.Context, string, string) (net.Conn, error) { return net.Dial("tcp", "127.0.0.1:"+port) },
				}}
				resp, err := c.Get("https://" + host + ":" + port + path)
				if err != nil {
					return err.Error()
				}
				defer resp.Body.Close()
				body, _ := io.ReadAll(resp.Body)
				return string(body)
			}
			deadline := time.Now().Add(30 * time.Second)
			for ask("other.example.com", "/") != "the other site" && time.Now().Before(deadline) {
				time.Sleep(50 * time.Millisecond)
			}
			args := []string{"--front", "haproxy", "--reload", fmt.Sprintf("kill -USR2 %d", master.Process.Pid), "--yes"}
			for _, a := range d.answers {
				if a[0] != "front" {
					args = append(args, "--"+a[0]+"="+a[1])
				}
			}
			out := d.run(t, "", "apply", d.args("merge", "apply", args...)...)
			if got := ask("localhost", "/bitbucket/status"); !strings.Contains(got, "RUNNING") {
				t.Fatalf("Bitbucket is answered by %q\n%s", got, out)
			}
			if !strings.Contains(out, "bitgate's line") && !strings.Contains(out, "by a rule before line") {
				t.Errorf("the plan does not say what goes where:\n%s", out)
			}
			for range 50 {
				if got := ask("other.example.com", "/"); got != "the other site" {
					t.Fatalf("the other site is answered by %q", got)
				}
			}
			d.run(t, "", "undo", "undo", "--state-dir", filepath.Join(d.dir, "state-merge"), "--yes", "--admin-password-file", d.answer("admin-password-file"))
			if now, err := os.ReadFile(cfg); err != nil || string(now) != original {
				t.Errorf("undo leaves (%v):\n%s", err, now)
			}
			if got := ask("other.example.com", "/"); got != "the other site" {
				t.Errorf("after undo the other site is answered by %q", got)
			}
		})
	}
}
