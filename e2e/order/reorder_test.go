package order

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"bitgate/internal/peers"
)

// TestChangedOrder: another challenge, and a hook that has moved, reach the renewals by a
// run of their own, in which nothing is ordered; undo has them as they were before.
func TestChangedOrder(t *testing.T) {
	torture(t)
	m := newMachine(t, "haproxy", peers.PebbleOptions{})
	m.startHAProxy(others, "127.0.0.1:80")
	renews := func(by string) {
		t.Helper()
		if out, code := m.run("cert", "status", "--state-dir", m.file("state")); code != 0 || !strings.Contains(out, "("+by+")") {
			t.Errorf("status: %d, without %s\n%s", code, by, out)
		}
		before := servedLeaf()
		if out, code := m.run("cert", "renew", "--force", "--state-dir", m.file("state")); code != 0 || servedLeaf() == before {
			t.Errorf("renew by %s: %d\n%s", by, code, out)
		}
	}
	if out, code := m.apply(); code != 0 {
		t.Fatalf("apply: %d\n%s", code, out)
	}
	http, hook, moved := m.flags, m.pebble.DNSHook(t), m.file("moved")
	m.flags = append(http, "--acme-challenge", "dns-01", "--acme-dns-hook", hook)
	issued := strings.Count(m.pebble.Output(), "Issued certificate")
	out, code := m.apply()
	contains(t, "another challenge", out, "have renewals ordered from "+m.pebble.Directory+" (dns-01", "(http-01)")
	if n := strings.Count(m.pebble.Output(), "Issued certificate"); code != 0 || n != issued || strings.Contains(m.read("haproxy.cfg"), "acme-challenge") {
		t.Errorf("apply: %d, %d more certificates\n%s", code, n-issued, out)
	}
	renews("dns-01")
	// Nothing but the hook's place is another: the front has nothing to do.
	must(t, os.Rename(hook, moved))
	m.flags = append(http, "--acme-challenge", "dns-01", "--acme-dns-hook", moved)
	cfg := m.read("haproxy.cfg")
	if out, code := m.apply(); code != 0 || !strings.Contains(out, moved) || m.read("haproxy.cfg") != cfg {
		t.Errorf("a hook that has moved: %d\n%s", code, out)
	}
	renews("dns-01")
	if out, code := m.apply(); code != 0 || !strings.Contains(strings.ToLower(out), "nothing to do") {
		t.Errorf("again: %d\n%s", code, out)
	}
	for _, back := range []string{"hook " + hook, "(http-01)"} {
		out, code := m.run("undo", "--yes", "--state-dir", m.file("state"), "--admin-password-file", m.file("password"))
		if contains(t, "undo", out, "have renewals ordered from", back); code != 0 {
			t.Fatalf("undo: %d\n%s", code, out)
		}
	}
	peers.WaitFor(t, "HAProxy to answer authorities", func() bool {
		out, err := exec.Command("curl", "-fsS", "--max-time", "10", "-H", "Host: "+host, "http://127.0.0.1/.well-known/acme-challenge/token-of-16-bytes-and-more").Output()
		return err == nil && strings.HasPrefix(string(out), "token-of-16-bytes-and-more.")
	})
	renews("http-01")
}
