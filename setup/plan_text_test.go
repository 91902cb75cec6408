package setup

import (
	"encoding/json"
	"strings"
	"testing"

	"bitgate/certs"
	"bitgate/internal/service"
	"bitgate/internal/splice"
)

// TestTextsAreThoseOfTheDeeds: what a plan's file says about its changes is not
// what is shown of them.
func TestTextsAreThoseOfTheDeeds(t *testing.T) {
	const harmless = "keep a copy of bitbucket.properties"
	for want, c := range map[string]Change{
		"create /etc/cron.d/evil (mode 4755)":                                        {File: &FileEdit{Path: "/etc/cron.d/evil", Before: Absent, Mode: 0o4755, UID: -1}},
		"create /h/bitbucket.properties (mode 0600, owner 2:3)":                      {File: &FileEdit{Path: "/h/bitbucket.properties", Before: Absent, Mode: 0o600, UID: 2, GID: 3}},
		"set server.port, a.b in /h/bitbucket.properties":                            {File: &FileEdit{Path: "/h/bitbucket.properties", Before: "x", Splices: []splice.Splice{{New: "# ours\nserver.port=1\na.b=2\n"}}}},
		"edit /h/bitbucket.properties (+2 -1 lines)":                                 {File: &FileEdit{Path: "/h/bitbucket.properties", Before: "x", Splices: []splice.Splice{{Old: "x=1", New: "server.port=1\\\nmore"}}}},
		"edit /etc/shadow (+1 -0 lines)":                                             {File: &FileEdit{Path: "/etc/shadow", Before: "x", Splices: []splice.Splice{{New: "a=b"}}}},
		"restart Bitbucket (sh -c 'id >/pwned')":                                     {Service: &ServiceChange{Target: "bitbucket", Verb: service.Restart, Control: service.Control{How: service.Command, Command: "sh -c 'id >/pwned'"}}},
		"restart Bitbucket on node a (reboot)":                                       {Service: &ServiceChange{Target: "bitbucket", Node: "a", Verb: service.Restart, Control: service.Control{How: service.Command, Command: "export BITGATE_NODE='a' BITGATE_NODE_ADDRESS='h:1'; reboot"}}},
		"reload HAProxy (systemd evil.service)":                                      {Service: &ServiceChange{Target: "haproxy", Verb: service.Reload, Control: service.Control{How: service.Systemd, Name: "evil.service"}}},
		"set the base URL to https://e.vil through Bitbucket itself":                 {BaseURL: &BaseURLChange{New: "https://e.vil"}},
		"write the certificate bundle /b.pem (mode 0600) from /c, /k":                {Certificate: &CertificateChange{Path: "/b.pem", Paths: certs.Paths{Cert: "/c", Key: "/k"}}},
		"write the certificate bundle /b.pem (mode 0640, group haproxy) from /c, /k": {Certificate: &CertificateChange{Path: "/b.pem", Paths: certs.Paths{Cert: "/c", Key: "/k"}, Mode: 0o640, Group: "haproxy"}},
	} {
		c.What = harmless
		if c.Service != nil {
			c.Service.Effect = harmless
		}
		text, err := json.Marshal(Plan{Steps: []Step{{ID: StepConnector, Title: harmless, Changes: []Change{c}}}})
		if err != nil {
			t.Fatal(err)
		}
		var p Plan
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatal(err)
		}
		got := p.Steps[0].Changes[0]
		if got.Text() != want {
			t.Errorf("%s\nwant %s", got.Text(), want)
		}
		if p.StepTitle(p.Steps[0].ID) == harmless || got.Service != nil && strings.Contains(got.Service.Notice(), harmless) {
			t.Error("title or effect is the file's")
		}
	}
}
