package bitbucket

import "testing"

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
