package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"bitgate/bitbucket"
	"bitgate/doctor/local"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
)

// cause is a way to go wrong that shows on the machine itself: in who runs, and in
// the lines of its files.
type cause struct {
	id       string
	title    string
	explains []string // checks from outside that fail because of it
	look     func(context.Context, *scene) []problem.Finding
}

// causes is the table, in the order in which one makes the next ones meaningless.
func causes() []cause {
	return slices.Concat(runCauses, connectorCauses, frontCauses, sshCauses)
}

// scene is the machine, and what asking Bitbucket itself showed.
type scene struct {
	local.Machine
	target  Target
	state   bitbucket.State // "" where it was not asked
	base    string          // where it said so
	refused bool            // nobody listens at the upstream address
	detail  string
}

// Causes looks at the machine for what makes the checks from outside fail, and tells
// notify (may be nil) of each finding. Where all is well there is none. What could
// not be looked at is a note.
func Causes(ctx context.Context, t Target, m local.Machine, notify func(problem.Finding)) []problem.Finding {
	s := &scene{Machine: m, target: t}
	s.askUpstream(ctx)
	var out []problem.Finding
	for _, c := range causes() {
		found := c.look(ctx, s)
		if stopped(ctx) {
			break
		}
		for _, f := range found {
			f.ID, f.Title = cmp.Or(f.ID, "cause."+c.id), cmp.Or(f.Title, c.title)
			out = append(out, f)
			if notify != nil {
				notify(f)
			}
		}
	}
	return out
}

// nameCause is found by the caller, who knows what the name should lead to.
var nameCause = cause{id: "name", explains: []string{"tls.connect", "redirect.http", "ssh"}}

// explained are the checks that the causes among found explain, with the title of the cause.
func explained(found []problem.Finding) map[string]string {
	out := map[string]string{}
	for _, c := range append(causes(), nameCause) {
		for _, f := range found {
			if f.ID != "cause."+c.id || f.Level == problem.Note {
				continue
			}
			for _, id := range append(slices.Clone(c.explains), "clients") { // whose requests may meet any of them
				if out[id] == "" {
					out[id] = f.Title
				}
			}
		}
	}
	return out
}

// dialTime is enough for a connection on this machine.
const dialTime = 3 * time.Second

func refuses(ctx context.Context, address string) (error, bool) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err == nil {
		conn.Close()
	}
	return err, errors.Is(err, syscall.ECONNREFUSED)
}

// askUpstream asks Bitbucket itself, past the front, under the public path, and
// where it does not answer there, under its own.
func (s *scene) askUpstream(ctx context.Context) {
	base := s.Upstream
	address, ok := strings.CutPrefix(base, "http://")
	if !ok {
		return
	}
	address = strings.TrimSuffix(address, "/")
	var err error
	if err, s.refused = refuses(ctx, address); err != nil {
		s.detail = err.Error()
		return
	}
	for _, path := range []string{s.URL.TomcatPath(), s.Instance.Path()} {
		c, err := bitbucket.NewClient("http://"+address+path, bitbucket.Options{})
		if err != nil {
			return
		}
		if s.state == "" || s.state == bitbucket.Unreachable {
			s.base = c.Base()
			s.state, s.detail = c.Status(ctx)
		}
	}
}

// restart and reload are the last steps of a cure.
func (s *scene) restart() local.Step {
	return local.Run(s.Instance.Restart, "restart Bitbucket")
}

func (s *scene) reload() local.Step {
	return local.Run(s.Site.Reload, "reload "+frontName(s.Site.Program))
}

var frontNames = map[string]string{
	"haproxy": "HAProxy", "apache": "Apache", "bitgate": "the built-in proxy", "tomcat": "Bitbucket's own TLS", "": "the front",
}

func frontName(program string) string { return cmp.Or(frontNames[program], program) }

// at makes a finding about a line.
func at(level problem.Level, p local.Place, found, why string, cure local.Cure) problem.Finding {
	return problem.Finding{Level: level, Found: found, Why: why, Do: cure.String(), File: p.File, Line: p.Line}
}

func one(f problem.Finding) []problem.Finding { return []problem.Finding{f} }

// everything that needs an answer of Bitbucket.
var answers = []string{"status", "redirect.root", "redirect.landing", "base-url", "cookie", "clone-url", "git", "lfs", "xsrf", "push", "header", "auth", "old-path", "app-links", "nodes", "paths"}

var runCauses = []cause{
	{"front", "The front on this machine", append([]string{"tls.connect", "redirect.http", "ssh"}, answers...), lookFront},
	{"files-of-stash", "Two properties files", append([]string{"cause.upstream"}, answers...), lookTwoFiles},
	{"port", "Where the front looks for Bitbucket", answers, lookPort},
	{"upstream", "Bitbucket itself", answers, lookUpstream},
	{"context", "The context path", answers, lookContext},
}

// lookFront: without a listener every other check only repeats that.
func lookFront(ctx context.Context, s *scene) []problem.Finding {
	listen := s.Listen
	if len(listen) == 0 && s.Site.Program != "" {
		listen = []string{s.target.address(s.URL)}
	}
	for _, l := range listen {
		to, err := hostport.Parse(l)
		if err != nil {
			continue
		}
		if _, is := refuses(ctx, to.Local().String()); !is {
			continue
		}
		name := frontName(s.Site.Program)
		found := fmt.Sprintf("%s is not running: nothing listens on %s", name, l)
		if s.Site.PID > 0 {
			found = fmt.Sprintf("%s runs, but does not listen on %s", name, l)
		}
		return one(problem.Finding{
			Level: problem.Fail, Found: found, Why: "no client reaches Bitbucket", Do: local.Cure{local.Run(s.Site.Start, "start "+name)}.String(),
		})
	}
	if s.Site.Doubt != "" {
		return one(problem.Finding{Level: problem.Note, Found: "its configuration was not looked at: " + s.Site.Doubt})
	}
	return nil
}

// address is what to dial for the public URL.
func (t Target) address(u interface{ HostPort() string }) string {
	return cmp.Or(t.Connect, u.HostPort())
}

func lookTwoFiles(_ context.Context, s *scene) []problem.Finding {
	in := s.Instance
	if in.TwoFiles == "" {
		return nil
	}
	level, found := problem.Warn, in.TwoFiles+" lies beside "+in.File
	if s.refused {
		level = problem.Fail
	}
	cure := local.Cure{local.Run("mv "+problem.ShellWord(in.TwoFiles)+" "+problem.ShellWord(in.TwoFiles+".old"), "")}
	return one(problem.Finding{
		Level: level, Found: found, File: in.TwoFiles, Why: "Bitbucket 4.0 and later do not start with both",
		Do: cure.Then(local.Run(cmp.Or(in.Start, in.Restart), "start Bitbucket")).String(),
	})
}

// lookPort compares where the front sends requests with the port in Bitbucket's file.
func lookPort(ctx context.Context, s *scene) []problem.Finding {
	in := s.Instance
	if in.Port.Value == "" || len(s.Site.Servers) != 1 {
		return nil
	}
	server := s.Site.Servers[0]
	to, err := hostport.Parse(server.Value)
	if err != nil || !local.Here(ctx, server.Value) || fmt.Sprint(to.Port) == in.Port.Value || fmt.Sprint(to.Port) == in.Second.Value {
		return nil
	}
	if _, is := refuses(ctx, server.Value); !is {
		return nil // somebody does answer: a cache, another instance
	}
	to.Port = 0
	want := strings.TrimSuffix(to.String(), ":0") + ":" + in.Port.Value
	where := "by default"
	if in.Port.Set() {
		where = in.Port.String()
	}
	return one(at(problem.Fail, server.Place, fmt.Sprintf("requests go to %s, and Bitbucket listens on port %s (%s)", server.Value, in.Port.Value, where),
		"the front gets no answer and says 502 or 503",
		local.Cure{s.Site.Instead(server.Setting, server.Value, want), s.reload()}))
}

// lookUpstream says how Bitbucket stands.
func lookUpstream(_ context.Context, s *scene) []problem.Finding {
	f := problem.Finding{Level: problem.Fail, Why: "the front has nothing to forward to"}
	address := strings.TrimPrefix(s.Upstream, "http://")
	status := cmp.Or(s.base, s.Upstream+s.URL.TomcatPath()) + "/status"
	switch {
	case s.refused:
		f.Found = "Bitbucket is not running: nothing answers at " + address
		f.Do = local.Cure{local.Run(cmp.Or(s.Instance.Start, s.Instance.Restart), "start Bitbucket, and wait until "+status+" says RUNNING")}.String()
		if s.Instance.LastError != "" {
			f.Why += "; " + s.Instance.Log + " has errors near its end"
		}
	case s.state == "" && s.detail != "":
		f.Level, f.Found, f.Why = problem.Note, "not checked: "+s.detail, ""
	case s.state == "", s.state.Runs():
		return nil
	case s.state == bitbucket.Unreachable:
		if s.Instance.Context.Value != "" && s.Instance.Path() != s.URL.TomcatPath() {
			return nil // the context path says why
		}
		f.Found, f.Why = "what listens at "+address+" does not answer as Bitbucket: "+s.detail, "it may be another program, or Bitbucket under another context path"
		f.Do = "compare the address with Bitbucket's server.port, and the path of " + s.URL.BaseURL() + " with its server.context-path"
	case s.state == bitbucket.Maintenance:
		f.Level, f.Found, f.Why = problem.Warn, "Bitbucket says MAINTENANCE at "+s.base, "a backup or a migration is under way"
		f.Do = "wait until " + status + " says RUNNING, then bitgate verify"
	case s.state.Busy():
		f.Found, f.Do = fmt.Sprintf("Bitbucket says %s at %s", s.state, s.base), "wait until "+status+" says RUNNING, then bitgate verify"
	default:
		f.Found, f.Do = fmt.Sprintf("Bitbucket says %s at %s", s.state, s.base), "read "+cmp.Or(s.Instance.Log, "log/atlassian-bitbucket.log in Bitbucket's home")
	}
	return one(f)
}

// lookContext compares Bitbucket's context path with the public one, and looks for
// lines of the front that change the path on the way.
func lookContext(_ context.Context, s *scene) []problem.Finding {
	var out []problem.Finding
	in := s.Instance
	if in.Context.Value != "" || in.XML {
		if in.File != "" && in.Doubt == "" && in.Path() != s.URL.TomcatPath() && (in.Context.Set() || !in.XML) {
			level := problem.Fail
			if s.base == s.Upstream+s.URL.TomcatPath() && s.state != bitbucket.Unreachable {
				level = problem.Warn // it has not been restarted since
			}
			out = append(out, at(level, in.Context.Place, fmt.Sprintf("Bitbucket serves %s, and %s has %s", slash(in.Path()), s.URL.BaseURL(), slash(s.URL.TomcatPath())),
				"requests outside the context path are sent to its root, and lose their path",
				in.Cure(local.Change{Is: in.Context, Key: "server.context-path", Value: s.URL.PropertyPath()}).Then(s.restart())))
		}
	}
	for _, r := range s.Site.Rewrites {
		out = append(out, at(problem.Warn, r.Place, fmt.Sprintf("%s changes the path: %s", frontName(s.Site.Program), s.Site.Shown(r)),
			"Bitbucket makes addresses with its own context path; both sides must have the same", local.Cure{local.Take(r.Place), s.reload()}))
	}
	return out
}

func slash(path string) string { return cmp.Or(path, "/") }
