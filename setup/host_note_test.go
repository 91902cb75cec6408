package setup

import (
	"testing"

	"bitgate/internal/atomicfile"
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
