package order

import (
	"bytes"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/certs/acme"
	"bitgate/certs/store"
	"bitgate/internal/peers"
	"bitgate/setup"
	"bitgate/setup/apply"
)

// refusesByCAA is an authority in whose words each failed validation is a refusal for a
// CAA record, as Let's Encrypt's staging says it of a record with another account's URL.
func refusesByCAA(t *testing.T, p *peers.Pebble) *httptest.Server {
	t.Helper()
	to, err := url.Parse(p.Directory)
	must(t, err)
	to.Path = ""
	s := httptest.NewTLSServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host },
		Transport: &http.Transport{TLSClientConfig: insecure()},
		ModifyResponse: func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			body = bytes.ReplaceAll(body, []byte("acme:error:connection"), []byte("acme:error:caa"))
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			r.Header.Del("Content-Length")
			return err
		},
	})
	t.Cleanup(s.Close)
	return s
}

// TestRehearsalUnderAnotherAccount: a CAA record that lets the account of the order issue,
// and not that of the rehearsal, keeps no order from being made; without it the refusal
// counts.
func TestRehearsalUnderAnotherAccount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: port 80 needs root")
	}
	peers.Need(t, "ip")
	must(t, exec.Command("ip", "link", "set", "lo", "up").Run())
	authority := peers.StartPebble(t, peers.PebbleOptions{HTTPPort: 80, DNS: "127.0.0.1:53"})
	resolve(t)
	tried := peers.StartPebble(t, peers.PebbleOptions{}) // whose port for validations is nobody's
	staging := refusesByCAA(t, tried)
	dir := t.TempDir()
	var roots []byte
	for _, p := range []*peers.Pebble{authority, tried} {
		root, err := os.ReadFile(p.CAFile)
		must(t, err)
		roots = append(roots, root...)
	}
	roots = append(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: staging.Certificate().Raw})...)
	ca := filepath.Join(dir, "roots.pem")
	must(t, os.WriteFile(ca, roots, 0o600))
	o := setup.Order{Names: []string{host}, Directory: authority.Directory, Challenge: setup.HTTP01, KeyType: "ecdsa", CAFile: ca, Terms: setup.AgreeTerms}
	plan := setup.Plan{Format: setup.PlanFormat, Steps: []setup.Step{{Changes: []setup.Change{{
		Phase: setup.PhaseObtain, Obtain: &setup.ObtainChange{Order: o, Answer: []string{"127.0.0.1:80"}, Rehearsal: staging.URL + "/dir"},
	}}}}}
	var said strings.Builder
	a := &apply.Applier{StateDir: filepath.Join(dir, "state"), Notify: func(e setup.Event) { said.WriteString(e.Text + "\n") }}
	c := acme.Client{Store: store.Store{StateDir: a.StateDir}, Order: store.Order(o)}
	account, err := c.AccountURL(t.Context(), nil)
	must(t, err)
	if _, err := a.Apply(t.Context(), plan); err == nil || !strings.Contains(err.Error(), "no order was made") || strings.Contains(authority.Output(), "Added order") {
		t.Errorf("a refusal for no such record: %v\n%s", err, said.String())
	}
	authority.SetDNS(t, "/add-caa", map[string]any{"host": host + ".", "policies": []map[string]string{{"tag": "issue", "value": "pebble.letsencrypt.org; accounturi=" + account}}})
	if _, err := a.Apply(t.Context(), plan); err != nil || !strings.Contains(said.String(), "the rehearsal told nothing") || !strings.Contains(authority.Output(), "Issued certificate") {
		t.Errorf("with the record: %v\n%s", err, said.String())
	}
}
