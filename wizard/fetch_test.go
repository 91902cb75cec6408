package wizard

import (
	"context"
	"strings"
	"testing"

	"bitgate/cmd/bitgate/view"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// TestFetchChainNeedsConsent: the address is shown, nothing is fetched without a yes, a
// failure is told and asked about again, and a bundle file gives way to certificate and
// chain.
func TestFetchChainNeedsConsent(t *testing.T) {
	for name, c := range map[string]struct {
		lines, said string
		fails       bool
		chain       string
	}{
		"no by default": {"\n\n", "[No]", false, ""},
		"a wrong word":  {"sure\nno\n\n", `"sure" is not one of no, public, private`, false, ""},
		"yes":           {"2\n\n", "ok  fetched CN=Inner", false, "/var/lib/bitgate/certificates/names/git.example.com/chain.pem"},
		"it fails":      {"2\nno\n\n", "x   could not be fetched", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := standardMachine()
			m.missing = aia
			if c.fails {
				m.noFetch = problem.New("could not be fetched", "", "get it by hand")
			}
			fetched := 0
			b := m.backend()
			fetch, detect := b.FetchChain, b.Detect
			b.FetchChain = func(ctx context.Context, a setup.Answers, private bool) (string, string, error) {
				fetched++
				return fetch(ctx, a, private)
			}
			b.Detect = func(ctx context.Context, input setup.Answers) (setup.Facts, error) {
				if input.PEM != "" { // is one file with all
					input.Cert, input.PEM = input.PEM, ""
					f, err := detect(ctx, input)
					f.Scope.Cert.PEM, f.Scope.Cert.Cert = f.Scope.Cert.Cert, ""
					return f, err
				}
				return detect(ctx, input)
			}
			var out strings.Builder
			given := setup.Answers{PEM: "/all.pem"}
			src := setup.Sources{"pem": {From: setup.FromFlag}}
			outcome, err := Plain(t.Context(), strings.NewReader("git.example.com\nadmin\ncorrect horse\n"+c.lines+"no\n"), &out, b, given, src, Options{View: &view.Text{W: &out, Width: 80}})
			if err != nil || !strings.Contains(out.String(), aia) || !strings.Contains(out.String(), c.said) {
				t.Fatalf("%v\n%s", err, out.String())
			}
			a, yes := outcome.Answers, strings.Contains(c.lines, "2")
			if a.Chain != c.chain || fetched > 0 != yes || (a.PEM == "") != (c.chain != "") || a.Cert+a.PEM != "/all.pem" {
				t.Errorf("fetched %d times, %+v", fetched, a)
			}
		})
	}
}
