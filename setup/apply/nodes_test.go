package apply_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bitgate/bitbucket"
	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/proxy/config"
	"bitgate/setup"
	"bitgate/setup/check"
	"bitgate/setup/detect"
)

// newCluster is a machine with two more nodes beside it, which share its home.
func newCluster(t *testing.T, front string) *machine {
	t.Helper()
	m := newMachine(t, "8.19.1", front, bitbuckettest.Options{})
	_, port, _ := strings.Cut(strings.TrimPrefix(m.BB.Upstream(), "http://"), ":")
	m.nodes = map[string]*bitbuckettest.Server{"one": m.BB}
	m.Probe.Input.Nodes = []string{"one=127.0.0.1:" + port}
	for i, name := range []string{"two", "three"} {
		address := fmt.Sprintf("127.0.0.%d", i+2)
		n, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		bb, err := bitbuckettest.New(bitbuckettest.Options{
			Dir: filepath.Join(m.Dir, name), Version: "8.19.1", AdminPassword: adminPassword, Port: n, SSHPort: -1,
			Address: address, Shared: filepath.Join(m.BB.Home(), "shared"),
		})
		if err == nil {
			err = bb.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(bb.Close)
		m.nodes[name] = bb
		m.Probe.Input.Nodes = append(m.Probe.Input.Nodes, name+"="+address+":"+port)
	}
	m.Probe.Input.Restart = m.service.command("restart@$BITGATE_NODE")
	return m
}

// contexts are the paths that the nodes run under, "-" for one that is down.
func (m *machine) contexts() string {
	var out []string
	for _, name := range []string{"one", "two", "three"} {
		path := m.nodes[name].ContextPath()
		if m.nodes[name].State() == "" {
			path = "-"
		}
		out = append(out, path)
	}
	return strings.Join(out, " ")
}

// A command restarts each node in turn; undo does so again.
func TestClusterApplyAndUndo(t *testing.T) {
	for _, front := range []string{setup.FrontHAProxy, setup.FrontBuiltin} {
		t.Run(front, func(t *testing.T) {
			t.Parallel()
			m := newCluster(t, front)
			p := m.checked()
			before := m.world()
			res, err := m.applier().Apply(t.Context(), p)
			if err != nil || m.contexts() != "/bitbucket /bitbucket /bitbucket" {
				t.Fatalf("%v; the nodes run under %q", err, m.contexts())
			}
			if again := m.checked(); !again.Empty() {
				t.Errorf("the second plan is not empty: %+v", again.Steps)
			}
			if _, err := m.applier().Undo(t.Context(), res.Run, false); err != nil {
				t.Fatal(err)
			}
			if m.contexts() != "  " {
				t.Errorf("after undo the nodes run under %q", m.contexts())
			}
			if diff := m.world().is(before); diff != "" {
				t.Error(diff)
			}
			if n := m.service.restarts.Load(); n != 6 {
				t.Errorf("%d restarts", n)
			}
		})
	}
}

// The front stays as it is until every node serves; without a person that ends
// the run, with one it is asked, and consent can be given beforehand.
func TestFrontWaitsForEachNode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		consent bool
		answers []setup.Decision // of a person
		want    setup.RunState
	}{
		{"nobody to ask", false, nil, setup.RunTakenBack},
		{"consent beforehand", true, nil, setup.RunCommitted},
		{"a person goes on", false, []setup.Decision{setup.DecideRetry, setup.DecidePartial}, setup.RunCommitted},
		{"a person goes back", false, []setup.Decision{setup.DecideBack}, setup.RunTakenBack},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newCluster(t, setup.FrontBuiltin)
			m.Probe.Input.PartialService = c.consent
			p := m.checked()
			stopped := false
			a := m.watched(func(e setup.Event) { // it dies between its restart and the swap
				if e.Kind == setup.EventDone && strings.HasPrefix(e.Title, "restart Bitbucket on node three") {
					m.nodes["three"].Close()
					stopped = true
				}
				if e.Kind == setup.EventUndoStart && stopped {
					stopped = false
					if err := m.nodes["three"].Start(); err != nil {
						t.Error(err)
					}
				}
				if strings.HasPrefix(e.Title, "write the built-in proxy's") && c.want == setup.RunTakenBack {
					t.Error("the front was touched")
				}
			})
			if c.answers != nil {
				a.Ask = func(question, detail string, choices []setup.Decision) setup.Decision {
					if !strings.Contains(question, "Not every node serves") || !strings.Contains(detail, "three: http://127.0.0.3") || len(c.answers) == 0 {
						t.Errorf("asked %q, %q", question, detail)
						return setup.DecideBack
					}
					answer := c.answers[0]
					c.answers = c.answers[1:]
					if !slices.Contains(choices, answer) {
						t.Errorf("%s is not offered: %v", answer, choices)
					}
					return answer
				}
			}
			res, err := a.Apply(t.Context(), p)
			if res.State != c.want {
				t.Errorf("%s: %v", res.State, err)
			}
			if c.want == setup.RunTakenBack {
				says(t, err, "not every node serves", "three")
			}
		})
	}
}

// A node that is down needs consent, is then left alone, and is restarted by
// undo when it has read the new files meanwhile.
func TestNodeThatIsDown(t *testing.T) {
	t.Parallel()
	m := newCluster(t, setup.FrontBuiltin)
	m.nodes["two"].Close()
	f, p := m.plan()
	found, err := check.Prover{}.Plan(t.Context(), f, p)
	if bad := problem.Failures(found); err != nil || len(bad) != 1 || !strings.Contains(bad[0].Found, "node two does not answer") || !strings.Contains(bad[0].Do, "--partial-service") {
		t.Fatalf("%v, %+v", err, bad)
	}
	m.Probe.Input.PartialService = true
	p = m.checked()
	res, err := m.applier().Apply(t.Context(), p)
	if err != nil || m.contexts() != "/bitbucket - /bitbucket" {
		t.Fatalf("%v; the nodes run under %q", err, m.contexts())
	}
	if left := strings.Join(res.Pending, "\n"); !strings.Contains(left, "restart Bitbucket on node two") {
		t.Errorf("left to a person: %q", left)
	}
	if err := m.nodes["two"].Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.applier().Undo(t.Context(), res.Run, false); err != nil || m.contexts() != "  " {
		t.Errorf("undo: %v; the nodes run under %q", err, m.contexts())
	}
}

// The plan names a restart for each node, by hand unless a command was given.
func TestPlanOfACluster(t *testing.T) {
	f := tableFacts(true)
	u := parseURL(t, "https://git.example.com/bitbucket")
	a, src := setup.Resolve(f, setup.Answers{
		URL: u, Nodes: []string{"one=10.0.0.1:7990", "two=[2001:db8::2]:7990"}, Cert: "/c.pem", Key: "/k.pem", SSHListen: ":7999",
	}, nil)
	if a.Restart != setup.Manual || !strings.Contains(src["restart"].Why, "several nodes") || a.SSHUpstream != ":7999" {
		t.Fatalf("restart %q (%s), SSH upstream %q", a.Restart, src["restart"].Why, a.SSHUpstream)
	}
	p, err := setup.Build(f, a)
	if err != nil {
		t.Fatal(err)
	}
	var restarts []string
	for _, r := range p.Ordered() {
		if c := p.At(r); c.Phase == setup.PhaseRestart {
			restarts = append(restarts, c.Text())
		}
	}
	if want := []string{"restart Bitbucket on node one (by hand)", "restart Bitbucket on node two (by hand)"}; !slices.Equal(restarts, want) {
		t.Errorf("%q", restarts)
	}
	cfg, _ := edited(p, "/etc/haproxy/haproxy.cfg")
	for _, want := range []string{
		"cookie ROUTEID insert indirect nocache httponly secure", "balance leastconn", "uri /bitbucket/status",
		"server one 10.0.0.1:7990 cookie one maxconn 50 slowstart 30s check inter 2s fastinter 1s downinter 1s rise 2 fall 3\n",
		"server two [2001:db8::2]:7990 cookie two maxconn 50", "server one 10.0.0.1:7999 check", "server two [2001:db8::2]:7999 check",
	} {
		if !strings.Contains(cfg, want) {
			t.Errorf("haproxy.cfg lacks %q", want)
		}
	}
	a.Front = setup.FrontBuiltin
	if p, err = setup.Build(f, a); err != nil {
		t.Fatal(err)
	}
	yaml, _ := edited(p, "/etc/bitgate/proxy.yaml")
	for _, want := range []string{"cookie: ROUTEID", "- name: two\n    address: '[2001:db8::2]:7990'", "ssh-upstream: :7999", "health-fastinter: 1s", "slowstart: 30s"} {
		if !strings.Contains(yaml, want) {
			t.Errorf("proxy.yaml lacks %q:\n%s", want, yaml)
		}
	}
	if strings.Contains(yaml, "upstream: http") {
		t.Errorf("proxy.yaml has an upstream beside the nodes:\n%s", yaml)
	}
	c, err := config.Parse("proxy.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	inTime(t, c.HealthInterval, c.HealthFast, c.HealthDown, c.HealthRise, c.HealthFall)
	number := regexp.MustCompile(`server one .* inter (\d+)s fastinter (\d+)s downinter (\d+)s rise (\d+) fall (\d+)`).FindStringSubmatch(cfg)
	var n [6]int
	for i := 1; i < len(number); i++ {
		n[i], _ = strconv.Atoi(number[i])
	}
	inTime(t, time.Duration(n[1])*time.Second, time.Duration(n[2])*time.Second, time.Duration(n[3])*time.Second, n[4], n[5])
}

// inTime: the checks leave a stopped node within 6 s and take it back within 4 s.
func inTime(t *testing.T, inter, fast, down time.Duration, rise, fall int) {
	t.Helper()
	leaves, returns := inter+time.Duration(fall-1)*fast, down+time.Duration(rise-1)*fast
	if inter == 0 || leaves > 6*time.Second || returns > 4*time.Second {
		t.Errorf("a stopped node is left after up to %v and taken back after up to %v", leaves, returns)
	}
}

// What cannot be done with nodes is refused with the way out.
func TestRefusedWithNodes(t *testing.T) {
	two := []string{"one=10.0.0.1:7990", "two=10.0.0.2:7990"}
	for want, a := range map[string]setup.Answers{
		"repeats the name one":                      {Nodes: []string{"one=10.0.0.1:7990", "one=10.0.0.2:7990"}},
		"--restart auto with several nodes":         {Nodes: two, Restart: setup.Auto},
		"--local-only with nodes":                   {Nodes: two, LocalOnly: true},
		"give only the port of their SSH servers":   {Nodes: two, SSHListen: ":7999", SSHUpstream: "10.0.0.1:7999"},
		`--ssh-upstream ":7999": give ADDRESS:PORT`: {SSHListen: ":7998", SSHUpstream: ":7999"},
	} {
		a.URL, a.Cert, a.Key = parseURL(t, "https://git.example.com"), "/c.pem", "/k.pem"
		f := tableFacts(true)
		a, _ := setup.Resolve(f, a, nil)
		_, err := setup.Build(f, a)
		says(t, err, want)
		if problem.KindOf(err) != problem.Usage {
			t.Errorf("%s: kind %d", want, problem.KindOf(err))
		}
	}
}

// A home on NFS, and the settings of a cluster's network, are noticed: the
// restart is left to a person, and the plan says that other nodes may exist.
func TestSignsOfACluster(t *testing.T) {
	t.Parallel()
	for name, nfs := range map[string]bool{"nfs4": true, "ext4": false} {
		m := newMachine(t, "8.19.1", setup.FrontBuiltin, bitbuckettest.Options{})
		m.Probe.Input.Restart = ""
		m.write("proc/self/mountinfo", fmt.Sprintf("21 1 8:1 / / rw - ext4 /dev/sda1 rw\n40 21 0:40 / %s rw,relatime shared:9 - %s filer:/srv rw\n",
			strings.ReplaceAll(filepath.Join(m.BB.Home(), "shared"), " ", `\040`), name), 0o600)
		m.Probe.Proc = filepath.Join(m.Dir, "proc")
		f, err := detect.Facts(t.Context(), m.Probe)
		if err != nil {
			t.Fatal(err)
		}
		a, src := setup.Resolve(f, m.Probe.Input, nil)
		if f.NFS.Set != nfs || f.Cluster.Set != nfs || nfs && (a.Restart != setup.Manual || !strings.Contains(src["restart"].Why, "NFS")) || !nfs && a.Restart != setup.Auto {
			t.Errorf("%s: %+v, %+v, restart %s (%s)", name, f.NFS, f.Cluster, a.Restart, src["restart"].Why)
		}
	}
	m := newMachine(t, "8.19.1", setup.FrontBuiltin, bitbuckettest.Options{})
	properties := filepath.Join(m.BB.Home(), "shared", "bitbucket.properties")
	file, err := os.OpenFile(properties, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(file, "\nhazelcast.network.tcpip=true\n")
	file.Close()
	f, p := m.plan()
	noted := slices.ContainsFunc(p.Notes, func(n problem.Finding) bool { return n.ID == "cluster" && strings.Contains(n.Do, "--node") })
	if !f.Cluster.Set || !strings.Contains(f.Cluster.Why, "hazelcast.network.tcpip") || !noted || f.Instance.State != bitbucket.Running {
		t.Errorf("%+v, noted %t", f.Cluster, noted)
	}
}

func parseURL(t *testing.T, text string) publicurl.URL {
	t.Helper()
	u, err := publicurl.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
