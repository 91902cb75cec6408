package live_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"bitgate/certs/acme"
	"bitgate/certs/store"
	"bitgate/haproxy"
	"bitgate/internal/peers"
)

// TestIssuedThroughHAProxy: an authority's http-01 is answered by the rule: in
// frontends of ours, in one of the administrator's that redirects all it gets, and
// with nothing but the rule added. Other names of that frontend are not answered for.
func TestIssuedThroughHAProxy(t *testing.T) {
	for _, in := range everyHAProxy(t) {
		if !in.Version.AtLeast(2, 2) {
			continue
		}
		t.Run(in.Version.Text, func(t *testing.T) { issuedThrough(t, in.Bin, in.Version) })
	}
}

func issuedThrough(t *testing.T, bin string, version haproxy.Version) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	kept := store.Store{StateDir: dir}
	if _, err := kept.EnsureAccountKey(); err != nil {
		t.Fatal(err)
	}
	thumbprint, err := acme.Thumbprint(kept)
	if err != nil {
		t.Fatal(err)
	}
	plain, secure := peers.FreeAddress(t), peers.FreeAddress(t)
	_, port, _ := net.SplitHostPort(plain)
	httpPort, _ := strconv.Atoi(port)
	p := peers.StartPebble(t, peers.PebbleOptions{HTTPPort: httpPort})
	bundle, _ := certificate(t, "git.example.com")
	pem := filepath.Join(dir, "bundle.pem")
	if err := os.WriteFile(pem, bundle, 0o600); err != nil {
		t.Fatal(err)
	}
	const base = "defaults\n    mode http\n    timeout client 10s\n    timeout server 10s\n    timeout connect 10s\n"
	theirs := base + "frontend www\n    bind " + plain + "\n    http-request redirect scheme https code 301\n    redirect scheme https\n"
	s := haproxy.Site{
		URL: mustURL(t, "https://git.example.com/bitbucket"), Listen: []string{secure}, Bundle: pem, Upstream: peers.FreeAddress(t), MaxConn: 50,
		Thumbprint: thumbprint, Challenges: []string{plain}, Version: version,
	}
	_, securePort, _ := net.SplitHostPort(secure)
	for what, c := range map[string]struct {
		cfg      string
		redirect []string
		alone    bool
	}{
		"ours, redirecting":                  {base, []string{plain}, false},
		"ours, for challenges alone":         {base, nil, false},
		"the administrator's":                {theirs, []string{plain}, false},
		"the administrator's, only the rule": {theirs, nil, true},
	} {
		t.Run(what, func(t *testing.T) {
			site := s
			site.RedirectListen = c.redirect
			site.URL = mustURL(t, "https://git.example.com:"+securePort+"/bitbucket")
			set := haproxy.ParseSet([]haproxy.Source{{Path: filepath.Join(dir, "haproxy.cfg"), Data: []byte(c.cfg)}})
			var after []byte
			listens := []string{plain}
			if c.alone {
				all, err := set.MergeChallenge(site)
				if err != nil || len(all) != 1 {
					t.Fatal(all, err)
				}
				after = all[0].After
			} else {
				m, err := set.Merge(site)
				if err != nil {
					t.Fatal(err)
				}
				after, listens = m.After, append(listens, secure)
			}
			path := filepath.Join(t.TempDir(), "haproxy.cfg")
			if err := os.WriteFile(path, after, 0o600); err != nil {
				t.Fatal(err)
			}
			h := peers.StartHAProxyOf(t, bin, path, listens...)
			defer h.Stop()
			client := &acme.Client{Store: kept, Version: "test", Order: store.Order{Names: []string{"git.example.com"}, Directory: p.Directory, CAFile: p.CAFile, Challenge: acme.HTTP01, Profile: "classic", Terms: acme.AnyTerms}}
			if _, err := client.Obtain(t.Context(), acme.Standing(acme.HTTP01), nil, nil); err != nil {
				t.Fatalf("%v\n%s", err, after)
			}
			for host, answered := range map[string]bool{"git.example.com": true, "www.example.com": strings.HasPrefix(what, "ours")} {
				for token, is := range map[string]bool{strings.Repeat("t", 43): true, "short": false, strings.Repeat("t", 257): false, strings.Repeat("t", 20) + "%0d%0a": false} {
					if got := challenged(t, plain, host, token) == token+"."+thumbprint; got != (answered && is) {
						t.Errorf("%s, %s: answered %t", host, token, got)
					}
				}
			}
		})
	}
}

// challenged asks for a token and returns the answer, "" where there is none.
func challenged(t *testing.T, address, host, token string) string {
	t.Helper()
	client := &http.Client{Timeout: peers.Limit, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://%s/.well-known/acme-challenge/%s", address, token), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return ""
	}
	var body [1024]byte
	n, _ := resp.Body.Read(body[:])
	return string(body[:n])
}
