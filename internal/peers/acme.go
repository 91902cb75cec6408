package peers

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Pebble is Let's Encrypt's authority for tests, with a DNS server for it whose names
// all lead to 127.0.0.1. A fifth of its nonces are refused, as any authority may.
type Pebble struct {
	*Process
	Directory string // its URL
	CAFile    string // the roots of its own https and of what it issues
	HTTPPort  int    // where it validates http-01
	TLSPort   int    // and tls-alpn-01
	DNS       string // address of the DNS server
	dnsAdmin  string
}

// PebbleOptions are what a test may want otherwise.
type PebbleOptions struct {
	HTTPPort, TLSPort int               // 0: free ones
	Address           string            // where it listens; "" is 127.0.0.1
	Bindings          map[string]string // id -> MAC key of external accounts; none needed where it is nil
	DNS               string            // where its DNS server listens; "" is a free port
	Resolver          string            // another DNS server that it asks, "" for its own
	Nonces            int               // percent of nonces that are refused; 0 is 20, below is none
	Env               []string
}

// StartPebble runs the version that tools/go.mod pins.
func StartPebble(t testing.TB, o PebbleOptions) *Pebble {
	t.Helper()
	dir := t.TempDir()
	if o.HTTPPort == 0 {
		o.HTTPPort = FreePort(t)
	}
	if o.TLSPort == 0 {
		o.TLSPort = FreePort(t)
	}
	o.Address = cmp.Or(o.Address, "127.0.0.1")
	o.Nonces = cmp.Or(o.Nonces, 20)
	p := &Pebble{HTTPPort: o.HTTPPort, TLSPort: o.TLSPort, CAFile: filepath.Join(dir, "root.pem"), DNS: o.DNS, dnsAdmin: FreeAddress(t)}
	p.startDNS(t)
	admin := FreeAddress(t)
	listen := net.JoinHostPort(o.Address, fmt.Sprint(FreePort(t)))
	writeServerCertificate(t, p.CAFile, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), o.Address)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": admin,
		"certificate": filepath.Join(dir, "cert.pem"), "privateKey": filepath.Join(dir, "key.pem"),
		"httpPort": o.HTTPPort, "tlsPort": o.TLSPort, "ocspResponderURL": "",
		"externalAccountBindingRequired": o.Bindings != nil, "externalAccountMACKeys": o.Bindings,
		"domainBlocklist": []string{"blocked.example"},
		"retryAfter":      map[string]int{"authz": 1, "order": 1}, "keyAlgorithm": "ecdsa",
		"profiles": map[string]any{
			"classic":    map[string]any{"description": "90 days", "validityPeriod": 90 * 86400},
			"shortlived": map[string]any{"description": "160 hours", "validityPeriod": 160 * 3600},
			"hour":       map[string]any{"description": "an hour", "validityPeriod": 3600},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool(t, "pebble"), "-config", path, "-strict", "-dnsserver", cmp.Or(o.Resolver, p.DNS))
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", fmt.Sprintf("PEBBLE_WFE_NONCEREJECT=%d", max(o.Nonces, 0)), "PEBBLE_AUTHZREUSE=0")
	cmd.Env = append(cmd.Env, o.Env...)
	p.Process = Start(t, cmd)
	p.waitReady(t, listen)
	p.waitReady(t, admin)
	p.keepRoot(t, admin)
	p.Directory = "https://" + listen + "/dir"
	return p
}

// startDNS starts its DNS server, on another address where the one that it took for
// free is somebody's for UDP: of that the server only writes in its log.
func (p *Pebble) startDNS(t testing.TB) {
	t.Helper()
	given := p.DNS != ""
	for try := 0; ; try++ {
		if !given {
			p.DNS = FreeAddress(t)
		}
		server := Start(t, exec.Command(tool(t, "pebble-challtestsrv"), "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "",
			"-dnsserver", p.DNS, "-management", p.dnsAdmin, "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""))
		server.waitReady(t, p.dnsAdmin)
		taken := func() bool { return strings.Contains(server.Output(), "address already in use") }
		WaitFor(t, "the authority's DNS server at "+p.DNS, func() bool { return taken() || resolves(p.DNS) })
		if !taken() {
			return
		}
		server.Stop()
		if given || try == 20 {
			t.Fatalf("no DNS server at %s:\n%s", p.DNS, server.Output())
		}
	}
}

// keepRoot adds the root that issues, which is a new one at each start, to CAFile.
func (p *Pebble) keepRoot(t testing.TB, admin string) {
	t.Helper()
	client := &http.Client{Timeout: Limit, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // it was started by this test
	resp, err := client.Get("https://" + admin + "/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	root, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(p.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.CAFile, append(own, root...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// SetDNS asks the DNS server's administrator: path such as "/set-aaaa", body its JSON.
func (p *Pebble) SetDNS(t testing.TB, path string, body any) {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := Client.Post("http://"+p.dnsAdmin+path, "application/json", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, resp.Status)
	}
}

// DNSHook writes a program that sets and removes the records of dns-01.
func (p *Pebble) DNSHook(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hook")
	script := fmt.Sprintf(`#!/bin/sh
case $1 in
present) curl -sf -d "{\"host\":\"$2\",\"value\":\"$3\"}" http://%[1]s/set-txt ;;
cleanup) curl -sf -d "{\"host\":\"$2\"}" http://%[1]s/clear-txt ;;
*) exit 2 ;;
esac
`, p.dnsAdmin)
	if err := WriteProgram(path, []byte(script)); err != nil {
		t.Fatal(err)
	}
	return path
}

// BuildPebble builds it, for tests that are to start it where no module can be
// fetched any more.
func BuildPebble() error {
	for _, name := range []string{"pebble", "pebble-challtestsrv"} {
		if _, err := toolPath(name); err != nil {
			return err
		}
	}
	return nil
}

func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := toolPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// toolPath is where a program lies that tools/go.mod pins, built at its first use.
func toolPath(name string) (string, error) {
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	cmd := exec.Command("go", "tool", "-modfile=tools/go.mod", "-n", name)
	cmd.Dir = filepath.Dir(strings.TrimSpace(string(mod)))
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go tool %s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// writeServerCertificate makes a root and a certificate for one address.
func writeServerCertificate(t testing.TB, rootFile, certFile, keyFile, address string) {
	t.Helper()
	now := time.Now()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "root of the authority for tests"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.ParseIP(address)}, DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for path, data := range map[string][]byte{rootFile: cert, certFile: cert, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
