package main

import (
	"context"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bitgate/cmd/bitgate/view"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/check"
)

type applyOptions struct {
	*sharedFlags
	loudness
	dryRun bool
	serve  bool
	verifyFlags
}

func newApply(p *process) *cobra.Command {
	o := applyOptions{}
	c := &cobra.Command{
		Use:   "apply [PLAN]",
		Short: "Do the steps without questions",
		Long: `Makes the plan, proves it, asks for consent once (or takes --yes), carries it out
behind a journal, and verifies the result from outside. A failure is taken back.
With PLAN (from bitgate plan -o) exactly that plan is carried out, or refused when
the machine has changed since.`,
		Example: `  bitgate apply --url https://git.example.com --cert fullchain.pem --key privkey.pem \
      --admin-user admin --admin-password-file - --yes < password
  bitgate apply plan.json`,
		Args: args(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			file := ""
			if len(args) > 0 {
				file = args[0]
			}
			if o.dryRun {
				return runPlan(c.Context(), p, planOptions{sharedFlags: o.sharedFlags, file: file, json: o.json, quiet: o.quiet})
			}
			return runApply(c.Context(), p, o, file)
		},
	}
	o.loudness.add(c, "consent to the plan without being asked", "events, findings and the result")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "the same as bitgate plan, or with PLAN: show it")
	c.Flags().BoolVar(&o.serve, "serve", false, "run the built-in proxy in the foreground after the run, until a signal")
	o.verifyFlags.add(c)
	o.sharedFlags = addShared(c)
	return c
}

func runApply(ctx context.Context, p *process, o applyOptions, file string) (err error) {
	show, err := o.view(p)
	if err != nil {
		return err
	}
	defer tellFailure(show, &err)
	ses, err := newSession(p, o.sharedFlags)
	if err != nil {
		return err
	}
	defer ses.creds.wipe()
	var extra []string
	if !o.yes && !p.terminal() {
		extra = []string{"yes"}
	}
	plan, err := ses.planFor(ctx, file, extra)
	if err != nil {
		return err
	}
	if o.serve && plan.Answers.Front != setup.FrontBuiltin {
		return usage("--serve runs the built-in proxy, and the front is "+plan.Answers.Front, "leave --serve out, or choose --front builtin")
	}
	if plan.Empty() {
		show.Result(setup.Result{State: setup.RunNothing, Pending: plan.Pending}, view.End{URL: plan.Answers.URL.BaseURL()})
		if !o.serve {
			return nil
		}
		front, err := startFront(ctx, p.Program, p.Err, plan.Answers.ProxyConfig)
		if err != nil {
			return err
		}
		return ses.goOnServing(ctx, plan, front, o.json || o.quiet)
	}
	if len(extra) > 0 {
		return usage("missing: --yes", "nobody is at a terminal to type the word apply: bitgate plan shows what would change, and --yes is the consent to it")
	}
	if !o.yes {
		p.text().Plan(plan, setup.Diffs(ses.facts, plan))
	} else {
		for _, f := range plan.Notes {
			show.Finding(f)
		}
	}
	if err := ses.prove(ctx, plan, show); err != nil {
		return err
	}
	if !o.yes {
		if err := consent(ctx, p, "Nothing has been changed yet", "apply", "carry it out"); err != nil {
			return err
		}
	}
	return ses.carryOut(ctx, plan, o, show)
}

// planFor reads the plan of a file, or makes one.
func (ses *session) planFor(ctx context.Context, file string, extra []string) (setup.Plan, error) {
	if file == "" {
		return ses.plan(ctx, extra...)
	}
	plan, err := ses.planOfFile(ctx, file)
	if err != nil || plan.Empty() {
		return plan, err
	}
	if err := ses.missing(extra...); err != nil {
		return plan, err
	}
	ses.input = ses.asSaid(ctx, ses.input)
	return plan, nil
}

// planOfFile reads the plan of a file and looks whether the machine is still as it was.
func (ses *session) planOfFile(ctx context.Context, file string) (setup.Plan, error) {
	plan, err := readPlan(file)
	if err != nil {
		return plan, err
	}
	if err := ses.beside(file, &plan); err != nil {
		return plan, err
	}
	said := plan.Answers
	said.AdminPasswordFile, said.CertPasswordFile = ses.input.AdminPasswordFile, ses.input.CertPasswordFile
	if ses.input.AdminUser != "" {
		said.AdminUser = ses.input.AdminUser
	}
	ses.input, ses.inputSources = said, setup.Sources{}
	ses.creds.follow(said)
	if err := ses.detect(ctx); err != nil {
		return plan, err
	}
	ses.answers.AdminPasswordFile, ses.answers.CertPasswordFile = said.AdminPasswordFile, said.CertPasswordFile
	if plan.Empty() {
		return plan, nil
	}
	if err := check.Stale(plan); err != nil {
		return plan, err // before anybody is asked for anything
	}
	return plan, ses.compare(&plan)
}

// compare holds a plan from a file against what this machine gives for its
// answers. How the services are driven must be the same: taking back would do
// that, and no change shows it. What is to be considered and left to do is told
// from the machine, not from the file.
func (ses *session) compare(plan *setup.Plan) error {
	now, err := setup.Build(ses.facts, ses.answers)
	if err != nil {
		return err
	}
	was, is := plan.Run, now.Run
	was.AdminUser, is.AdminUser = "", ""
	if differs := differing(was, is); len(differs) > 0 {
		return problem.New("the plan drives Bitbucket or the front in another way than its answers give on this machine: "+strings.Join(differs, ", "),
			"the machine has changed since, or the plan was edited", "make a new plan")
	}
	plan.Notes, plan.Pending, plan.Unjudged = now.Notes, now.Pending, now.Unjudged
	for i := range plan.Steps {
		s := &plan.Steps[i]
		if s.Skipped = ""; len(s.Changes) > 0 {
			continue
		}
		s.Skipped = "nothing to do"
		if same := slices.IndexFunc(now.Steps, func(n setup.Step) bool { return n.ID == s.ID }); same >= 0 && now.Steps[same].Skipped != "" {
			s.Skipped = now.Steps[same].Skipped
		}
	}
	return nil
}

// differing names the settings in which a run of a file differs from one of this
// machine, as a plan spells them.
func differing(was, is setup.RunSettings) []string {
	is.Bitbucket.Why, is.Front.Why = "", "" // where a service was found stands in no file
	var names []string
	a, b := reflect.ValueOf(was), reflect.ValueOf(is)
	for i := range a.NumField() {
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	return names
}

// prove checks the plan before anything changes. Only what is not well is told,
// and not what the plan's own notes said already.
func (ses *session) prove(ctx context.Context, plan setup.Plan, show view.Run) error {
	found, err := ses.prover(ctx).Plan(ctx, ses.facts, plan)
	if err != nil {
		return err
	}
	for _, f := range found {
		if (f.Level != problem.OK || f.ID == check.Rehearsal) && !slices.Contains(plan.Notes, f) {
			show.Finding(f)
		}
	}
	if bad := problem.Failures(found); len(bad) > 0 {
		return bad[0].Err()
	}
	return nil
}

// carryOut applies, keeps the answers, verifies, and perhaps goes on serving.
func (ses *session) carryOut(ctx context.Context, plan setup.Plan, o applyOptions, show view.Run) error {
	var front *server
	defer func() { front.stop() }()
	if o.serve {
		ses.serve = func(ctx context.Context, config string) (err error) {
			front, err = startFront(ctx, ses.p.Program, ses.p.Err, config)
			return err
		}
	}
	result, err := ses.applier(ctx, show.Event).Apply(ctx, plan)
	ses.p.changing.Store(false)
	if result.Run == "" || result.State != setup.RunCommitted {
		if err == nil {
			show.Result(result, view.End{})
		}
		return err
	}
	end := ses.end(result, plan)
	if len(result.Pending) > 0 {
		end.Then = ses.again("verify")
	} else if err == nil {
		found := ses.examine(ctx, plan, o.verifyFlags, show.Finding)
		end.Checks = checksLine(end.URL, found)
		err = verdict(found, ses.again("undo", result.Run)+" takes the run back")
	}
	show.Result(result, end)
	if front == nil || err != nil && problem.KindOf(err) != problem.Verify {
		return err
	}
	return ses.goOnServing(ctx, plan, front, o.json || o.quiet)
}

// goOnServing stays in the foreground with the front until a signal.
func (ses *session) goOnServing(ctx context.Context, plan setup.Plan, front *server, quiet bool) error {
	if !quiet {
		out(ses.p.Out, "\nServing %s. Ctrl-C ends it.", plan.Answers.URL.BaseURL())
	}
	return front.serve(ctx)
}

// end keeps the answers, in place of those of an unfinished session, and names the
// commands that repeat and undo the run.
func (ses *session) end(r setup.Result, plan setup.Plan) view.End {
	ses.forgetDraft()
	end := view.End{URL: plan.Answers.URL.BaseURL(), Back: ses.again("undo", r.Run)}
	file := filepath.Join(ses.probe.StateDir, "answers.yaml")
	if err := writeAnswers(file, ses.input); err != nil {
		printError(*ses.p, problem.Wrap(err, "the answers could not be kept", "", ""))
		return end
	}
	end.Answers, end.Again = file, ses.again("apply", "--answers", file)
	return end
}

// verdict turns failed checks into the error of verify.
func verdict(found []problem.Finding, do string) error {
	bad := problem.Failures(found)
	if len(bad) == 0 {
		return nil
	}
	text := "verification failed: " + bad[0].Headline()
	for _, f := range bad[1:] {
		text += "\n" + f.Headline()
	}
	return problem.New(text, "", do).WithKind(problem.Verify)
}
