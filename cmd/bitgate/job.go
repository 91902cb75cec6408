package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/apply"
	"bitgate/setup/detect"
	"bitgate/wizard"
)

// job is one use of the machinery: look, resolve, plan. The doors differ only
// in how they fill input.
type job struct {
	p            *process
	probe        detect.Probe
	input        setup.Answers
	inputSources setup.Sources
	creds        *credentials

	facts    setup.Facts
	answers  setup.Answers
	sources  setup.Sources
	settings *bitbucket.Settings                 // as the administrator sees them, after a login
	options  wizard.Options                      // of the guided doors
	serve    func(context.Context, string) error // starts the built-in front beside the run; nil: a service or a person does
}

// newJob reads what was said by flags, environment and answers file.
func newJob(p *process, s *sharedFlags) (*job, error) {
	input, inputSources, err := s.input(p)
	if err != nil {
		return nil, err
	}
	return &job{
		p: p, input: input, inputSources: inputSources, creds: newCredentials(p, input),
		probe: detect.Probe{
			StateDir: stateDirOf(p, s.stateDir), Root: p.Root, Proc: p.Proc, Program: p.Program, Now: time.Now(),
		},
	}, nil
}

// look detects with what was said as hints.
func (j *job) look(ctx context.Context, said setup.Answers) (setup.Facts, error) {
	probe := j.probe
	probe.Input = said
	f, err := detect.Facts(ctx, probe)
	if err != nil {
		return f, err
	}
	if f.OpenRun != "" {
		return f, problem.New("run "+f.OpenRun+" is not finished",
			"another change on top of it could not be taken back cleanly", "settle it first: "+j.again("recover"))
	}
	return f, nil
}

// again spells a command of this program with the state directory in use.
func (j *job) again(args ...string) string {
	if j.probe.StateDir != defaultStateDir {
		args = append(args, "--state-dir", j.probe.StateDir)
	}
	line := "bitgate"
	for _, a := range args {
		line += " " + shellWord(a)
	}
	return line
}

// shellWord quotes what a shell would not take as it is.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+=,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// detect looks and resolves.
func (j *job) detect(ctx context.Context) error {
	f, err := j.look(ctx, j.input)
	if err != nil {
		return err
	}
	j.facts = f
	j.creds.home = vouched(f)
	j.answers, j.sources = setup.Resolve(f, j.input, j.inputSources)
	return nil
}

// vouched is the home that root's files or the administrator named.
func vouched(f setup.Facts) string {
	if f.Bitbucket.Doubt != "" {
		return ""
	}
	return f.Bitbucket.Home
}

// missing names every flag that is still needed, at once. extra are those that
// only the calling command needs (yes).
func (j *job) missing(extra ...string) error {
	flags := setup.Missing(j.facts, j.answers)
	if j.creds.read != nil || j.creds.prompt != nil {
		flags = slices.DeleteFunc(flags, func(f string) bool { return f == "admin-password-file" })
	}
	flags = append(flags, extra...)
	if len(flags) == 0 {
		return nil
	}
	return usage("missing: --"+strings.Join(flags, " --"),
		"give them as flags, in the environment (BITGATE_...) or in --answers FILE, or run bitgate setup on a terminal")
}

// signIn logs in where the plan will need it, so that a refusal comes before
// anything is changed and the plan knows the base URL that stands now.
func (j *job) signIn(ctx context.Context) error {
	if !j.creds.available() || !setup.NeedsLogin(j.facts, j.answers) || j.facts.Instance.State == bitbucket.Unreachable {
		return nil
	}
	s, err := j.creds.Login(ctx, j.facts.Instance.Base)
	if err != nil {
		return err
	}
	settings, err := s.Settings(ctx)
	if err != nil {
		return err
	}
	j.settings = &settings
	j.facts = j.known(j.facts)
	return nil
}

// known adds to facts what the administrator's session told.
func (j *job) known(f setup.Facts) setup.Facts {
	if j.settings == nil {
		return f
	}
	return f.WithSettings(*j.settings)
}

// plan does everything up to the finished plan.
func (j *job) plan(ctx context.Context, extra ...string) (setup.Plan, error) {
	if err := j.detect(ctx); err != nil {
		return setup.Plan{}, err
	}
	if err := j.missing(extra...); err != nil {
		return setup.Plan{}, err
	}
	if err := j.signIn(ctx); err != nil {
		return setup.Plan{}, err
	}
	return setup.Build(j.facts, j.answers)
}

// applier carries the job's plan out.
func (j *job) applier(ctx context.Context, notify func(setup.Event)) *apply.Applier {
	a := &apply.Applier{StateDir: j.probe.StateDir, Notify: notify, Serve: j.serve}
	if j.creds.available() {
		a.Login = j.creds.Login
	}
	if j.p.terminal() {
		a.Ask = askOnTerminal(ctx, j.p)
	}
	return a
}
