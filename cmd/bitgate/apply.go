package main

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/check"
)

type applyOptions struct {
	*sharedFlags
	yes    bool
	json   bool
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
				return runPlan(c.Context(), p, planOptions{sharedFlags: o.sharedFlags, json: o.json})
			}
			return runApply(c.Context(), p, o, file)
		},
	}
	c.Flags().BoolVar(&o.yes, "yes", false, "consent to the plan without being asked")
	c.Flags().BoolVar(&o.json, "json", false, "print events, findings and the result as JSON lines")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "the same as bitgate plan")
	c.Flags().BoolVar(&o.serve, "serve", false, "run the built-in proxy in the foreground after the run, until a signal")
	o.add(c)
	o.sharedFlags = addShared(c)
	return c
}

func runApply(ctx context.Context, p *process, o applyOptions, file string) (err error) {
	j, err := newJob(p, o.sharedFlags)
	if err != nil {
		return err
	}
	defer j.creds.wipe()
	view := newRunView(p, o.json)
	defer func() {
		if err != nil {
			view.fail(err)
		}
	}()
	var extra []string
	if !o.yes && !p.terminal() {
		extra = []string{"yes"}
	}
	plan, err := j.planFor(ctx, file, extra)
	if err != nil {
		return err
	}
	if o.serve && plan.Answers.Front != setup.FrontBuiltin {
		return usage("--serve runs the built-in proxy, and the front is "+plan.Answers.Front, "leave --serve out, or choose --front builtin")
	}
	if plan.Empty() {
		view.result(setup.Result{State: setup.RunNothing, Pending: plan.Pending}, runEnd{URL: plan.Answers.URL.BaseURL()})
		if !o.serve {
			return nil
		}
		front, err := startFront(ctx, p.Program, p.Err, plan.Answers.ProxyConfig)
		if err != nil {
			return err
		}
		return j.goOnServing(ctx, plan, front, o.json)
	}
	if !o.yes {
		planText{p.Out, style{p.color()}}.print(plan, setup.Diffs(j.facts, plan))
	} else {
		for _, f := range plan.Notes {
			view.finding(f)
		}
	}
	if err := j.prove(ctx, plan, view); err != nil {
		return err
	}
	if !o.yes {
		if err := consent(ctx, p, "apply", "carry it out"); err != nil {
			return err
		}
	}
	return j.carryOut(ctx, plan, o, view)
}

// planFor reads the plan of a file, or makes one.
func (j *job) planFor(ctx context.Context, file string, extra []string) (setup.Plan, error) {
	if file == "" {
		return j.plan(ctx, extra...)
	}
	plan, err := readPlan(file)
	if err != nil {
		return plan, err
	}
	said := plan.Answers
	said.AdminPasswordFile = j.input.AdminPasswordFile
	if j.input.AdminUser != "" {
		said.AdminUser = j.input.AdminUser
	}
	j.input, j.inputSources = said, setup.Sources{}
	creds := newCredentials(j.p, said)
	j.creds.user, j.creds.method = creds.user, creds.method
	if err := j.detect(ctx); err != nil {
		return plan, err
	}
	j.answers.AdminPasswordFile = said.AdminPasswordFile
	if plan.Empty() {
		return plan, nil
	}
	if err := check.Stale(plan); err != nil {
		return plan, err // before anybody is asked for anything
	}
	return plan, j.missing(extra...)
}

// prove checks the plan before anything changes. Only what is not well is told,
// and not what the plan's own notes said already.
func (j *job) prove(ctx context.Context, plan setup.Plan, view runView) error {
	found, err := check.Plan(ctx, j.facts, plan)
	if err != nil {
		return err
	}
	for _, f := range found {
		if f.Level != problem.OK && !slices.Contains(plan.Notes, f) {
			view.finding(f)
		}
	}
	if bad := problem.Failures(found); len(bad) > 0 {
		return bad[0].Err()
	}
	return nil
}

// carryOut applies, keeps the answers, verifies, and perhaps goes on serving.
func (j *job) carryOut(ctx context.Context, plan setup.Plan, o applyOptions, view runView) error {
	var front *server
	defer func() { front.stop() }()
	if o.serve {
		j.serve = func(ctx context.Context, config string) (err error) {
			front, err = startFront(ctx, j.p.Program, j.p.Err, config)
			return err
		}
	}
	result, err := j.applier(ctx, view.event).Apply(ctx, plan)
	if result.Run == "" || result.State != setup.RunCommitted {
		if err == nil {
			view.result(result, runEnd{})
		}
		return err
	}
	end := j.end(result, plan)
	if len(result.Pending) > 0 {
		end.Then = j.again("verify")
	} else if err == nil {
		found := j.examine(ctx, plan, o.verifyFlags, view.finding)
		end.Checks = checksLine(end.URL, found)
		err = verdict(found, j.again("undo", result.Run)+" takes the run back")
	}
	view.result(result, end)
	if front == nil || err != nil && problem.KindOf(err) != problem.Verify {
		return err
	}
	return j.goOnServing(ctx, plan, front, o.json)
}

// goOnServing stays in the foreground with the front until a signal.
func (j *job) goOnServing(ctx context.Context, plan setup.Plan, front *server, quiet bool) error {
	if !quiet {
		out(j.p.Out, "\nServing %s. Ctrl-C ends it.", plan.Answers.URL.BaseURL())
	}
	return front.serve(ctx)
}

// end keeps the answers and names the commands that repeat and undo the run.
func (j *job) end(r setup.Result, plan setup.Plan) runEnd {
	end := runEnd{URL: plan.Answers.URL.BaseURL(), Back: j.again("undo", r.Run)}
	file := filepath.Join(j.probe.StateDir, "answers.yaml")
	if err := writeAnswers(file, j.input); err != nil {
		printError(*j.p, problem.Wrap(err, "the answers could not be kept", "", ""))
		return end
	}
	end.Answers, end.Again = file, j.again("apply", "--answers", file)
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
