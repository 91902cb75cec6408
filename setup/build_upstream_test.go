package setup

import (
	"slices"
	"strings"
	"testing"

	"bitgate/bitbucket"
	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/tomcat"
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

// A context path that something beside the file sets is the one that Bitbucket has: who
// wants it has nothing to do, and another is refused with the place, for no run could set
// it. Other spellings in the file count, too.
func TestContextPathBesideTheFile(t *testing.T) {
	const env, unit, d = "environment of process 5, SERVER_CONTEXT_PATH", "unit /etc/systemd/system/bitbucket.service, line 3, SERVER_CONTEXT_PATH", "command line of process 5, -Dserver.context-path"
	at := func(pairs ...string) (all []bitbucket.Override) {
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, bitbucket.Override{Key: "server.context-path", Where: pairs[i], Value: pairs[i+1]})
		}
		return all
	}
	for name, c := range map[string]struct {
		file      string
		overrides []bitbucket.Override
		instance  string // the path that answers
		want      string
		skipped   string // "" for an edit
		refused   string // where
	}{
		"the environment, the root is wanted":    {"", at(env, "/bitbucket"), "/bitbucket", "", "", env},
		"the environment, another is wanted":     {"", at(env, "/bitbucket"), "/bitbucket", "/git", "", env},
		"the environment, it is wanted":          {"", at(env, "/bitbucket"), "/bitbucket", "/bitbucket", "already as wanted", ""},
		"in a spelling of people":                {"", at(env, "bitbucket/"), "/bitbucket", "/bitbucket", "already as wanted", ""},
		"the environment says root":              {"server.context-path=/old\n", at(env, "/"), "", "", "root context", ""},
		"-D over the environment":                {"", at(env, "/git", d, "/old"), "/old", "/git", "", d},
		"-D over the environment, it is wanted":  {"", at(env, "/old", d, "/git"), "/git", "/git", "already as wanted", ""},
		"a unit that was mended since the start": {"", at(unit, "/git", env, "/old"), "/old", "/git", "already as wanted", ""},
		"a unit that was broken since the start": {"", at(unit, "/old", env, "/git"), "/git", "/git", "", unit},
		"a placeholder that stands for it":       {"", at(env, "${CTX}"), "/git", "/git", "already as wanted", ""},
		"a placeholder":                          {"", at(env, "${CTX}"), "/old", "/git", "", env},
		"another spelling in the file":           {"server.contextPath=/bitbucket\n", nil, "/bitbucket", "", "", ""},
		"the root in another spelling":           {"server.context_path=/\n", nil, "", "", "root context", ""},
		"nothing":                                {"", nil, "", "", "root context", ""},
	} {
		url, err := publicurl.Parse("https://git.example.com" + c.want)
		if err != nil {
			t.Fatal(err)
		}
		f := Facts{
			Bitbucket: bitbucket.Install{Overrides: c.overrides}, Layout: bitbucket.Layout{Properties: "/h/bitbucket.properties"},
			Properties: atomicfile.File{Path: "/h/bitbucket.properties", Data: []byte(c.file)},
			Instance:   Instance{State: bitbucket.Running, Upstream: "http://127.0.0.1:7990", Base: "http://127.0.0.1:7990" + c.instance},
		}
		b := builder{f: f, a: Answers{URL: url, Upstream: "http://127.0.0.1:7990"}}
		s, err := b.contextPath(Step{ID: StepContextPath})
		if (err != nil) != (c.refused != "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		if edits := len(s.Changes) > 0; edits != (c.skipped == "") || !strings.Contains(s.Skipped, c.skipped) || len(b.plan.Pending) > 0 {
			t.Errorf("%s: %d changes, skipped %q, pending %q", name, len(s.Changes), s.Skipped, b.plan.Pending)
		}
	}
}

// What beats the file is named where it is: each place that says another value, down to
// one that is right.
func TestEveryOverrideIsNamed(t *testing.T) {
	const unit, env, d, json = "unit /u, line 3, SERVER_PROXY_NAME", "environment of process 5, SERVER_PROXY_NAME", "command line of process 5, -Dserver.proxy-name", "environment of process 5, SPRING_APPLICATION_JSON"
	for name, c := range map[string]struct {
		overrides []string // where and value
		pending   string   // places, by blanks
	}{
		"the unit is right, -D is not":          {[]string{unit, "git", d, "old"}, d},
		"-D is right":                           {[]string{unit, "old", d, "git"}, ""},
		"both are wrong":                        {[]string{unit, "old", d, "older"}, d + "; " + unit},
		"the unit was mended since the start":   {[]string{unit, "git", env, "old"}, ""},
		"JSON is right, and says what the unit": {[]string{unit, "git", d, "old", json, "git"}, ""},
	} {
		b := builder{f: Facts{Properties: atomicfile.File{Path: "/h/bitbucket.properties", Data: []byte("server.proxy-name=old\n")}}}
		for i := 0; i < len(c.overrides); i += 2 {
			b.f.Bitbucket.Overrides = append(b.f.Bitbucket.Overrides, bitbucket.Override{Key: "server.proxy-name", Where: c.overrides[i], Value: c.overrides[i+1]})
		}
		s, err := b.setProperties(Step{ID: StepConnector}, []tomcat.Property{{Key: "server.proxy-name", Value: "git"}})
		var places []string
		for _, text := range b.plan.Pending {
			where, _, _ := strings.Cut(text, " overrides ")
			places = append(places, where)
		}
		if err != nil || strings.Join(places, "; ") != c.pending || len(s.Changes) > 0 {
			t.Errorf("%s: %v, %d changes, pending %q", name, err, len(s.Changes), b.plan.Pending)
		}
	}
}
