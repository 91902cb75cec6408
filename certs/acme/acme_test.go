package acme

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"bitgate/certs/store"
	"bitgate/internal/peers"
	"bitgate/internal/problem"
)

func privateDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// client is one of p with a store of its own.
func client(t *testing.T, p *peers.Pebble, o store.Order) *Client {
	t.Helper()
	o.Directory, o.CAFile, o.Profile = p.Directory, p.CAFile, cmp.Or(o.Profile, "classic")
	if o.Terms == "" {
		o.Terms = AnyTerms
	}
	return &Client{Store: store.Store{StateDir: privateDir(t)}, Order: o, Version: "test", Log: func(s string) { t.Log(s) }}
}

func respond(t *testing.T, c *Client, p *peers.Pebble) *Responder {
	t.Helper()
	r, err := NewResponder(c.Store)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Open([]string{net.JoinHostPort("127.0.0.1", fmt.Sprint(p.HTTPPort))}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// TestOrders: what an authority issues is for the names, the profile and the type of
// key that were asked for, over nonces that it refuses.
func TestOrders(t *testing.T) {
	t.Parallel()
	p := peers.StartPebble(t, peers.PebbleOptions{Nonces: 30}) // of ten tries in a row one succeeds, in a million tests
	for _, c := range []struct {
		order store.Order
		life  time.Duration
	}{
		{store.Order{Names: []string{"git.example.test"}}, 90 * 24 * time.Hour},
		{store.Order{Names: []string{"git.example.test", "scm.example.test"}, KeyType: string(store.RSA)}, 90 * 24 * time.Hour},
		{store.Order{Names: []string{"127.0.0.1"}, Profile: "shortlived"}, 160 * time.Hour},
		{store.Order{Names: []string{"bücher.example.test"}, Profile: "hour"}, time.Hour},
	} {
		c.order.Challenge = HTTP01
		cl := client(t, p, c.order)
		solver := respond(t, cl, p)
		got, err := cl.Obtain(t.Context(), solver, nil, nil)
		solver.Close()
		if err != nil {
			t.Fatalf("%v: %v", c.order.Names, err)
		}
		has := slices.Clone(got.Leaf.DNSNames)
		for _, ip := range got.Leaf.IPAddresses {
			has = append(has, ip.String())
		}
		want := slices.Clone(c.order.Names)
		if want[0] == "bücher.example.test" {
			want[0] = "xn--bcher-kva.example.test"
		}
		slices.Sort(has)
		slices.Sort(want)
		if !slices.Equal(has, want) {
			t.Errorf("names %v, want %v", has, want)
		}
		if life := got.Leaf.NotAfter.Sub(got.Leaf.NotBefore).Round(time.Minute); life != c.life {
			t.Errorf("%v: life %v, want %v", c.order.Names, life, c.life)
		}
		_, isRSA := got.Leaf.PublicKey.(*rsa.PublicKey)
		_, isECDSA := got.Leaf.PublicKey.(*ecdsa.PublicKey)
		if isRSA != (c.order.KeyType == string(store.RSA)) || isRSA == isECDSA {
			t.Errorf("%v: key %T", c.order.Names, got.Leaf.PublicKey)
		}
		if pair, err := tls.X509KeyPair(got.Bundle, got.Bundle); err != nil || len(pair.Certificate) < 2 {
			t.Errorf("%v: the bundle does not serve, or has no chain: %v", c.order.Names, err)
		}
		if bytes.Contains(got.Bundle, []byte("\n\n")) {
			t.Error("an empty line ends what HAProxy's runtime socket takes")
		}
	}
}

// TestRenewal: the authority says when, the time that was drawn stays, an order that
// names its predecessor is taken, and one that names it twice or names a stranger's
// is made as a new one.
func TestRenewal(t *testing.T) {
	t.Parallel()
	p := peers.StartPebble(t, peers.PebbleOptions{})
	c := client(t, p, store.Order{Names: []string{"git.example.test"}, Challenge: HTTP01})
	solver := respond(t, c, p)
	first, err := c.Obtain(t.Context(), solver, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	info, err := c.RenewalInfo(t.Context(), first.Leaf, nil)
	if err != nil {
		t.Fatal(err)
	}
	if info.Selected.Before(info.Start) || info.Selected.After(info.End) || !info.AskAgain.After(time.Now()) || info.End.After(first.Leaf.NotAfter) {
		t.Errorf("%+v of a certificate that ends %v", info, first.Leaf.NotAfter)
	}
	for range 3 {
		if again, err := c.RenewalInfo(t.Context(), first.Leaf, &info); err != nil || !again.Selected.Equal(info.Selected) {
			t.Errorf("drawn anew: %v, %v, %v", info.Selected, again.Selected, err)
		}
	}
	second, err := c.Obtain(t.Context(), solver, first.Leaf, nil)
	if err != nil {
		t.Fatal(err)
	}
	if second.Leaf.Equal(first.Leaf) {
		t.Error("not renewed")
	}
	if _, err := c.Obtain(t.Context(), solver, first.Leaf, nil); err != nil {
		t.Errorf("replaced twice: %v", err)
	}
	stranger := client(t, p, store.Order{Names: []string{"other.example.test"}, Challenge: HTTP01})
	solver.Close()
	theirs := respond(t, stranger, p)
	if _, err := stranger.Obtain(t.Context(), theirs, second.Leaf, nil); err != nil {
		t.Errorf("naming another account's certificate: %v", err)
	}
}

// TestAccountIsKept: one account for all orders; another is made only where the
// authority has lost it.
func TestAccountIsKept(t *testing.T) {
	t.Parallel()
	p := peers.StartPebble(t, peers.PebbleOptions{})
	c := client(t, p, store.Order{Names: []string{"git.example.test"}, Challenge: HTTP01})
	solver := respond(t, c, p)
	urls := map[string]bool{}
	for range 2 {
		if _, err := c.Obtain(t.Context(), solver, nil, nil); err != nil {
			t.Fatal(err)
		}
		a, found, err := c.Store.Account(p.Directory)
		if err != nil || !found {
			t.Fatal(found, err)
		}
		urls[a.URL] = true
	}
	if len(urls) != 1 {
		t.Errorf("accounts %v", urls)
	}
	a, _, _ := c.Store.Account(p.Directory)
	a.URL += "lost"
	if err := c.Store.SaveAccount(a); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Obtain(t.Context(), solver, nil, nil); err != nil {
		t.Errorf("an account that the authority lost: %v", err)
	}
}

// TestTerms: nobody agrees to terms in silence, nor to others than those that were read.
func TestTerms(t *testing.T) {
	t.Parallel()
	p := peers.StartPebble(t, peers.PebbleOptions{})
	c := client(t, p, store.Order{Names: []string{"git.example.test"}, Challenge: HTTP01})
	info, err := c.Info(t.Context())
	if err != nil || info.Terms == "" || !info.RenewalInfo || info.Bound {
		t.Fatalf("%+v, %v", info, err)
	}
	for _, said := range []string{"", "https://elsewhere.example/terms"} {
		c.Order.Terms = said
		_, err := c.Obtain(t.Context(), Standing(HTTP01), nil, nil)
		if err == nil || !strings.Contains(strings.Join(problem.Explain(err).Do, " "), info.Terms) || problem.KindOf(err) != problem.Usage {
			t.Errorf("%q: %v", said, err)
		}
	}
	if _, found, _ := c.Store.Account(p.Directory); found {
		t.Error("an account was made without agreement")
	}
	c.Order.Terms = info.Terms
	if _, err := c.AccountURL(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// TestExternalAccount: the key is taken in each shape that authorities and clipboards
// give it, and stands in no error, file or print.
func TestExternalAccount(t *testing.T) {
	t.Parallel()
	const id, mac = "kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	p := peers.StartPebble(t, peers.PebbleOptions{Bindings: map[string]string{id: mac}})
	c := client(t, p, store.Order{Names: []string{"git.example.test"}, Challenge: HTTP01})
	if _, err := c.Obtain(t.Context(), Standing(HTTP01), nil, nil); err == nil || !strings.Contains(strings.Join(problem.Explain(err).Do, " "), "--acme-eab-id") {
		t.Errorf("without one: %v", err)
	}
	bound := privateDir(t)
	if err := os.WriteFile(filepath.Join(bound, "mac"), []byte(mac), 0o600); err != nil {
		t.Fatal(err)
	}
	for shape, text := range map[string]string{"plain": mac, "padded": mac + "==", "folded": mac[:20] + "\n " + mac[20:] + "\r\n", "wrong": "AAAA" + mac[4:]} {
		file := filepath.Join(privateDir(t), "mac")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := ReadBinding(id, file)
		if err != nil {
			t.Fatalf("%s: %v", shape, err)
		}
		c := client(t, p, c.Order)
		_, err = c.AccountURL(t.Context(), b)
		if (err != nil) != (shape == "wrong") {
			t.Errorf("%s: %v", shape, err)
		}
		if text := fmt.Sprintf("%v %+v %#v %v", b, b, b, err); strings.Contains(text, mac[4:30]) {
			t.Errorf("%s: the key is shown: %s", shape, text)
		}
		_ = filepath.WalkDir(c.Store.StateDir, func(path string, _ os.DirEntry, _ error) error {
			if data, err := os.ReadFile(path); err == nil && bytes.Contains(data, []byte(mac[4:30])) {
				t.Errorf("%s: the key lies in %s", shape, path)
			}
			return nil
		})
	}
	b, err := ReadBinding(id, filepath.Join(bound, "mac"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.AccountURL(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	kept, _, _ := c.Store.Account(p.Directory)
	lost := kept
	lost.URL += "lost"
	if err := c.Store.SaveAccount(lost); err != nil {
		t.Fatal(err)
	}
	_, err = c.Obtain(t.Context(), respond(t, c, p), nil, nil)
	if err == nil || !strings.Contains(err.Error(), lost.URL) || !strings.Contains(strings.Join(problem.Explain(err).Do, " "), "--acme-eab-id") {
		t.Errorf("an account that the authority does not know: %v", err)
	}
	if a, found, err := c.Store.Account(p.Directory); a.URL != lost.URL || !found {
		t.Errorf("it is forgotten, without a binding for another: %+v, %v", a, err)
	}
	bad := filepath.Join(privateDir(t), "mac")
	for _, text := range []string{"", "no base64!", "QUJD"} {
		if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadBinding(id, bad); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// TestRefusals: what an authority says no with reaches a person in its own words, with
// what it answered and what to do.
func TestRefusals(t *testing.T) {
	t.Parallel()
	p := peers.StartPebble(t, peers.PebbleOptions{})
	for _, c := range []struct {
		what, found, do string
		order           store.Order
		prepare         func(c *Client) Solver
	}{
		{what: "nobody answers", order: store.Order{Names: []string{"git.example.test"}}, found: "the challenge for git.example.test", do: "port 80"},
		{what: "another account answers", order: store.Order{Names: []string{"git.example.test"}}, found: "the challenge for git.example.test", do: "every address", prepare: func(*Client) Solver {
			other := client(t, p, store.Order{})
			return respond(t, other, p)
		}},
		{what: "the authority does not issue for it", order: store.Order{Names: []string{"git.blocked.example"}}, found: "git.blocked.example", do: "another authority"},
		{what: "no such profile", order: store.Order{Names: []string{"git.example.test"}, Profile: "gold"}, found: "gold", do: "--acme-profile"},
	} {
		c.order.Challenge = HTTP01
		cl := client(t, p, c.order)
		solver := Solver(Standing(HTTP01))
		if c.prepare != nil {
			solver = c.prepare(cl)
		}
		_, err := cl.Obtain(t.Context(), solver, nil, nil)
		var told *problem.Error
		if !errors.As(err, &told) {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		said := problem.Explain(err)
		if !strings.Contains(err.Error(), c.found) || !strings.Contains(strings.Join(said.Do, " "), c.do) {
			t.Errorf("%s:\n%v\nwhy %q\ndo %q", c.what, err, said.Why, said.Do)
		}
		if r, is := solver.(*Responder); is {
			r.Close()
		}
	}
}

// TestOutOfOrder: busy and broken authorities, and what is none at all.
func TestOutOfOrder(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	again := "3600"
	answers := http.NewServeMux()
	answers.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", again)
		w.WriteHeader(429)
		fmt.Fprint(w, `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many of these, see the manual","status":429}`)
	})
	answers.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		block := bytes.Repeat([]byte(" "), 64<<10)
		for range 512 {
			if _, err := w.Write(block); err != nil {
				return
			}
			sent.Add(1)
		}
	})
	answers.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>welcome</html>") })
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("User-Agent"), "bitgate/test") {
			t.Errorf("User-Agent %q", r.Header.Get("User-Agent"))
		}
		answers.ServeHTTP(w, r)
	}))
	defer s.Close()
	ca := filepath.Join(privateDir(t), "ca.pem")
	if err := os.WriteFile(ca, pemOf(s.Certificate().Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	ask := func(path string) (*Client, error) {
		c := &Client{
			Store: store.Store{StateDir: privateDir(t)}, Version: "test", Now: func() time.Time { return at },
			Order: store.Order{Names: []string{"git.example.test"}, Directory: s.URL + path, CAFile: ca, Challenge: HTTP01, Terms: AnyTerms},
		}
		_, err := c.Obtain(t.Context(), Standing(HTTP01), nil, nil)
		return c, err
	}
	_, err := ask("/busy")
	if until := RetryAfter(err); !until.Equal(at.Add(time.Hour)) || !strings.Contains(err.Error(), "too many of these") || !strings.Contains(strings.Join(problem.Explain(err).Do, ""), "2026-11-30 04:00 UTC") {
		t.Errorf("%v, again %v, %v", err, until, problem.Explain(err).Do)
	}
	for said, want := range map[string]time.Duration{"99999999": 8 * 24 * time.Hour, "Tue, 01 Dec 2026 03:00:00 GMT": 24 * time.Hour, "Fri, 31 Dec 2066 03:00:00 GMT": 8 * 24 * time.Hour} {
		again = said
		if _, err := ask("/busy"); !RetryAfter(err).Equal(at.Add(want)) {
			t.Errorf("%s: again %v", said, RetryAfter(err))
		}
	}
	if _, err := ask("/endless"); err == nil || !strings.Contains(err.Error(), "larger than 1024 KiB") || sent.Load() > 256 {
		t.Errorf("endless: %v after %d blocks", err, sent.Load())
	}
	if _, err := ask("/page"); err == nil || len(problem.Explain(err).Do) == 0 {
		t.Errorf("a page: %v", err)
	}
}

// TestHooks: DNS-01 through a program: cleaned up after success and failure, a hook
// that fails, hangs or does nothing is named with its last words.
func TestHooks(t *testing.T) {
	t.Setenv("https_proxy", "http://proxy.corp.example:3128") // as the shell of an administrator has it; loopback is never asked through it
	p := peers.StartPebble(t, peers.PebbleOptions{})
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", p.DNS)
	}}
	order := store.Order{Names: []string{"*.example.test", "example.test"}, Challenge: DNS01}
	c := client(t, p, order)
	got, err := c.Obtain(t.Context(), Hook{Program: p.DNSHook(t), Resolver: resolver}, nil, nil)
	if err != nil || len(got.Leaf.DNSNames) != 2 {
		t.Fatal(got, err)
	}
	if values, _ := resolver.LookupTXT(t.Context(), "_acme-challenge.example.test."); len(values) != 0 {
		t.Errorf("left behind: %v", values)
	}
	dir := privateDir(t)
	calls := filepath.Join(dir, "calls")
	for what, body := range map[string]string{
		"exit 3":       "echo first\necho the zone is locked\nexit 3",
		"hangs":        "sleep 60",
		"does nothing": "exit 0",
		"a proxy":      "echo the way out is $https_proxy\nexit 4",
	} {
		_ = os.Remove(calls)
		hook := filepath.Join(dir, "hook")
		if err := peers.WriteProgram(hook, []byte("#!/bin/sh\necho $1 >>"+calls+"\n[ $1 = cleanup ] && exit 0\n"+body+"\n")); err != nil {
			t.Fatal(err)
		}
		c := client(t, p, order)
		c.Order.Names = []string{"git.example.test"}
		_, err := c.Obtain(t.Context(), Hook{Program: hook, Resolver: resolver, Timeout: map[string]time.Duration{"hangs": time.Second}[what], Patience: -1}, nil, nil)
		said := problem.Explain(err)
		text := strings.Join(slices.Concat([]string{fmt.Sprint(err)}, said.Why, said.Do), " ")
		want := map[string]string{"exit 3": "the zone is locked", "hangs": "did not end within 1s", "does nothing": "_acme-challenge.git.example.test", "a proxy": "the way out is http://proxy.corp.example:3128"}[what]
		if err == nil || !strings.Contains(text, want) {
			t.Errorf("%s: %s", what, text)
		}
		if data, _ := os.ReadFile(calls); !strings.Contains(string(data), "cleanup") {
			t.Errorf("%s: never cleaned up: %q", what, data)
		}
	}
}

// TestPersistRecord: the record stands, and nothing is presented.
func TestPersistRecord(t *testing.T) {
	t.Parallel()
	p := peers.StartPebble(t, peers.PebbleOptions{})
	c := client(t, p, store.Order{Names: []string{"git.example.test"}, Challenge: DNSPersist01})
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Identities) == 0 {
		t.Fatal("Pebble has no identity")
	}
	account, err := c.AccountURL(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	fqdn, value, err := PersistRecord("git.example.test", info.Identities[0], account)
	if err != nil || fqdn != "_validation-persist.git.example.test" || !strings.Contains(value, "accounturi="+account) {
		t.Fatal(fqdn, value, err)
	}
	if _, err := c.Obtain(t.Context(), Standing(DNSPersist01), nil, nil); err == nil || !strings.Contains(strings.Join(problem.Explain(err).Do, " "), fqdn+`. TXT "`+value+`"`) {
		t.Errorf("without the record: %v", err)
	}
	p.SetDNS(t, "/set-txt", map[string]string{"host": fqdn + ".", "value": value})
	if _, err := c.Obtain(t.Context(), Standing(DNSPersist01), nil, nil); err != nil {
		t.Errorf("with it: %v", err)
	}
}

// TestAccountBeforeTheRecord: where DNS must name the account, it is made and told before
// anything is ordered; a rehearsal under another account says nothing of such an order.
func TestAccountBeforeTheRecord(t *testing.T) {
	t.Parallel()
	p, d := peers.StartPebble(t, peers.PebbleOptions{}), peers.StartDNS(t)
	d.Host("git.example.test", "127.0.0.1")
	d.CAA("bound.test", 0, "issue", "pebble.letsencrypt.org; accounturi=https://ca.test/other")
	for what, o := range map[string]struct {
		order  store.Order
		record string // "" where DNS names no account
	}{
		"a standing record": {store.Order{Names: []string{"git.example.test"}, Challenge: DNSPersist01}, "_validation-persist.git.example.test. TXT "},
		"CAA":               {store.Order{Names: []string{"git.bound.test"}, Challenge: DNS01}, "bound.test. CAA 0 issue "},
		"neither":           {store.Order{Names: []string{"git.example.test"}, Challenge: DNS01}, ""},
	} {
		c := client(t, p, o.order)
		c.DNS = d.Address
		err := c.Orderable(t.Context(), nil)
		kept, found, serr := c.Store.Account(p.Directory)
		if serr != nil || found != (o.record != "") || (err != nil) != found {
			t.Fatalf("%s: %v, an account %t, %v", what, err, found, serr)
		}
		if said := strings.Join(problem.Explain(err).Do, " "); found && (!strings.Contains(said, o.record) || !strings.Contains(said, "accounturi="+kept.URL)) {
			t.Errorf("%s: %s", what, said)
		}
		if err := c.Orderable(t.Context(), nil); err != nil {
			t.Errorf("%s, again: %v", what, err)
		}
	}
	if strings.Contains(p.Output(), "Added order") {
		t.Errorf("something was ordered:\n%s", p.Output())
	}

	c := client(t, p, store.Order{Names: []string{"git.ours.test"}, Challenge: DNS01})
	c.DNS = d.Address
	url, err := c.AccountURL(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	refused := problem.Wrap(&refusal{Problem: acme.Problem{Type: acme.ProblemTypeCAA, Resource: acme.Authorization{}}}, "refused", "", "")
	if c.ForOthersAlone(t.Context(), refused) {
		t.Error("without a record, an order would be refused too")
	}
	d.CAA("ours.test", 0, "issue", "pebble.letsencrypt.org; accounturi="+url)
	if !c.ForOthersAlone(t.Context(), refused) {
		t.Error("the record lets the account of ours order")
	}
	c.Order.Names = []string{"git.bound.test"}
	if c.ForOthersAlone(t.Context(), refused) {
		t.Error("the record lets another account order alone")
	}
}

// TestFolder: the challenge of tls-alpn-01 is made in a folder that nobody made before,
// for the proxy's user to read, and nothing is left of it.
func TestFolder(t *testing.T) {
	f := Folder{Dir: filepath.Join(privateDir(t), "challenges"), Group: -1}
	c := acme.Challenge{Type: TLSALPN01, Identifier: acme.Identifier{Type: "ip", Value: "127.0.0.1"}, KeyAuthorization: "token.thumbprint"}
	if err := f.Present(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{f.Dir: os.ModeDir | 0o755, f.Dir + "/1.0.0.127.in-addr.arpa.pem": 0o644} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if err := f.CleanUp(t.Context(), c); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(f.Dir); !os.IsNotExist(err) {
		t.Errorf("left behind: %v", err)
	}
}

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestServerName(t *testing.T) {
	for id, want := range map[string]string{
		"Git.Example.COM": "git.example.com", "127.0.0.1": "1.0.0.127.in-addr.arpa",
		"2001:db8::1": "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
	} {
		if got := ServerName(id); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}

// TestCutInTheMiddle: where the authority has answered before, nobody is sent to look
// whether it can be reached.
func TestCutInTheMiddle(t *testing.T) {
	authority := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cut" {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
	}))
	defer authority.Close()
	c := &Client{Order: store.Order{Directory: authority.URL}, talk: newTransport(nil, time.Now)}
	if _, do := c.unreachable(io.EOF); !strings.Contains(do, "reaches") {
		t.Error(do)
	}
	client := http.Client{Transport: c.talk, Timeout: time.Minute}
	resp, err := client.Get(authority.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp, err := client.Get(authority.URL + "/cut"); err == nil {
		resp.Body.Close()
		t.Fatal("the connection was not cut")
	}
	if why, do := c.unreachable(io.EOF); !strings.Contains(why, "lost in the middle") || strings.Contains(do, "reaches") {
		t.Error(why, do)
	}
}
