package setup

import (
	"slices"
	"strings"
	"testing"

	"bitgate/bitbucket"
	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
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

// --local-only of a connector that is bound to an address of this machine's leads the
// front to where it will listen; a connector that nobody else reaches is left as it is,
// and nobody is told that it is open.
func TestClosingThePort(t *testing.T) {
	env := []bitbucket.Override{{Key: "server.address", Where: "environment of process 5, SERVER_ADDRESS", Value: "192.0.2.10"}}
	for name, c := range map[string]struct {
		listens, found string // server.address, and where Bitbucket was found by it
		given          string // --upstream
		open           bool   // without --local-only
		overrides      []bitbucket.Override
		upstream       string // where the front is led, "" for a refusal
		address        string // that the connector gets
		told           bool   // that the port stays open
	}{
		"all addresses":             {"", "http://127.0.0.1:7990", "", false, nil, "http://127.0.0.1:7990", "127.0.0.1", false},
		"one of this machine":       {"192.0.2.10", "http://192.0.2.10:7990", "", false, nil, "http://127.0.0.1:7990", "127.0.0.1", false},
		"another loopback address":  {"127.0.0.2", "http://127.0.0.2:7990", "", false, nil, "http://127.0.0.2:7990", "127.0.0.2", false},
		"IPv6":                      {"::1", "http://[::1]:7990", "", false, nil, "http://[::1]:7990", "::1", false},
		"a name":                    {"bb.internal", "http://bb.internal:7990", "", false, nil, "http://127.0.0.1:7990", "127.0.0.1", false},
		"given otherwise":           {"192.0.2.10", "http://192.0.2.10:7990", "http://192.0.2.10:7990", false, nil, "", "", false},
		"the environment has it":    {"192.0.2.10", "http://192.0.2.10:7990", "", false, env, "", "", false},
		"open, all addresses":       {"", "http://127.0.0.1:7990", "", true, nil, "http://127.0.0.1:7990", "", true},
		"open, one of this machine": {"192.0.2.10", "http://192.0.2.10:7990", "", true, nil, "http://192.0.2.10:7990", "", true},
		"open, but for nobody":      {"127.0.0.2", "http://127.0.0.2:7990", "", true, nil, "http://127.0.0.2:7990", "", false},
	} {
		f := Facts{
			Port: Known{Value: "7990", Set: true}, Address: Known{Value: c.listens, Set: c.listens != ""}, Instance: Instance{Upstream: c.found},
			Bitbucket: bitbucket.Install{Overrides: c.overrides}, Layout: bitbucket.Layout{Properties: "/h/shared/bitbucket.properties"},
		}
		a, _ := Resolve(f, Answers{Upstream: c.given, LocalOnly: !c.open, Front: FrontHAProxy}, nil)
		b := builder{f: f, a: a}
		if err := b.closedPort(); err != nil {
			if c.upstream != "" || !strings.Contains(problemDo(err), "leave --local-only out") || (c.overrides != nil) != strings.Contains(problemDo(err), "SERVER_ADDRESS") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		b.considerations()
		told := slices.ContainsFunc(b.plan.Notes, func(f problem.Finding) bool { return strings.Contains(f.Found, "stays open to other machines") })
		if got := b.wantedConnector().Address; a.Upstream != c.upstream || got != c.address || told != c.told {
			t.Errorf("%s: the front is led to %s, the connector bound to %q, told %v", name, a.Upstream, got, told)
		}
	}
}
