package setup

import (
	"strings"
	"testing"

	"bitgate/internal/atomicfile"
	"bitgate/internal/edge"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
)

// A name that our front serves today and will not serve any more is told of.
func TestChangedHostNameIsTold(t *testing.T) {
	next, err := publicurl.Parse("https://code.example.com")
	if err != nil {
		t.Fatal(err)
	}
	const ours = "url: https://git.example.com\nlisten: [':443']\nupstream: http://127.0.0.1:7990\npem: /p.pem\n"
	for name, c := range map[string]struct {
		base, proxy string
		skip        []string
		told        bool
	}{
		"our front":             {"https://git.example.com", ours, nil, true},
		"another path only":     {"https://code.example.com/old", ours, nil, false},
		"no front of ours":      {"https://git.example.com", "", nil, false},
		"a front elsewhere":     {"https://git.example.com", ours, []string{StepHAProxy}, false},
		"before the first run":  {"http://git.example.com:7990", "", nil, false},
		"a base URL not known ": {"", ours, nil, false},
	} {
		b := builder{
			f: Facts{Instance: Instance{BaseURL: Known{Value: c.base, Set: c.base != ""}}, ProxyConfig: atomicfile.File{Path: "/proxy.yaml", Data: []byte(c.proxy)}},
			a: Answers{URL: next, Skip: c.skip},
		}
		b.hostNote()
		if (len(b.plan.Notes) > 0) != c.told {
			t.Errorf("%s: %+v", name, b.plan.Notes)
		}
	}
}

// What becomes of the former name depends on the front and on the names of the
// certificate.
func TestFormerHostNameIsSentOn(t *testing.T) {
	next, err := publicurl.Parse("https://code.example.com")
	if err != nil {
		t.Fatal(err)
	}
	both, one := []string{"code.example.com", "GIT.example.com"}, []string{"code.example.com"}
	for name, c := range map[string]struct {
		names, sent []string
		front       string
		level       problem.Level
		says        string
	}{
		"a certificate for both":            {both, nil, FrontHAProxy, problem.Warn, "--redirect-host git.example.com"},
		"one for any name":                  {[]string{"*.example.com"}, nil, FrontBuiltin, problem.Warn, "--redirect-host git.example.com"},
		"a certificate for the new one":     {one, nil, FrontHAProxy, problem.Warn, "have a certificate issued that names both"},
		"sent on":                           {both, []string{"Git.Example.com"}, FrontHAProxy, problem.Note, "sent on"},
		"sent on, and the name is not held": {one, []string{"git.example.com"}, FrontHAProxy, problem.Warn, "does not name it"},
		"without a front":                   {both, nil, FrontTomcat, problem.Warn, "keep something that redirects"},
	} {
		b := builder{
			f: Facts{
				Instance:    Instance{BaseURL: Known{Value: "https://git.example.com", Set: true}},
				ProxyConfig: atomicfile.File{Path: "/proxy.yaml", Data: []byte("url: https://git.example.com\nlisten: [':443']\nupstream: http://127.0.0.1:7990\npem: /p.pem\n")},
				Certificate: Certificate{Names: c.names},
			},
			a: Answers{URL: next, Front: c.front, Settings: edge.Settings{RedirectHosts: c.sent}},
		}
		b.hostNote()
		if len(b.plan.Notes) != 1 || b.plan.Notes[0].Level != c.level || !strings.Contains(b.plan.Notes[0].Found+" "+b.plan.Notes[0].Do, c.says) {
			t.Errorf("%s: %+v", name, b.plan.Notes)
		}
	}
}
