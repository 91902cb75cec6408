package bitbucket

import (
	"slices"
	"testing"
)

// Spring Boot's order: the command line, then JSON, -D, the environment.
func TestEffectiveOverride(t *testing.T) {
	env, d := Override{"server.port", "environment of process 5, SERVER_PORT", "1"}, Override{"server.port", "command line of process 5, -Dserver.port", "2"}
	json := Override{"server.port", "environment of process 5, SPRING_APPLICATION_JSON", "3"}
	line := Override{"server.port", "command line of process 5, --server.port", "4"}
	unitEnv := Override{"server.port", "unit /etc/systemd/system/bitbucket.service, line 3, SERVER_PORT", "5"}
	for want, all := range map[string][]Override{
		"1": {env}, "2": {env, d}, "3": {d, json, env}, "4": {json, line, d}, "5": {unitEnv}, "": {{"server.address", "x", "9"}},
	} {
		if got, ok := (Install{Overrides: all}).Effective("server.port"); got.Value != want || ok != (want != "") {
			t.Errorf("%+v: %+v", all, got)
		}
	}
	if got, _ := (Install{Overrides: []Override{unitEnv, env}}).Effective("server.port"); got != env {
		t.Errorf("a process that runs with another value than its unit has now: %+v", got)
	}
}

// What keeps a value from being is named down to where the value is said; a unit's counts
// before what its process was started with.
func TestOverridesAgainst(t *testing.T) {
	at := func(where, value string) Override { return Override{"server.proxy-name", where, value} }
	unit, env := "unit /etc/systemd/system/bitbucket.service, line 3, SERVER_PROXY_NAME", "environment of process 5, SERVER_PROXY_NAME"
	d, json := "command line of process 5, -Dserver.proxy-name", "environment of process 5, SPRING_APPLICATION_JSON"
	for name, c := range map[string]struct{ all, want []Override }{
		"nothing":             {nil, nil},
		"-D over a right one": {[]Override{at(unit, "git"), at(d, "old")}, []Override{at(d, "old")}},
		"a right -D":          {[]Override{at(unit, "old"), at(d, "git")}, nil},
		"all":                 {[]Override{at(env, "1"), at(d, "2"), at(json, "3")}, []Override{at(json, "3"), at(d, "2"), at(env, "1")}},
		"a mended unit":       {[]Override{at(unit, "git"), at(env, "old")}, nil},
		"a broken unit":       {[]Override{at(unit, "old"), at(env, "git")}, []Override{at(unit, "old")}},
		"another key":         {[]Override{{"server.port", env, "1"}}, nil},
	} {
		in := Install{Overrides: c.all}
		if got := in.Against("server.proxy-name", func(v string) bool { return v == "git" }); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
