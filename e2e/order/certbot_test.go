package order

import (
	"crypto/tls"
	"net"
	"net/http"
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

// certbot is one that renews the certificate of a machine.
type certbot struct {
	*machine
	dir string
}

// withCertbot has the machine's certificate come from certbot instead of bitgate, and
// bitgate installed where a hook may run it.
func withCertbot(t *testing.T, m *machine) *certbot {
	t.Helper()
	peers.Need(t, "certbot")
	for _, dir := range []string{"/opt", "/etc/cron.d"} {
		must(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"))
		t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	}
	must(t, exec.Command("install", "-m", "755", program, "/opt/bitgate").Run())
	m.program = "/opt/bitgate"
	for _, name := range []string{"--acme-ca", "--acme-terms", "--acme-profile"} {
		m.flags = with(m.flags, name, "")
	}
	c := &certbot{machine: m, dir: m.file("letsencrypt")}
	m.flags = append(m.flags, "--cert", c.live("fullchain.pem"), "--key", c.live("privkey.pem"))
	return c
}

func (c *certbot) live(name string) string { return filepath.Join(c.dir, "live", host, name) }

// run is certbot's command to its end.
func (c *certbot) certbot(args ...string) string {
	c.t.Helper()
	cmd := peers.Certbot(c.t, append(args, "-n", "--config-dir", c.dir, "--work-dir", c.file("certbot-work"), "--logs-dir", c.file("certbot-log"))...)
	cmd.Env = append(os.Environ(), "REQUESTS_CA_BUNDLE="+c.pebble.CAFile, "HOME="+c.machine.dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("certbot %s: %v\n%s\n%s", args[0], err, out, c.pebble.Output())
	}
	return string(out)
}

// issue is the administrator's first command, long before bitgate.
func (c *certbot) issue(how ...string) {
	c.t.Helper()
	c.certbot(append([]string{"certonly", "-d", host, "--server", c.pebble.Directory, "--agree-tos", "--register-unsafely-without-email", "--key-type", "ecdsa"}, how...)...)
}

// renewed has certbot renew, and sees the new certificate served.
func (c *certbot) renewed(when string) {
	c.t.Helper()
	before := c.leaf()
	out := c.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	if c.leaf() == before {
		c.t.Fatalf("%s: nothing was renewed\n%s", when, out)
	}
	if !peers.Within(30*time.Second, func() bool { return servedLeaf() == c.leaf() }) {
		c.t.Errorf("%s: the renewed certificate %s is not served, but %s\n%s", when, c.leaf(), servedLeaf(), out)
	}
}

// leaf is the fingerprint of the certificate that certbot keeps.
func (c *certbot) leaf() string {
	c.t.Helper()
	m, err := certs.LoadBy(certs.OpenTrusted, certs.Paths{Cert: c.live("fullchain.pem"), Key: c.live("privkey.pem")})
	must(c.t, err)
	return m.LeafDigest()
}

// servedLeaf is the fingerprint of what port 443 shows, "" where nobody answers.
func servedLeaf() string {
	conn, err := tls.Dial("tcp", "127.0.0.1:443", &tls.Config{ServerName: host, InsecureSkipVerify: true}) //nolint:gosec // looked at, not trusted
	if err != nil {
		return ""
	}
	defer conn.Close()
	return certs.Fingerprint(conn.ConnectionState().PeerCertificates[0])
}

// plain is where http://HOST/ leads, and what it says to whom asks as an authority.
func plain(t *testing.T, path string) (status int, location string) {
	t.Helper()
	client := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get("http://" + host + path)
	must(t, err)
	resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Location")
}

// behind follows the advice of a plan that wants port 80: certbot answers at a port of
// its own, to which the front passes on what the authority asks.
func (c *certbot) behind(out string) {
	c.t.Helper()
	_, rest, found := strings.Cut(out, "sed -i ")
	command, _, ended := strings.Cut(rest, ", then ")
	if !found || !ended {
		c.t.Fatalf("no advice in\n%s", out)
	}
	if out, err := exec.Command("sh", "-c", "sed -i "+command).CombinedOutput(); err != nil {
		c.t.Fatalf("sed -i %s: %v\n%s", command, err, out)
	}
}

// TestCertbot: certbot renews after bitgate as it did before, whichever way it answers
// the authority, and its hook has the front show what it renewed.
func TestCertbot(t *testing.T) {
	t.Run("standalone, HAProxy", func(t *testing.T) {
		m := newMachine(t, "haproxy", peers.PebbleOptions{Nonces: -1})
		m.startHAProxy("defaults\n    mode http\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n")
		c := withCertbot(t, m)
		c.issue("--standalone")
		out, code := m.apply()
		if code != 0 {
			t.Fatalf("apply: %d\n%s", code, out)
		}
		if peers.Accepts("127.0.0.1:80") {
			t.Error("port 80 was taken")
		}
		contains(t, "hook", m.read("letsencrypt", "renewal-hooks", "deploy", "bitgate-"+host), "/opt/bitgate cert deploy")
		c.renewed("port 80 left to certbot")
		c.behind(out)
		if out, code := m.apply(); code != 0 {
			t.Fatalf("apply, port 80 passed on: %d\n%s", code, out)
		}
		c.passedOn()
	})
	t.Run("webroot, built-in proxy", func(t *testing.T) {
		if os.Getenv("BITGATE_TORTURE") != "1" {
			t.Skip("make torture")
		}
		m := newMachine(t, "builtin", peers.PebbleOptions{Nonces: -1})
		c := withCertbot(t, m)
		web := &http.Server{Handler: http.FileServer(http.Dir(m.dir)), ReadHeaderTimeout: time.Minute}
		l, err := net.Listen("tcp", "127.0.0.1:80")
		must(t, err)
		go func() { _ = web.Serve(l) }()
		t.Cleanup(func() { web.Close() })
		c.issue("--webroot", "-w", m.dir)
		if out, code := m.apply(); code != 0 {
			t.Fatalf("apply: %d\n%s", code, out)
		}
		front := peers.Start(t, m.proxy())
		peers.WaitFor(t, "the proxy", func() bool { return servedLeaf() == c.leaf() })
		c.renewed("by the web server's folder")
		web.Close()
		c.issue("--standalone", "--force-renewal")
		m.flags = append(m.flags, "--http-redirect", "always", "--reload", "true")
		out, code := m.run(append([]string{"plan"}, m.flags...)...)
		if code != 0 {
			t.Fatalf("plan: %d\n%s", code, out)
		}
		c.behind(out)
		if out, code := m.apply(); code != 0 && code != 5 { // nobody has port 80 before the proxy is started again
			t.Fatalf("apply, port 80 passed on: %d\n%s", code, out)
		}
		front.Stop()
		peers.Start(t, m.proxy())
		peers.WaitFor(t, "the proxy", func() bool { return servedLeaf() == c.leaf() })
		c.passedOn()
	})
}

// passedOn: the front has port 80, certbot answers behind it, and nobody else does
// between renewals.
func (c *certbot) passedOn() {
	c.t.Helper()
	peers.WaitFor(c.t, "port 80, a moment after the reload was asked for", func() bool { return peers.Accepts("127.0.0.1:80") })
	if status, to := plain(c.t, "/bitbucket/x"); status != http.StatusMovedPermanently || to != "https://"+host+"/bitbucket/x" {
		c.t.Errorf("plain requests: %d %q", status, to)
	}
	if status, _ := plain(c.t, "/.well-known/acme-challenge/0123456789abcdef0123"); status != http.StatusServiceUnavailable {
		c.t.Errorf("a challenge that nobody made: %d", status)
	}
	c.renewed("port 80 passed on")
}
