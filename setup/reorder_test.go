package setup

import (
	"strings"
	"testing"

	"bitgate/internal/atomicfile"
	"bitgate/internal/publicurl"
)

// TestChangedOrderIsPlanned: whatever of an order the answers change, and whether a
// certificate is ordered at all, is a change of its own where none is ordered now; what
// was agreed to stays agreed to.
func TestChangedOrderIsPlanned(t *testing.T) {
	u, err := publicurl.Parse("https://git.example.com")
	if err != nil {
		t.Fatal(err)
	}
	now := Answers{URL: u, Front: FrontBuiltin, Listen: []string{":443"}, ProxyConfig: "/etc/bitgate/proxy.yaml", ACME: "letsencrypt", ACMETerms: "https://terms.test/"}
	for name, c := range map[string]struct {
		change func(*Answers)
		text   string // of the change, "" for none
	}{
		"nothing":          {func(*Answers) {}, ""},
		"terms left out":   {func(a *Answers) { a.ACMETerms = "" }, ""},
		"other terms":      {func(a *Answers) { a.ACMETerms = AgreeTerms }, "have renewals ordered from"},
		"tls-alpn-01":      {func(a *Answers) { a.ACMEChallenge = TLSALPN01 }, "(tls-alpn-01), until now from https://acme-v02.api.letsencrypt.org/directory (http-01)"},
		"dns-01":           {func(a *Answers) { a.ACMEHook = "/hook" }, "(dns-01, hook /hook)"},
		"a CA file":        {func(a *Answers) { a.CAFile = "/ca.pem" }, "trusting /ca.pem"},
		"no order":         {func(a *Answers) { a.ACME, a.PEM = "", "/site.pem" }, "ordered no longer"},
		"a profile as now": {func(a *Answers) { a.ACMEProfile = "" }, ""},
	} {
		b := &builder{a: now, f: Facts{ProxyConfig: atomicfile.File{Path: "/etc/bitgate/proxy.yaml"}}}
		b.deployment("/bundle.pem")
		was, _ := DeploymentOf(Plan{Answers: now, Deployment: b.plan.Deployment})
		old := was
		old.Order = nil // as plans of before have it
		before, _ := DeploymentOf(Plan{Answers: now, Deployment: &old})
		for _, d := range []Deployment{was, before} {
			b := &builder{a: now, f: Facts{ProxyConfig: atomicfile.File{Path: "/etc/bitgate/proxy.yaml"}, Deployed: &d}}
			c.change(&b.a)
			b.deployment("/bundle.pem")
			s := Step{}
			b.reorder(&s)
			switch {
			case c.text == "" && len(s.Changes) > 0 || c.text != "" && (len(s.Changes) != 1 || !strings.Contains(s.Changes[0].Text(), c.text)):
				t.Errorf("%s: %+v", name, s.Changes)
			case name == "tls-alpn-01" && b.plan.Deployment.Order.Challenges != "/etc/bitgate/acme-challenges":
				t.Errorf("%s: %+v", name, b.plan.Deployment.Order)
			case name == "terms left out" && b.plan.Deployment.Order.Terms != now.ACMETerms:
				t.Errorf("%s: %+v", name, b.plan.Deployment.Order)
			}
		}
	}
}
