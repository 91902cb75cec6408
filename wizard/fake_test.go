package wizard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bitgate/bitbucket"
	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/interview"
	"bitgate/setup"
)

// machine is a made-up server behind the Backend: small pure stand-ins for
// setup's functions, so that these tests judge the wizard alone.
type machine struct {
	facts    setup.Facts
	password string
	keyStore string // the password of the certificate's file, which then holds two keys; "" for PEM
	unlocked bool
	missing  string            // where the certificate's intermediate lies, "" where none is missing
	noFetch  error             // of FetchChain
	wrong    error             // of CheckPlan's findings
	proof    []problem.Finding // more of them
	checking string
	notes    []problem.Finding // of a run that has ended well
	failWith error             // of Apply
	decision []setup.Decision

	detected, logins, drafts, applied, verified int
	decided                                     setup.Decision
	script                                      string
}

func standardMachine() *machine {
	return &machine{password: "correct horse", facts: setup.Facts{
		Bitbucket: bitbucket.Install{
			Product: "Bitbucket", Version: "8.19.1", Home: "/var/atlassian/application-data/bitbucket", UID: 2003, PID: 812,
			Why: map[string]string{"Home": "-Dbitbucket.home of process 812", "Version": "the running instance"},
		},
		Instance: setup.Instance{
			Upstream: "http://127.0.0.1:7990", Base: "http://127.0.0.1:7990", State: bitbucket.Running, Version: "8.19.1",
			BaseURL:  setup.Known{Value: "http://git.example.com:7990", Set: true, Why: "the application links' manifest"},
			AppLinks: []bitbucket.AppLink{{Name: "Jira", Display: "https://jira.example.com"}, {Name: "Bamboo", Display: "https://bamboo.example.com"}},
		},
		ContextPath:  setup.Known{Value: "", Set: true, Why: "shared/bitbucket.properties, line 12"},
		ProxyName:    setup.Known{},
		Port:         setup.Known{Value: "7990", Set: true, Why: "shared/bitbucket.properties, line 11"},
		HAProxy:      live.Install{Bin: "/usr/sbin/haproxy", Version: haproxy.Version{Major: 2, Minor: 6, Patch: 12, Text: "2.6.12-1+deb12u4"}, OpenSSL: true, Files: []string{"/etc/haproxy/haproxy.cfg"}, Why: map[string]string{"Bin": "PATH", "Files": "the unit haproxy.service"}},
		BitbucketCtl: service.Control{How: service.Systemd, Name: "bitbucket.service"},
		HAProxyCtl:   service.Control{How: service.Systemd, Name: "haproxy.service"},
		Listeners:    []setup.Listener{{Address: "0.0.0.0:7999", PID: 812, Process: "java"}},
		Systemd:      true,
	}}
}

func (m *machine) backend() Backend {
	return Backend{
		Detect: func(ctx context.Context, input setup.Answers) (setup.Facts, error) {
			m.detected++
			f := m.facts
			if m.keyStore != "" && input.Cert != "" {
				f.Scope = &setup.Scope{Cert: setup.CertPaths(input)}
				f.Certificate.Given, f.Certificate.WithKey, f.Certificate.Locked = true, true, !m.unlocked
				if m.unlocked && input.CertAlias == "" {
					f.Certificate.Aliases = []setup.CertificateAlias{{Alias: "old", Names: []string{"git.example.com"}, NotAfter: "2027-01-01"}, {Alias: "tomcat"}}
				}
			}
			if m.missing != "" && input.Cert != "" {
				f.Scope = &setup.Scope{Cert: setup.CertPaths(input)}
				f.Certificate.Given, f.Certificate.WithKey = true, true
				if input.Chain == "" {
					f.Certificate.Missing = m.missing
				}
			}
			return f, ctx.Err()
		},
		Resolve: fakeResolve, Build: fakeBuild, Diffs: fakeDiffs,
		Check: func(_ context.Context, id string, _ setup.Facts, a setup.Answers) []problem.Finding {
			switch id {
			case "url":
				return []problem.Finding{{Level: problem.OK, Found: a.URL.Host() + " resolves to this machine (203.0.113.7)"}}
			case "cert":
				if strings.Contains(a.Cert, "other") {
					return []problem.Finding{{Level: problem.Fail, Found: "the certificate is for other.example.com", Do: "take the certificate of " + a.URL.Host()}}
				}
				return []problem.Finding{{Level: problem.OK, Found: "the certificate is for " + a.URL.Host() + ", until 2027-03-01"}}
			}
			return nil
		},
		Checking: func() string { return m.checking },
		CheckPlan: func(context.Context, setup.Facts, setup.Plan) ([]problem.Finding, error) {
			return append(slices.Clone(m.proof), []problem.Finding{{Level: problem.OK, Found: "haproxy -c accepts the new configuration"}, {Level: problem.Warn, Found: "the certificate ends in 19 days", Do: "bitgate cert renew --help"}}...), m.wrong
		},
		Login: func(_ context.Context, a setup.Answers, password []byte) error {
			m.logins++
			if string(password) != m.password {
				return problem.New("Bitbucket refused the password of "+a.AdminUser, "", "").WithKind(problem.Credentials)
			}
			return nil
		},
		Unlock: func(_ context.Context, _ setup.Answers, password []byte) error {
			if m.unlocked = string(password) == m.keyStore; !m.unlocked {
				return problem.New("/c.pfx: the password does not open the PKCS#12 key store", "", "try again")
			}
			return nil
		},
		FetchChain: func(context.Context, setup.Answers, bool) (chain, said string, err error) {
			chain = "/var/lib/bitgate/certificates/names/git.example.com/chain.pem"
			return chain, "fetched CN=Inner into " + chain, m.noFetch
		},
		Apply:      m.apply,
		Verify:     m.verify,
		SaveDraft:  func(setup.Answers, []string) error { m.drafts++; return nil },
		SavePlan:   func(setup.Plan) (string, error) { return "/root/bitgate-plan.json", nil },
		SaveScript: func(text string) (string, error) { m.script = text; return "/root/bitgate-setup.sh", nil },
		Complete:   m.complete,
		After: func(r setup.Result, _ setup.Answers) (string, string) {
			return "bitgate apply --answers /root/bitgate-answers.yaml", "bitgate undo " + r.Run
		},
	}
}

func (m *machine) apply(ctx context.Context, p setup.Plan, ask setup.Ask, notify func(setup.Event)) (setup.Result, error) {
	m.applied++
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	send := func(kind setup.EventKind, change int, text string) {
		at = at.Add(100 * time.Millisecond)
		e := setup.Event{At: at, Kind: kind, Change: change, Text: text, Title: "backup and journal"}
		if change >= 0 {
			e.Title = p.At(p.Ordered()[change]).What
		}
		notify(e)
	}
	send(setup.EventBegin, -1, "20261122-1")
	refs := p.Ordered()
	for i := range refs {
		send(setup.EventStart, i, "")
		if ctx.Err() != nil || m.failWith != nil && i == len(refs)-1 {
			return m.takeBack(send, i)
		}
		if len(m.decision) > 0 && i == 1 {
			m.decided = ask("Bitbucket does not answer after 15 minutes", "Its log says nothing about a fault.", m.decision)
			if m.decided == setup.DecideBack {
				return m.takeBack(send, i)
			}
		}
		send(setup.EventLog, i, fmt.Sprintf("doing %d", i))
		send(setup.EventProgress, i, "STARTING")
		send(setup.EventDone, i, "")
	}
	send(setup.EventCommitted, -1, "")
	return setup.Result{Run: "20261122-1", State: setup.RunCommitted, Changes: len(refs), Notes: m.notes, Backups: "/var/lib/bitgate/runs/20261122-1"}, nil
}

func (m *machine) takeBack(send func(setup.EventKind, int, string), from int) (setup.Result, error) {
	send(setup.EventFailed, from, "the change was not made")
	for i := from - 1; i >= 0; i-- {
		send(setup.EventUndoStart, i, "")
		send(setup.EventUndone, i, "")
	}
	err := m.failWith
	if err == nil {
		err = problem.New("the run was interrupted", "", "bitgate setup starts again").WithKind(problem.TakenBack)
	}
	return setup.Result{Run: "20261122-1", State: setup.RunTakenBack, Backups: "/var/lib/bitgate/runs/20261122-1"}, err
}

func (m *machine) verify(_ context.Context, _ setup.Plan, notify func(problem.Finding)) []problem.Finding {
	m.verified++
	all := []problem.Finding{
		{ID: "tls", Level: problem.OK, Found: "TLS 1.3, git.example.com, chain complete"},
		{ID: "status", Level: problem.OK, Found: "/status answers RUNNING through the front"},
		{ID: "expiry", Level: problem.Warn, Found: "the certificate ends in 19 days (2026-12-11)", Do: "bitgate cert renew --help"},
	}
	for _, f := range all {
		notify(f)
	}
	return all
}

// fakeResolve fills the defaults the wizard's own tests need.
func fakeResolve(f setup.Facts, input setup.Answers, given setup.Sources) (setup.Answers, setup.Sources) {
	src := setup.Sources{}
	for k, v := range given {
		src[k] = v
	}
	a := f.WithSource(input)
	fill := func(key string, field *string, value string, from setup.Origin, why string) {
		if *field == "" && value != "" {
			*field, src[key] = value, setup.Source{From: from, Why: why}
		}
	}
	fill("home", &a.Home, f.Bitbucket.Home, setup.Detected, f.Bitbucket.Why["Home"])
	fill("bitbucket-version", &a.Version, f.Bitbucket.Version, setup.Detected, f.Bitbucket.Why["Version"])
	fill("upstream", &a.Upstream, f.Instance.Upstream, setup.Detected, f.Port.Why)
	fill("base-url-method", &a.BaseURLMethod, setup.Auto, setup.Default, "through Bitbucket itself")
	if f.HAProxy.Bin != "" {
		fill("front", &a.Front, setup.FrontHAProxy, setup.Detected, "HAProxy "+f.HAProxy.Version.Text+" is installed")
		fill("haproxy-cfg", &a.HAProxyCfg, f.HAProxy.Files[0], setup.Detected, f.HAProxy.Why["Files"])
	}
	fill("front", &a.Front, setup.FrontBuiltin, setup.Detected, "HAProxy is not installed")
	fill("restart", &a.Restart, setup.Auto, setup.Default, "")
	fill("reload", &a.Reload, setup.Auto, setup.Default, "")
	fill("on-failure", &a.OnFailure, setup.FailBack, setup.Default, "")
	fill("http-redirect", &a.HTTPRedirect, setup.Auto, setup.Default, "only where port 80 is free")
	if a.SSHListen != "" {
		fill("ssh-upstream", &a.SSHUpstream, "127.0.0.1:7999", setup.Default, "Bitbucket's own SSH port")
	}
	if len(a.Listen) == 0 && !a.URL.IsZero() {
		a.Listen = []string{":" + a.URL.ProxyPort()}
		src["listen"] = setup.Source{From: setup.Default, Why: "the public URL's port on every address"}
	}
	if a.MaxConn == 0 {
		a.MaxConn = 50
		src["maxconn"] = setup.Source{From: setup.Default, Why: "as the documented page has it"}
	}
	if a.RestartTimeout == 0 {
		a.RestartTimeout = 15 * time.Minute
		src["restart-timeout"] = setup.Source{From: setup.Default}
	}
	return a, src
}

// fakeBuild plans the documented steps as lines of text: What of a file change
// carries its diff.
func fakeBuild(f setup.Facts, a setup.Answers) (setup.Plan, error) {
	if a.URL.IsZero() {
		return setup.Plan{}, errors.New("the public URL is missing")
	}
	if !a.Skips(setup.StepHAProxy) && a.Cert == "" && a.PEM == "" && !a.Orders() {
		return setup.Plan{}, problem.New("no certificate was given", "", "--cert FILE --key FILE")
	}
	p := setup.Plan{Format: setup.PlanFormat, Answers: a}
	step := func(id string, changes ...setup.Change) {
		s := setup.Step{ID: id, Title: interview.StepTitle(id, a), Changes: changes}
		if a.Skips(id) {
			s.Changes, s.Skipped = nil, "left out"
		}
		p.Steps = append(p.Steps, s)
	}
	file := func(phase setup.Phase, what, path string) setup.Change {
		return setup.Change{Phase: phase, What: what, File: &setup.FileEdit{Path: path}}
	}
	properties := f.Bitbucket.Home + "/shared/bitbucket.properties"
	if a.URL.TomcatPath() != f.ContextPath.Value {
		step(setup.StepContextPath, file(setup.PhaseUpstreamFiles, "set server.context-path="+a.URL.PropertyPath(), properties))
	} else {
		step(setup.StepContextPath)
	}
	step(setup.StepBaseURL, setup.Change{
		Phase: setup.PhaseBaseURL, What: "set the base URL to " + a.URL.BaseURL(),
		BaseURL: &setup.BaseURLChange{Old: f.Instance.BaseURL.Value, New: a.URL.BaseURL(), Method: a.BaseURLMethod},
	})
	step(setup.StepConnector, file(setup.PhaseUpstreamFiles, "set the connector in bitbucket.properties", properties),
		setup.Change{Phase: setup.PhaseRestart, What: "restart Bitbucket", Service: &setup.ServiceChange{Target: "bitbucket", Verb: service.Restart, Control: f.BitbucketCtl, Effect: "about 90 s without service"}})
	step(setup.StepHAProxy, file(setup.PhaseFrontFiles, "merge the frontend and the backend into haproxy.cfg", "/etc/haproxy/haproxy.cfg"),
		setup.Change{Phase: setup.PhaseFrontService, What: "reload HAProxy", Service: &setup.ServiceChange{Target: "haproxy", Verb: service.Reload, Control: f.HAProxyCtl, Effect: "no interruption"}})
	step(setup.StepSSH)
	return p, nil
}

func fakeDiffs(f setup.Facts, p setup.Plan) []setup.FileDiff {
	text := map[string][]string{}
	var order []string
	add := func(path string, lines ...string) {
		if text[path] == nil {
			order = append(order, path)
			text[path] = []string{"--- " + path, "+++ after", "@@ -9,3 +9,9 @@", "  server.port=7990"}
		}
		text[path] = append(text[path], lines...)
	}
	a := p.Answers
	for _, s := range p.Steps {
		for _, c := range s.Changes {
			if c.File == nil {
				continue
			}
			switch s.ID {
			case setup.StepContextPath:
				add(c.File.Path, "+server.context-path="+a.URL.PropertyPath())
			case setup.StepConnector:
				add(c.File.Path, "+server.proxy-name="+a.URL.Host(), "+server.proxy-port="+a.URL.ProxyPort(), "+server.scheme=https", "+server.secure=true", "+server.redirect-port="+a.URL.ProxyPort())
				if a.LocalOnly {
					add(c.File.Path, "+server.address=127.0.0.1")
				}
			case setup.StepHAProxy:
				add(c.File.Path, "+# BEGIN bitgate", "+frontend bitgate_https", "+    bind "+strings.Join(a.Listen, ",")+" ssl crt /etc/haproxy/certs/bitgate.pem alpn http/1.1 ssl-min-ver TLSv1.2", "+    mode http",
					"+    http-request redirect location "+a.URL.RedirectTarget()+" if { path / }", "+    default_backend bitgate_bitbucket", "+backend bitgate_bitbucket", "+    mode http",
					"+    option httpchk GET "+a.URL.StatusPath(), fmt.Sprintf("+    server bitbucket1 127.0.0.1:7990 maxconn %d check", a.MaxConn), "+# END bitgate")
			}
		}
	}
	var out []setup.FileDiff
	for _, path := range order {
		out = append(out, setup.FileDiff{Path: path, Unified: strings.Join(text[path], "\n") + "\n"})
	}
	return out
}
