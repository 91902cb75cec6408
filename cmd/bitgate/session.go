package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/child"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/apply"
	"bitgate/setup/check"
	"bitgate/setup/detect"
	"bitgate/wizard"
)

// session is one use of the machinery: look, resolve, plan. The doors differ only
// in how they fill input.
type session struct {
	p            *process
	probe        detect.Probe
	input        setup.Answers
	inputSources setup.Sources
	answersFlag  bool // the file of answers was named by the flag
	creds        *credentials

	mu       sync.Mutex // of facts, settings and creds, while the wizard looks at the machine beside signing in
	facts    setup.Facts
	answers  setup.Answers
	sources  setup.Sources
	settings *bitbucket.Settings                 // as the administrator sees them, after a login
	options  wizard.Options                      // of the guided doors
	serve    func(context.Context, string) error // starts the built-in front beside the run; nil: a service or a person does
	patience time.Duration                       // of verify with a slow server, altogether; 0: verifyTime
}

// newSession reads what was said by flags, environment and answers file.
func newSession(p *process, s *sharedFlags) (*session, error) {
	input, inputSources, err := s.input(p)
	if err != nil {
		return nil, err
	}
	if input.AdminPasswordFile == "-" && input.CertPasswordFile == "-" {
		return nil, usage("both passwords are to come from standard input", "give one of them as a file")
	}
	return &session{
		p: p, input: input, inputSources: inputSources, answersFlag: s.answers != "", creds: newCredentials(p, input),
		probe: detect.Probe{
			StateDir: stateDirOf(p, s.stateDir), Root: p.Root, Proc: p.Proc, Program: p.Program, Proxies: child.Proxies(),
		},
	}, nil
}

// look detects with what was said as hints.
func (ses *session) look(ctx context.Context, said setup.Answers) (setup.Facts, error) {
	probe := ses.probe
	probe.Input, probe.Unlock = said, ses.creds.cert.ask(ctx)
	f, err := detect.Facts(ctx, probe)
	if err != nil {
		return f, err
	}
	if f.OpenRun != "" {
		return f, problem.New("run "+f.OpenRun+" is not finished",
			"another change on top of it could not be taken back cleanly", "settle it first: "+ses.again("recover"))
	}
	return f, nil
}

// again spells a command of this program with the state directory in use.
func (ses *session) again(args ...string) string {
	if ses.probe.StateDir != defaultStateDir {
		args = slices.Insert(args, 1, "--state-dir", ses.probe.StateDir)
	}
	line := programName
	for _, a := range args {
		line += " " + problem.ShellWord(a)
	}
	return ses.p.asCalled(line)
}

// prover proves plans with the session's passwords.
func (ses *session) prover(ctx context.Context) check.Prover {
	return check.Prover{Unlock: ses.creds.cert.ask(ctx)}
}

// detect looks and resolves.
func (ses *session) detect(ctx context.Context) error {
	f, err := ses.look(ctx, ses.input)
	if err != nil {
		return err
	}
	ses.took(f)
	ses.answers, ses.sources = setup.Resolve(f, ses.input, ses.inputSources)
	return nil
}

// took takes over what was found.
func (ses *session) took(f setup.Facts) {
	ses.facts, ses.creds.home = f, vouched(f)
	if c := ses.creds.cert; c != nil && f.OwnStore.Path != "" {
		c.opensOwn(f.OwnStore.Path, detect.StorePasswords(f))
	}
}

// vouched is the home that root's files or the administrator named.
func vouched(f setup.Facts) string {
	if f.Bitbucket.Doubt != "" {
		return ""
	}
	return f.Bitbucket.Home
}

// missing names every flag that is still needed, at once. extra are those that the
// calling command needs too where there is something to do (yes).
func (ses *session) missing(extra ...string) error {
	flags := setup.Missing(ses.facts, ses.answers)
	if ses.creds.read != nil || ses.creds.prompt != nil {
		flags = slices.DeleteFunc(flags, func(f string) bool { return f == "admin-password-file" })
	}
	if len(flags) == 0 {
		return nil
	}
	flags = append(flags, extra...)
	return usage("missing: --"+strings.Join(flags, " --"),
		"give them as flags, in the environment (BITGATE_...) or in --answers FILE, or run bitgate setup on a terminal")
}

// signIn logs in where the plan will need it, so that a refusal comes before
// anything is changed and the plan knows the base URL that stands now.
func (ses *session) signIn(ctx context.Context) error {
	if !ses.creds.available() || !setup.NeedsLogin(ses.facts, ses.answers) || ses.facts.Instance.State == bitbucket.Unreachable {
		return nil
	}
	s, err := ses.creds.Login(ctx, ses.facts.Instance.Base)
	if err != nil {
		return err
	}
	settings, err := s.Settings(ctx)
	if err != nil {
		return err
	}
	ses.settings = &settings
	ses.facts = ses.known(ses.facts)
	return nil
}

// known adds to facts what the administrator's session told.
func (ses *session) known(f setup.Facts) setup.Facts {
	if ses.settings == nil {
		return f
	}
	return f.WithSettings(*ses.settings)
}

// plan does everything up to the finished plan.
func (ses *session) plan(ctx context.Context, extra ...string) (setup.Plan, error) {
	if err := ses.detect(ctx); err != nil {
		return setup.Plan{}, err
	}
	if err := ses.missing(extra...); err != nil {
		return setup.Plan{}, err
	}
	if err := ses.signIn(ctx); err != nil {
		return setup.Plan{}, err
	}
	return setup.Build(ses.facts, ses.answers)
}

// applier carries the session's plan out.
func (ses *session) applier(ctx context.Context, notify func(setup.Event)) *apply.Applier {
	ses.p.changing.Store(true)
	a := &apply.Applier{StateDir: ses.probe.StateDir, Notify: notify, Serve: ses.serve, Unlock: ses.creds.cert.ask(ctx), Version: thisBuild().Version}
	if ses.creds.available() {
		a.Login = ses.creds.Login
	}
	if ses.p.terminal() {
		a.Ask = askOnTerminal(ctx, ses.p)
	}
	return a
}
