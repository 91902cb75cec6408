package setup

import (
	"strings"
	"testing"

	"bitgate/bitbucket"
	"bitgate/internal/atomicfile"
)

// A front that speaks plain HTTP is not led to a connector with TLS, and the reason
// given is that.
func TestConnectorWithItsOwnTLS(t *testing.T) {
	tls := Known{Value: "true", Set: true, Why: "server.ssl.enabled=true in /h/bitbucket.properties, line 2"}
	for name, c := range map[string]struct {
		f        Facts
		upstream string
		skip     []string
		do       string // "" is no refusal
	}{
		"its only connector":      {Facts{OwnTLS: tls, Port: Known{Value: "8443", Set: true}}, "http://127.0.0.1:8443", nil, "--own-tls keep"},
		"with a plain one beside": {Facts{OwnTLS: tls, Port: Known{Value: "8443", Set: true}, PlainPort: "7991"}, "http://127.0.0.1:8443", nil, "--upstream http://127.0.0.1:7991"},
		"the plain one":           {Facts{OwnTLS: tls, Port: Known{Value: "8443", Set: true}, PlainPort: "7991"}, "http://127.0.0.1:7991", nil, ""},
		"server.xml":              {Facts{OwnTLS: tls, Port: Known{Value: "8443", Set: true}, Layout: bitbucket.Layout{ServerXML: "/h/server.xml"}, ServerXML: atomicfile.File{Path: "/h/server.xml"}}, "http://127.0.0.1:8443", nil, "--own-tls keep"},
		"no front here":           {Facts{OwnTLS: tls, Port: Known{Value: "8443", Set: true}}, "http://127.0.0.1:8443", []string{StepHAProxy}, ""},
		"plain":                   {Facts{Port: Known{Value: "7990", Set: true}}, "http://127.0.0.1:7990", nil, ""},
	} {
		b := builder{f: c.f, a: Answers{Upstream: c.upstream, Skip: c.skip}}
		err := b.ownTLS()
		if (err != nil) != (c.do != "") || err != nil && (!strings.Contains(err.Error(), "does TLS itself") || !strings.Contains(problemDo(err), c.do)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPropertiesOfStashAlone(t *testing.T) {
	b := builder{f: Facts{StashConfig: "/h/shared/stash-config.properties", Properties: atomicfile.File{Path: "/h/shared/bitbucket.properties", Absent: true}}}
	if err := b.stashConfig(); err == nil || !strings.Contains(err.Error(), "stash-config.properties") {
		t.Error(err)
	}
	b.a.Skip = []string{StepContextPath, StepConnector}
	if err := b.stashConfig(); err != nil {
		t.Error(err)
	}
}
