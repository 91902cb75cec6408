package order

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bitgate/internal/peers"
)

const others = `defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s

frontend www
    bind 127.0.0.1:80
    http-request redirect scheme https code 301 unless { path_beg /.well-known/other }
    http-request return status 200 content-type text/plain string "other site"
`

// served is the issuer's name of what is served on port 443, "" where nobody answers.
func served() string {
	conn, err := tls.Dial("tcp", "127.0.0.1:443", &tls.Config{ServerName: host, InsecureSkipVerify: true}) //nolint:gosec // looked at, not trusted
	if err != nil {
		return ""
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Issuer.CommonName
}

// TestFirstOrder: the certificate is ordered before anything of Bitbucket is touched,
// bitgate answering itself or HAProxy by the one rule; a second run has nothing to do;
// undo gives everything back but what was issued.
func TestFirstOrder(t *testing.T) {
	for what, cfg := range map[string]string{
		"nobody has port 80": "defaults\n    mode http\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n\nfrontend other\n    bind 127.0.0.1:8081\n",
		"HAProxy has it":     others,
	} {
		t.Run(what, func(t *testing.T) {
			m := newMachine(t, "haproxy", peers.PebbleOptions{})
			listen := "127.0.0.1:8081"
			if cfg == others {
				listen = "127.0.0.1:80"
			}
			m.startHAProxy(cfg, listen)
			before := m.read("haproxy.cfg")
			plan, code := m.run(append([]string{"plan"}, m.flags...)...)
			if code != 0 {
				t.Fatalf("plan: %d\n%s", code, plan)
			}
			contains(t, "plan", plan, "order a certificate for "+host)
			if strings.Contains(plan, "bitgate itself answering") != (cfg != others) {
				t.Errorf("who answers:\n%s", plan)
			}
			if left, _ := os.ReadDir(m.file("state")); len(left) > 0 {
				t.Errorf("plan wrote %v", left)
			}
			out, code := m.apply()
			if code != 0 {
				t.Fatalf("apply: %d\n%s", code, out)
			}
			if issuer := served(); !strings.Contains(issuer, "Pebble") {
				t.Errorf("served is a certificate of %q\n%s", issuer, out)
			}
			if m.bb.BaseURL() != "https://"+host+"/bitbucket" {
				t.Errorf("base URL %q", m.bb.BaseURL())
			}
			if strings.Index(out, "order a certificate") > strings.Index(out, "restart Bitbucket") {
				t.Errorf("Bitbucket first:\n%s", out)
			}
			if cfg := m.read("haproxy.cfg"); strings.Count(cfg, "acme-challenge") < 2 || strings.Contains(cfg, "0000000000000000000000") {
				t.Errorf("no rule:\n%s", cfg)
			}
			if out, code := m.apply(); code != 0 || !strings.Contains(out, "nothing to do") && !strings.Contains(out, "Nothing to do") {
				t.Errorf("again: %d\n%s", code, out)
			}
			m.canaries()
			if out, code := m.run("undo", "--yes", "--state-dir", m.file("state"), "--admin-password-file", m.file("password")); code != 0 {
				t.Fatalf("undo: %d\n%s", code, out)
			}
			if after := m.read("haproxy.cfg"); after != before {
				t.Errorf("undo left\n%s", after)
			}
			if kept, _ := filepath.Glob(m.file("state", "certificates", "names", host, "*.pem")); len(kept) != 1 {
				t.Errorf("what was issued is gone: %v", kept)
			}
			peers.WaitFor(t, "HAProxy to have left port 443", func() bool { return served() == "" && (cfg == others || !peers.Accepts("127.0.0.1:80")) })
			// What was issued does for the next run.
			issued := strings.Count(m.pebble.Output(), "Issued certificate")
			if out, code := m.apply(); code != 0 {
				t.Fatalf("once more: %d\n%s", code, out)
			}
			if n := strings.Count(m.pebble.Output(), "Issued certificate"); n != issued {
				t.Errorf("%d certificates were issued, and then %d", issued, n)
			}
		})
	}
}

// TestRefusal: what the authority says no to costs Bitbucket nothing.
func TestRefusal(t *testing.T) {
	for what, c := range map[string]struct {
		flags [2]string
		words []string
	}{
		"the name is not to be had":  {[2]string{"--url", "https://git.blocked.example/bitbucket"}, []string{"git.blocked.example", "another authority"}},
		"terms are not agreed to":    {[2]string{"--acme-terms", ""}, []string{"--acme-terms data:text/plain,"}},
		"other terms were agreed to": {[2]string{"--acme-terms", "https://elsewhere.example/"}, []string{"--acme-terms data:text/plain,"}},
		"there is no such profile":   {[2]string{"--acme-profile", "gold"}, []string{"gold", "classic"}},
		"there is no such authority": {[2]string{"--acme-ca", "https://127.0.0.1:1/dir"}, []string{"127.0.0.1:1", "refused"}},
	} {
		t.Run(what, func(t *testing.T) {
			m := newMachine(t, "haproxy", peers.PebbleOptions{})
			m.startHAProxy(others, "127.0.0.1:80")
			m.flags = with(m.flags, c.flags[0], c.flags[1])
			cfg, properties, url := m.read("haproxy.cfg"), m.read("bitbucket", "home", "shared", "bitbucket.properties"), m.bb.BaseURL()
			out, code := m.apply()
			if code == 0 {
				t.Fatalf("applied\n%s", out)
			}
			contains(t, "said", out, c.words...)
			if m.read("haproxy.cfg") != cfg || m.read("bitbucket", "home", "shared", "bitbucket.properties") != properties || m.bb.BaseURL() != url {
				t.Errorf("left changed:\n%s", out)
			}
			if strings.Contains(out, "restart Bitbucket (") && strings.Contains(out, "ok  3 Tomcat connector   restart") {
				t.Errorf("Bitbucket was restarted:\n%s", out)
			}
			if strings.Contains(strings.ToLower(m.haproxy.Output()), "alert") {
				t.Errorf("HAProxy: %s", m.haproxy.Output())
			}
		})
	}
}

// TestBuiltinOrders: by http-01 and by tls-alpn-01, before the built-in proxy runs and
// through the one that does.
func TestBuiltinOrders(t *testing.T) {
	for _, challenge := range []string{"http-01", "tls-alpn-01"} {
		t.Run(challenge, func(t *testing.T) {
			m := newMachine(t, "builtin", peers.PebbleOptions{})
			m.flags = append(m.flags, "--acme-challenge", challenge)
			out, code := m.apply()
			if code != 0 {
				t.Fatalf("apply: %d\n%s", code, out)
			}
			contains(t, "apply", out, "bitgate itself answering on 127.0.0.1:"+map[string]string{"http-01": "80", "tls-alpn-01": "443"}[challenge], "start the front")
			yaml := m.read("etc", "proxy.yaml")
			contains(t, "proxy.yaml", yaml, map[string]string{"http-01": "acme-thumbprint: ", "tls-alpn-01": "acme-challenges: "}[challenge])
			front := peers.Start(t, m.proxy())
			peers.WaitFor(t, "the proxy", func() bool { return strings.Contains(served(), "Pebble") })
			// Another profile is another certificate, ordered through what runs.
			m.flags = with(m.flags, "--acme-profile", "shortlived")
			m.flags = append(m.flags, "--reload", fmt.Sprintf("kill -HUP %d", front.PID()))
			if out, code = m.apply(); code != 0 {
				t.Fatalf("again: %d\n%s\n%s", code, out, front.Output())
			}
			if strings.Contains(out, "bitgate itself") {
				t.Errorf("it did not leave it to the proxy:\n%s", out)
			}
			peers.WaitFor(t, "the new certificate", func() bool {
				conn, err := tls.Dial("tcp", "127.0.0.1:443", &tls.Config{ServerName: host, InsecureSkipVerify: true}) //nolint:gosec // looked at
				if err != nil {
					return false
				}
				defer conn.Close()
				leaf := conn.ConnectionState().PeerCertificates[0]
				return leaf.NotAfter.Sub(leaf.NotBefore) < 8*24*time.Hour
			})
			m.canaries()
		})
	}
}

// TestHookOrders: by DNS, where nobody has to answer on port 80; the plan leaves it alone.
func TestHookOrders(t *testing.T) {
	m := newMachine(t, "haproxy", peers.PebbleOptions{})
	m.startHAProxy("defaults\n    mode http\n", []string{}...)
	m.flags = append(m.flags, "--acme-dns-hook", m.pebble.DNSHook(t), "--http-redirect", "never")
	out, code := m.apply()
	if code != 0 {
		t.Fatalf("apply: %d\n%s", code, out)
	}
	contains(t, "apply", out, "dns-01")
	if issuer := served(); !strings.Contains(issuer, "Pebble") {
		t.Errorf("served is a certificate of %q", issuer)
	}
	if cfg := m.read("haproxy.cfg"); strings.Contains(cfg, "acme-challenge") || strings.Contains(cfg, ":80") {
		t.Errorf("port 80 was touched:\n%s", cfg)
	}
}

// TestExternalAccount: an authority that wants one gets it from a file alone.
func TestExternalAccount(t *testing.T) {
	const mac = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	m := newMachine(t, "haproxy", peers.PebbleOptions{Bindings: map[string]string{"kid-1": mac}})
	m.startHAProxy(others, "127.0.0.1:80")
	out, code := m.apply()
	if code != 2 {
		t.Fatalf("without: %d\n%s", code, out)
	}
	contains(t, "without", out, "--acme-eab-id", "--acme-eab-file")
	must(t, os.WriteFile(m.file("mac"), []byte(mac+"=\n"), 0o600))
	m.flags = append(m.flags, "--acme-eab-id", "kid-1", "--acme-eab-file", m.file("mac"))
	if out, code = m.apply(); code != 0 {
		t.Fatalf("with: %d\n%s", code, out)
	}
	if !strings.Contains(served(), "Pebble") {
		t.Error("not served")
	}
	m.canaries(mac[4:40])
	if strings.Contains(out, mac[4:40]) {
		t.Error("the key was printed")
	}
}

// canaries looks for the account's key and other secrets where they must not be: below
// the folders of runs, in answers, in configuration.
func (m *machine) canaries(secrets ...string) {
	m.t.Helper()
	for _, line := range strings.Split(m.read("state", "certificates", "account.key"), "\n") {
		if len(line) > 30 && !strings.HasPrefix(line, "-----") {
			secrets = append(secrets, line)
		}
	}
	if len(secrets) < 2 {
		m.t.Fatal("there is no account key")
	}
	own := []string{m.file("state", "certificates", "account.key"), m.file("mac")}
	must(m.t, filepath.WalkDir(m.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || slices.Contains(own, path) {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, s := range secrets {
			if strings.Contains(string(data), s) {
				m.t.Errorf("a secret lies in %s", path)
			}
		}
		return nil
	}))
}
