package order

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// torture are the forms that need programs which most machines do not have.
func torture(t *testing.T, programs ...string) {
	t.Helper()
	if os.Getenv("BITGATE_TORTURE") != "1" {
		t.Skip("make torture")
	}
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("NOT TESTED: %v", err)
		}
	}
}

// issuedBy applies, sees the front show a certificate of the issuer, and renews it.
func (m *machine) issuedBy(issuer string) {
	m.t.Helper()
	var front *peers.Process
	out, code := m.apply()
	if code != 0 {
		m.t.Fatalf("apply: %d\n%s", code, out)
	}
	if m.front == "builtin" {
		front = peers.Start(m.t, m.proxy())
	}
	if !peers.Within(30*time.Second, func() bool { return strings.Contains(served(), issuer) }) {
		m.t.Fatalf("served is a certificate of %q\n%s", served(), out)
	}
	before := servedLeaf()
	out, code = m.run("cert", "renew", "--force", "--state-dir", m.file("state"))
	if code != 0 || servedLeaf() == before || !strings.Contains(served(), issuer) {
		m.t.Errorf("renew: %d, of %q\n%s", code, served(), out)
	}
	if out, code := m.run("cert", "renew", "--state-dir", m.file("state")); code != 0 || !strings.Contains(out, "has the certificate of its source") {
		m.t.Errorf("renew again: %d\n%s", code, out)
	}
	m.canaries()
	m.t.Logf("issued and renewed by %q", served())
	if front != nil {
		front.Stop()
	}
}

// TestEveryHAProxy: http-01 through those that BITGATE_HAPROXY_BINS names, parted by
// colons, beside another site of theirs.
func TestEveryHAProxy(t *testing.T) {
	for _, bin := range filepath.SplitList(os.Getenv("BITGATE_HAPROXY_BINS")) {
		t.Run(bin, func(t *testing.T) {
			m := newMachine(t, "haproxy", peers.PebbleOptions{})
			must(t, os.WriteFile(m.file("haproxy.cfg"), []byte(others), 0o644))
			m.haproxy = peers.StartHAProxyOf(t, bin, m.file("haproxy.cfg"), "127.0.0.1:80")
			m.flags = append(m.flags, "--haproxy-bin", bin, "--reload", m.haproxy.ReloadCommand())
			m.issuedBy("Pebble")
		})
	}
}

// TestAddresses: a certificate of six days for an address, which has no name in the
// handshake, through each front in each of its ways.
func TestAddresses(t *testing.T) {
	torture(t)
	for _, c := range []struct{ front, challenge string }{{"haproxy", "http-01"}, {"builtin", "http-01"}, {"builtin", "tls-alpn-01"}} {
		t.Run(c.front+" "+c.challenge, func(t *testing.T) {
			m := newMachine(t, c.front, peers.PebbleOptions{})
			if c.front == "haproxy" {
				m.startHAProxy(others, "127.0.0.1:80")
			}
			m.flags = with(with(m.flags, "--url", "https://127.0.0.1/bitbucket"), "--acme-profile", "shortlived")
			m.flags = append(m.flags, "--acme-challenge", c.challenge)
			m.issuedBy("Pebble")
		})
	}
}

// TestStepCA: a company's own authority, without renewal information and profiles,
// whose certificates live a day, through both fronts in each way that they have.
func TestStepCA(t *testing.T) {
	torture(t, "step-ca", "openssl")
	for _, c := range []struct{ front, challenge string }{{"haproxy", "http-01"}, {"builtin", "http-01"}, {"builtin", "tls-alpn-01"}, {"haproxy", "dns-01"}} {
		t.Run(c.front+" "+c.challenge, func(t *testing.T) {
			m := newMachine(t, c.front, peers.PebbleOptions{})
			if c.front == "haproxy" {
				m.startHAProxy(others, "127.0.0.1:80")
			}
			m.stepCA()
			m.flags = append(m.flags, "--acme-challenge", c.challenge)
			if c.challenge == "dns-01" {
				m.flags = append(m.flags, "--acme-dns-hook", m.pebble.DNSHook(t))
			}
			m.issuedBy("Corp Intermediate")
		})
	}
}

// stepCA starts one and has the machine order from it.
func (m *machine) stepCA() {
	m.t.Helper()
	address := peers.FreeAddress(m.t)
	must(m.t, os.Mkdir(m.file("ca"), 0o700))
	for name, text := range map[string]string{
		"ext": "basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n",
		"make": `set -e
new="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
openssl req -x509 $new -keyout root.key -out root.pem -subj "/CN=Corp Root" -days 30
openssl req $new -keyout int.key -out int.csr -subj "/CN=Corp Intermediate"
openssl x509 -req -in int.csr -CA root.pem -CAkey root.key -CAcreateserial -days 30 -extfile ext -out int.pem
`,
		"ca.json": fmt.Sprintf(`{"root": %q, "crt": %q, "key": %q, "address": %q, "dnsNames": ["127.0.0.1"], "logger": {"format": "text"},
"db": {"type": "badgerv2", "dataSource": %q}, "authority": {"provisioners": [{"type": "ACME", "name": "acme"}]}}`,
			m.file("ca", "root.pem"), m.file("ca", "int.pem"), m.file("ca", "int.key"), address, m.file("ca", "db")),
	} {
		must(m.t, os.WriteFile(m.file("ca", name), []byte(text), 0o600))
	}
	cmd := exec.Command("sh", "make")
	cmd.Dir = m.file("ca")
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("%v\n%s", err, out)
	}
	ca := peers.Start(m.t, exec.Command("step-ca", m.file("ca", "ca.json")))
	peers.WaitFor(m.t, "step-ca", func() bool { return peers.Accepts(address) })
	m.t.Cleanup(func() {
		if m.t.Failed() {
			m.t.Log(ca.Output())
		}
	})
	m.flags = with(with(with(m.flags, "--acme-ca", "https://"+address+"/acme/acme/directory"), "--ca-file", m.file("ca", "root.pem")), "--acme-profile", "")
}

// TestBIND: dns-01 by a program that tells a name server by nsupdate, with a key that
// may write this one record.
func TestBIND(t *testing.T) {
	torture(t, "named", "nsupdate", "tsig-keygen")
	m := newMachine(t, "haproxy", peers.PebbleOptions{DNS: "127.0.0.1:5353", Resolver: "127.0.0.1:53"})
	must(t, os.Mkdir(m.file("bind"), 0o755))
	key, err := exec.Command("tsig-keygen", "acme").Output()
	must(t, err)
	for name, text := range map[string]string{
		"key": string(key),
		"named.conf": fmt.Sprintf(`include %[1]q;
options { directory %[2]q; listen-on port 53 { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; pid-file none; session-keyfile none; dnssec-validation no; };
controls { };
zone "test." { type primary; file "zone"; update-policy { grant acme name _acme-challenge.%[3]s. TXT; }; };
`, m.file("bind", "key"), m.file("bind"), host),
		"zone": "$TTL 60\n@ SOA ns.test. root.test. 1 60 60 60 60\n@ NS ns.test.\nns A 127.0.0.1\n" + host + ". A 127.0.0.1\n",
		"hook": fmt.Sprintf(`#!/bin/sh
case $1 in
present) change="add $2 60 TXT \"$3\"" ;;
cleanup) change="delete $2 TXT" ;;
*) exit 2 ;;
esac
printf 'server 127.0.0.1 53\nzone test.\nupdate %%s\nsend\n' "$change" | nsupdate -k %[1]q
`, m.file("bind", "key")),
	} {
		must(t, os.WriteFile(m.file("bind", name), []byte(text), 0o600))
	}
	must(t, os.Chmod(m.file("bind", "hook"), 0o700))
	named := peers.Start(t, exec.Command("named", "-g", "-c", m.file("bind", "named.conf")))
	peers.WaitFor(t, "named", func() bool { return peers.Accepts("127.0.0.1:53") })
	m.startHAProxy("defaults\n    mode http\n", []string{}...)
	m.flags = append(m.flags, "--acme-dns-hook", m.file("bind", "hook"), "--http-redirect", "never")
	m.issuedBy("Pebble")
	text := named.Output()
	if strings.Count(text, "adding an RR at '_acme-challenge."+host) != 2 || strings.Count(text, "deleting rrset at '_acme-challenge."+host) != 2 {
		t.Errorf("the records:\n%s", text)
	}
	// A key that the server does not know any more: told in the words of nsupdate.
	old := servedLeaf()
	other, err := exec.Command("tsig-keygen", "acme").Output()
	must(t, err)
	must(t, os.WriteFile(m.file("bind", "key"), other, 0o600))
	out, code := m.run("cert", "renew", "--force", "--state-dir", m.file("state"))
	if code != 1 || servedLeaf() != old {
		t.Errorf("%d, served the same: %t", code, servedLeaf() == old)
	}
	contains(t, "said", out, "hook present failed", "update failed")
	t.Log(out)
}

// TestWebrootBehindHAProxy: certbot's folder is served by a web server to which the
// administrator's HAProxy sends what authorities ask; it renews before and after, and
// other sites and the redirect are served.
func TestWebrootBehindHAProxy(t *testing.T) {
	torture(t)
	m := newMachine(t, "haproxy", peers.PebbleOptions{Nonces: -1})
	m.startHAProxy(`defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s

frontend www
    bind 127.0.0.1:80
    use_backend certbot if { path_beg /.well-known/acme-challenge/ }
    default_backend other

backend certbot
    server web 127.0.0.1:8080

backend other
    http-request return status 200 content-type text/plain string "other site"
`, "127.0.0.1:80")
	c := withCertbot(t, m)
	web := &http.Server{Addr: "127.0.0.1:8080", Handler: http.FileServer(http.Dir(m.dir)), ReadHeaderTimeout: time.Minute}
	go func() { _ = web.ListenAndServe() }()
	defer web.Close()
	peers.WaitFor(t, "the web server", func() bool { return peers.Accepts("127.0.0.1:8080") })
	c.issue("--webroot", "-w", m.dir)
	first := c.leaf()
	c.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	if c.leaf() == first {
		t.Fatal("certbot does not renew before")
	}
	out, code := m.apply()
	if code != 0 {
		t.Fatalf("apply: %d\n%s", code, out)
	}
	if servedLeaf() != c.leaf() {
		t.Errorf("%s is served, and certbot has %s", servedLeaf(), c.leaf())
	}
	contains(t, "hook", m.read("letsencrypt", "renewal-hooks", "deploy", "bitgate-"+host), "/opt/bitgate cert deploy")
	c.renewed("by the folder behind HAProxy")
	if status, to := plain(t, "/bitbucket/x"); status != http.StatusMovedPermanently && status != http.StatusOK {
		t.Errorf("plain requests: %d %q", status, to)
	}
}
