package stage_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/haproxy/live/stage"
	"bitgate/haproxy/rehearsal"
	"bitgate/proxy/config"
)

// TestWhoDoesNotStart: a candidate that does not start where the present configuration
// does stops the run, with HAProxy's word; where neither starts it is said why nothing
// was rehearsed; and what the stage lacks is missed on both sides, and told.
func TestWhoDoesNotStart(t *testing.T) {
	fill := func(text, rule string) string { return top + strings.Replace(text, "%s", rule, 1) }
	good, candidate := fill(front, "")+backends, fill(joined, "")+backends+bitbucket
	const list = "    http-request deny if { src -f /nowhere.lst }\n"
	for name, tt := range map[string]struct {
		before, after string
		found         string // what stops the run
		why           string // it is not rehearsed
		told          string // what is left out
	}{
		"a backend is gone":      {good, strings.Replace(candidate, "backend site\n", "backend other\n", 1), "'other'", "", ""},
		"a rule that it refuses": {good, fill(joined, "    http-request deny if { no_such_fetch 1 }\n") + backends + bitbucket, "no_such_fetch", "", ""},
		"a rule that was well":   {fill(front, "    acl bad path /x\n    http-request deny if bad\n") + backends, fill(joined, "    http-request deny if bad\n") + backends + bitbucket, "no such ACL", "", ""},
		"missed on both sides":   {fill(front, list) + backends, fill(joined, list) + backends + bitbucket, "", "", "is not rehearsed"},
		"the present one alone":  {strings.Replace(good, "backend site\n", "backend other\n", 1), candidate, "", "", "does not start with the present configuration"},
		"neither":                {strings.Replace(good, "backend site\n", "backend other\n", 1), strings.Replace(candidate, "backend site\n", "backend other\n", 1), "", "'other'", ""},
		"neither, as it stands":  {strings.Replace(good, "bind :443", "bind {IP}:443", 1), strings.Replace(candidate, "bind :443", "bind {IP}:443", 1) + "frontend git\n    bind :444 ssl crt DIR/git.pem\n    default_backend bitbucket\n", "", "invalid address", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rehearse(t, map[string]string{"haproxy.cfg": tt.before}, map[string]string{"haproxy.cfg": tt.after}, nil)
			switch skipped := strings.Join(r.Skipped, "\n"); {
			case tt.why != "":
				if r.Rehearsed || !strings.Contains(r.Why, tt.why) || !strings.Contains(r.Why, "nor does it") {
					t.Errorf("%s, want %q", r.Summary(), tt.why)
				}
			case tt.found != "":
				if !r.Rehearsed || r.OK() || !strings.Contains(r.Findings[0].What, "does not start: ") || !strings.Contains(r.Findings[0].What, tt.found) {
					t.Errorf("%s %+v, want %q", r.Summary(), r.Findings, tt.found)
				}
			case !r.Rehearsed || !r.OK() || !strings.Contains(skipped, tt.told):
				t.Errorf("%s %+v, told %q, want %q", r.Summary(), r.Findings, skipped, tt.told)
			}
		})
	}
}

// TestBuiltinThatDoesNotStart: so it is with the built-in proxy.
func TestBuiltinThatDoesNotStart(t *testing.T) {
	dir := folder(t)
	if err := os.WriteFile(filepath.Join(dir, "git.pem"), bundle(t, "git.example.com"), 0o600); err != nil {
		t.Fatal(err)
	}
	of := func(pem string) *stage.Proxy {
		path := filepath.Join(dir, "proxy.yaml")
		c, err := config.Parse(path, []byte("url: https://git.example.com/bitbucket\nlisten: ['*:443']\nupstream: http://127.0.0.1:7990\npem: "+pem+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		return &stage.Proxy{Path: path, Config: c}
	}
	good, bad := of(filepath.Join(dir, "git.pem")), of("/nowhere.pem")
	run := func(now, then *stage.Proxy) rehearsal.Report {
		r := stage.Rehearsal{Program: program, Proxy: then, Present: now}
		r.Bitbucket = rehearsal.Bitbucket{URL: then.Config.URL, Upstreams: []string{"127.0.0.1:7990"}, Listen: then.Config.Listen}
		return r.Run(t.Context())
	}
	if r := run(good, bad); !r.Rehearsed || r.OK() || !strings.Contains(r.Findings[0].What, "/nowhere.pem") {
		t.Errorf("the new file alone: %s %+v", r.Summary(), r.Findings)
	}
	for name, now := range map[string]*stage.Proxy{"neither": bad, "no present one": nil} {
		if r := run(now, bad); r.Rehearsed || !strings.Contains(r.Why, "/nowhere.pem") {
			t.Errorf("%s: %s", name, r.Summary())
		}
	}
}
