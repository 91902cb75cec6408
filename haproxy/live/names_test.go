package live_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"bitgate/haproxy"
	"bitgate/internal/peers"
)

// nameServer knows one address, which may change, for every name.
func nameServer(t *testing.T, address *atomic.Pointer[[4]byte]) string {
	t.Helper()
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		in := make([]byte, 1500)
		for {
			n, who, err := l.ReadFrom(in)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(in[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q, a := m.Questions[0], address.Load()
			m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
			switch {
			case a == nil:
				m.RCode = dnsmessage.RCodeNameError
			case q.Type == dnsmessage.TypeA:
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: *a}}}
			}
			if out, err := m.Pack(); err == nil {
				_, _ = l.WriteTo(out, who)
			}
		}
	}()
	return l.LocalAddr().String()
}

// HAProxy starts although Bitbucket's name is not known yet, serves as soon as it is,
// and follows it to another address.
func TestNameOfBitbucketMayLeadElsewhere(t *testing.T) {
	t.Parallel()
	in := installed(t)
	if !in.Version.AtLeast(2, 0) {
		t.Skip("SKIPPED: names are asked for again from 2.0 on")
	}
	port := peers.FreePort(t)
	at := func(host string) string {
		l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", host, port))
		if err != nil {
			t.Fatal(err)
		}
		s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, host) })}}
		s.Start()
		t.Cleanup(s.Close)
		return host
	}
	first, second := at("127.0.0.2"), at("127.0.0.3")
	var address atomic.Pointer[[4]byte]
	names := nameServer(t, &address)
	dir := t.TempDir()
	f := &front{addr: peers.FreeAddress(t), socket: filepath.Join(dir, "s")}
	_, own, _ := net.SplitHostPort(f.addr)
	f.site = haproxy.Site{
		URL: mustURL(t, "https://git.example.com:"+own+"/bitbucket"), Listen: []string{f.addr},
		Bundle: filepath.Join(dir, "bundle.pem"), Upstream: fmt.Sprintf("bitbucket.invalid:%d", port), MaxConn: 50, Version: in.Version,
	}
	var bundle []byte
	bundle, f.roots = certificate(t, "git.example.com")
	write(t, f.site.Bundle, bundle)
	cfg := filepath.Join(dir, "haproxy.cfg")
	merged, err := haproxy.Merge([]haproxy.Source{{Path: cfg, Data: fmt.Appendf(nil, hostile, f.socket)}}, f.site)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(merged.After), "    parse-resolv-conf\n", "    nameserver test "+names+"\n", 1)
	text = strings.NewReplacer("hold valid 10s", "hold valid 1s", "check inter 10s", "check inter 1s").Replace(text)
	write(t, cfg, []byte(text))
	launch(t, in.Bin, f.addr, "-f", cfg)
	answered := func() string {
		resp, err := f.client(false).Get(f.url("/bitbucket/x"))
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		var body [256]byte
		n, _ := resp.Body.Read(body[:])
		return string(body[:n])
	}
	if got := answered(); !strings.Contains(got, "does not answer") {
		t.Errorf("before the name is known: %q", got)
	}
	address.Store(&[4]byte{127, 0, 0, 2})
	await(t, "the first address", func() bool { return answered() == first })
	address.Store(&[4]byte{127, 0, 0, 3})
	await(t, "the second address", func() bool { return answered() == second })
	address.Store(nil) // the name servers forget it: the last one stays in use
	before := answered()
	if before != second {
		t.Errorf("without the name: %q", before)
	}
}
