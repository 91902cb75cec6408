package setup

import (
	"encoding/json"
	"strings"
	"testing"

	"bitgate/internal/atomicfile"
	"bitgate/internal/splice"
)

const canary = "s3cr3t-canary"

// planned is a plan that edits one file, and its facts.
func planned(path, before string, splices ...splice.Splice) (Facts, Plan) {
	f := Facts{ProxyUnit: atomicfile.File{Path: path, Data: []byte(before), Digest: atomicfile.Digest([]byte(before))}}
	b := builder{f: f}
	after, err := splice.Apply([]byte(before), splices)
	if err != nil {
		panic(err)
	}
	s := Step{ID: StepHAProxy}
	b.edit(&s, PhaseFrontFiles, f.ProxyUnit, after, splices)
	return f, Plan{Steps: []Step{s}}
}

// TestDiffsHoldNoSecretOfOthers: before, beside and in what bitgate changes; what it
// writes is shown as it is, and neither is in the plan.
func TestDiffsHoldNoSecretOfOthers(t *testing.T) {
	for name, c := range map[string]struct {
		path, before string
		at           string // what is edited begins here
		edit         splice.Splice
		shown        []string
	}{
		"a property": {
			"/h/bitbucket.properties", "jdbc.password=" + canary + "\nserver.port=7990\n# " + canary + "\n", "90",
			splice.Splice{Old: "90", New: "91"},
			[]string{"-server.port=7990\n", "+server.port=7991\n", " jdbc.password=********\n"},
		},
		"a block": {
			"/h/bitbucket.properties", "jdbc.password=" + canary, "",
			splice.Splice{Offset: 14 + len(canary), New: "\n# new and ours\nserver.port=1\nserver.ssl.key-password=x\n"},
			[]string{"+# new and ours\n", "+server.port=1\n", "+server.ssl.key-password=********\n"},
		},
		"an attribute": {
			"/h/server.xml", "<Server>\n<Connector pin=\"" + canary + "\" port=\"1\"/>\n<!-- " + canary + " -->\n</Server>\n", " port=",
			splice.Splice{New: " proxyName=\"git\""},
			[]string{"+<Connector pin=\"********\" proxyName=\"git\" port=\"1\"/>\n", " <!-- ******** -->\n"},
		},
		"a line that became a comment": {
			"/h/haproxy.cfg", "backend x\n  http-request set-header X-Key " + canary + "\n", "",
			splice.Splice{Offset: 10, New: "# replaced by bitgate: "},
			[]string{"+# replaced by bitgate:   http-request set-header X-Key ********\n"},
		},
		"lines of ours": {
			"/h/haproxy.cfg", "backend x\n  # " + canary + "\n", "",
			splice.Splice{Offset: 10, New: "  # ours 1\n  http-response set-header X-Any thing\n"},
			[]string{"+  # ours 1\n", "+  http-response set-header X-Any thing\n", "   # ********\n"},
		},
		"a line that is there before": {"/h/haproxy.cfg", "backend x\n  # " + canary + "\n", "", splice.Splice{Offset: 10, New: "  # " + canary + "\n"}, []string{"+  # ********\n"}},
		"a whole unit": {
			"/s/bitgate-proxy.service", "[Service]\nEnvironment=DB_PASSWORD=" + canary + "\nExecStart=/x --key " + canary + "\n# " + canary + "\n",
			"",
			splice.Splice{Old: "[Service]\nEnvironment=DB_PASSWORD=" + canary + "\nExecStart=/x --key " + canary + "\n# " + canary + "\n", New: "[Service]\nExecStart=/y proxy --config /z\n# ours\n"},
			[]string{"-Environment=DB_PASSWORD=********\n", "-ExecStart=/x ********\n", "+ExecStart=/y proxy --config /z\n", "+# ours\n"},
		},
		"a whole proxy.yaml": {
			"/s/proxy.yaml", "url: https://a\nkey: " + canary + "\n", "",
			splice.Splice{Old: "url: https://a\nkey: " + canary + "\n", New: "url: https://b\nresponse-headers:\n  X-Any: thing\n"},
			[]string{"-url: https://a\n", "-key: ********\n", "+  X-Any: thing\n"},
		},
		"a crontab": {"/etc/cron.d/bitgate", "1 * * * * root x " + canary + "\n", "", splice.Splice{Old: "1 * * * * root x " + canary + "\n", New: "2 * * * * root y\n"}, []string{"-********\n", "+2 * * * * root y\n"}},
	} {
		if c.at != "" {
			c.edit.Offset = strings.Index(c.before, c.at)
		}
		facts, plan := planned(c.path, c.before, c.edit)
		diffs := Diffs(facts, plan)
		if len(diffs) != 1 {
			t.Fatalf("%s: %d diffs", name, len(diffs))
		}
		for _, want := range c.shown {
			if !strings.Contains(diffs[0].Unified, want) {
				t.Errorf("%s: no %q in\n%s", name, want, diffs[0].Unified)
			}
		}
		text, err := json.Marshal(plan)
		if err != nil {
			t.Fatal(err)
		}
		after, err := plan.Applied(c.path, []byte(c.before))
		if err != nil {
			t.Fatal(err)
		}
		foreign := plan.Unified(c.path, after, []byte(c.before))
		for what, shown := range map[string]string{"the diff": diffs[0].Unified, "the plan": string(text), "a foreign edit": foreign} {
			if strings.Contains(shown, canary) && name != "a line that is there before" || strings.Contains(shown, canary) && what != "the plan" {
				t.Errorf("%s: the canary is in %s:\n%s", name, what, shown)
			}
		}
	}
}

// TestFilesOfHAProxyByTheirPlan: they may have any name.
func TestFilesOfHAProxyByTheirPlan(t *testing.T) {
	p := Plan{Run: RunSettings{HAProxyFiles: []string{"/etc/haproxy/sites"}}}
	if got := p.Unified("/etc/haproxy/sites", nil, []byte("backend x\n  mode http\n  setenv A "+canary+"\n")); !strings.Contains(got, "+  mode http\n") || strings.Contains(got, canary) {
		t.Error(got)
	}
	if got := p.Unified("/etc/other", nil, []byte("  maxconn 77\n")); strings.Contains(got, "77") {
		t.Error(got)
	}
}

// TestEveryFileOfThePlanHasADiff: a unit and a crontab that are there already, too.
func TestEveryFileOfThePlanHasADiff(t *testing.T) {
	file := func(path string) atomicfile.File {
		return atomicfile.File{Path: path, Data: []byte("old\n"), Digest: atomicfile.Digest([]byte("old\n"))}
	}
	f := Facts{
		Timer:       Timer{Service: file("/a.service"), Timer: file("/a.timer"), Cron: file("/etc/cron.d/a")},
		Certificate: Certificate{Hook: file("/hook")},
	}
	b := builder{f: f}
	s := Step{ID: StepHAProxy}
	for _, file := range []atomicfile.File{f.Timer.Service, f.Timer.Timer, f.Timer.Cron, f.Certificate.Hook} {
		b.whole(&s, file, []byte("new\n"))
	}
	if got := Diffs(f, Plan{Steps: []Step{s}}); len(got) != 4 {
		t.Errorf("%d diffs, not 4: %v", len(got), got)
	}
}
