package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/atomicfile"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/setup"
	"bitgate/tomcat"
)

// dialTime is enough for a connection on this machine.
const dialTime = 3 * time.Second

// Causes looks on this machine for what makes everything behind it fail: a front
// that does not listen, a Bitbucket that does not run, files that say something
// else than the public URL. p is the plan of a run here; what it does not name is
// not looked at. Where all is well there is no finding. Reads only.
func Causes(ctx context.Context, p setup.Plan) []problem.Finding {
	var out []problem.Finding
	if !p.Answers.Skips(setup.StepHAProxy) {
		out = append(out, frontListens(ctx, p)...)
	}
	if p.Run.UpstreamAfter == "" || len(p.Answers.Nodes) > 0 {
		return out
	}
	f, reached := upstreamRuns(ctx, p)
	files := fileDiffers(p, reached)
	if reached || len(problem.Failures(files)) == 0 {
		out = append(out, f...)
	}
	return append(out, files...)
}

func refused(ctx context.Context, address string) (error, bool) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err == nil {
		conn.Close()
	}
	return err, errors.Is(err, syscall.ECONNREFUSED)
}

// frontListens: without a listener every other check only repeats that.
func frontListens(ctx context.Context, p setup.Plan) []problem.Finding {
	name, do := "HAProxy", "start HAProxy"
	isFront := func(s *setup.ServiceChange) bool { return s.Target != "bitbucket" }
	switch p.Answers.Front {
	case setup.FrontBuiltin:
		name, do = "the built-in proxy", "bitgate proxy --config "+p.Answers.ProxyConfig
	case setup.FrontTomcat:
		name, do, isFront = "Bitbucket's own TLS", "start Bitbucket, and see its log for the connector", isBitbucket
	}
	for _, l := range p.Answers.Listen {
		at, err := hostport.Parse(l)
		if err != nil {
			continue
		}
		if _, is := refused(ctx, at.Local().String()); is {
			return []problem.Finding{{
				ID: "cause.front", Level: problem.Fail, Title: "The front on this machine",
				Found: fmt.Sprintf("%s is not running: nothing listens on %s", name, l),
				Why:   "no client reaches Bitbucket", Do: startCommand(p, isFront, do),
			}}
		}
	}
	return nil
}

// startCommand is how the service that the run reloaded or restarted is started.
func startCommand(p setup.Plan, is func(*setup.ServiceChange) bool, otherwise string) string {
	for _, r := range p.Ordered() {
		s := p.At(r).Service
		if s == nil || !is(s) {
			continue
		}
		switch {
		case s.Control.How == service.Systemd:
			return "systemctl start " + s.Control.Name
		case s.Control.How == service.Init:
			return s.Control.Name + " start"
		case s.Control.How == service.Command && s.Verb == service.Restart:
			return s.Control.Command
		}
	}
	return otherwise
}

// upstreamRuns asks Bitbucket itself, past the front. reached: somebody listens
// and says as Bitbucket how it stands.
func upstreamRuns(ctx context.Context, p setup.Plan) (out []problem.Finding, reached bool) {
	base := p.Run.UpstreamAfter
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" || u.Port() == "" {
		return nil, true
	}
	f := problem.Finding{ID: "cause.upstream", Level: problem.Fail, Title: "Bitbucket itself"}
	if err, is := refused(ctx, u.Host); is {
		f.Found = "Bitbucket is not running: nothing answers at " + u.Host
		f.Why, f.Do = "the front answers 503 for it", startCommand(p, isBitbucket, "start Bitbucket, and wait until "+base+"/status says RUNNING")
		return []problem.Finding{f}, true
	} else if err != nil {
		f.Level, f.Found = problem.Note, "not checked: "+err.Error()
		return []problem.Finding{f}, true
	}
	c, err := bitbucket.NewClient(base, bitbucket.Options{})
	if err != nil {
		return nil, true
	}
	state, detail := c.Status(ctx)
	switch {
	case state.Runs():
		return nil, true
	case state == bitbucket.Unreachable:
		f.Level, f.Found = problem.Note, "not checked: "+detail
		return []problem.Finding{f}, false
	case state.Busy():
		f.Do = "wait until " + base + "/status says RUNNING, then bitgate verify"
	default:
		f.Do = "read " + filepath.Join(p.Answers.Home, "log", "atlassian-bitbucket.log")
	}
	f.Found, f.Why = fmt.Sprintf("Bitbucket says %s at %s", state, base), "until it says RUNNING the front has nothing to forward to"
	return []problem.Finding{f}, true
}

func isBitbucket(s *setup.ServiceChange) bool { return s.Target == "bitbucket" }

// fileDiffers compares what stands in Bitbucket's files with the public URL. A
// variable or option of the process may overrule a file, so that a line is called
// the failure only where Bitbucket does not answer under the public path either.
func fileDiffers(p setup.Plan, answers bool) []problem.Finding {
	a := p.Answers
	var out []problem.Finding
	differs := func(path string, is tomcat.Found, name, want string, level problem.Level) {
		out = append(out, problem.Finding{
			ID: "cause.file", Level: level, Title: "Bitbucket's files", File: path, Line: is.Line,
			Found: fmt.Sprintf("%s is %q, and %s wants %q", name, is.Value, a.URL.BaseURL(), want),
			Why:   "Bitbucket makes its redirects and addresses from it",
			Do:    fmt.Sprintf("set %s to %q there, and restart Bitbucket: %s", name, want, startCommand(p, isBitbucket, "by hand")),
		})
	}
	level := problem.Warn
	if !answers {
		level = problem.Fail
	}
	connector := []struct{ key, attribute, want string }{
		{"server.proxy-name", "proxyName", a.URL.Host()}, {"server.proxy-port", "proxyPort", strconv.Itoa(a.URL.Port())}, {"server.scheme", "scheme", "https"},
	}
	if path := filepath.Join(a.Home, "shared", "bitbucket.properties"); a.Home != "" {
		if f, err := atomicfile.Read(path); err == nil {
			if props, err := tomcat.ParseProperties(path, f.Data); err == nil {
				if is, ok := props.Get("server.context-path"); ok && strings.Trim(is.Value, "/") != strings.Trim(a.URL.TomcatPath(), "/") {
					differs(path, is, "server.context-path", a.URL.PropertyPath(), level)
				}
				for _, c := range connector {
					if is, ok := props.Get(c.key); ok && !a.Skips(setup.StepConnector) && is.Value != c.want {
						differs(path, is, c.key, c.want, problem.Warn)
					}
				}
			}
		}
	}
	for _, path := range p.EditedPaths() { // server.xml counts only where a run edited it
		f, err := atomicfile.Read(path)
		if filepath.Base(path) != "server.xml" || err != nil {
			continue
		}
		xml, err := tomcat.ParseServerXML(path, f.Data)
		if err != nil {
			continue
		}
		if is, ok := xml.ContextPath(setup.UpstreamPort(a.Upstream)); ok && is.Value != a.URL.TomcatPath() {
			differs(path, is, "the path of Context", a.URL.TomcatPath(), level)
		}
		for _, c := range xml.Connectors() {
			for _, want := range connector {
				if is, ok := c.Attributes[want.attribute]; ok && c.Port == strconv.Itoa(setup.UpstreamPort(a.Upstream)) && is != want.want {
					differs(path, tomcat.Found{Value: is, Line: c.Line}, want.attribute, want.want, problem.Warn)
				}
			}
		}
	}
	return out
}
