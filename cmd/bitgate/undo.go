package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/apply"
	"bitgate/setup/journal"
)

type backOptions struct {
	*sharedFlags
	yes, force, forward, json bool
}

func newUndo(p *process) *cobra.Command {
	o := backOptions{}
	c := &cobra.Command{
		Use:   "undo [RUN]",
		Short: "Take a run back (default: the last)",
		Long: `Puts every file of a run back as it was, byte for byte with owner and mode, sets
the base URL back and restarts what the run restarted. It refuses over edits made
since, unless --force is given; those are kept in the run's folder.`,
		Args: args(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			run := ""
			if len(args) > 0 {
				run = args[0]
			}
			return runUndo(c.Context(), p, o, run)
		},
	}
	c.Flags().BoolVar(&o.yes, "yes", false, "consent without being asked")
	c.Flags().BoolVar(&o.force, "force", false, "also over edits made since the run")
	c.Flags().BoolVar(&o.json, "json", false, "print events and the result as JSON lines")
	o.sharedFlags = addShared(c)
	return c
}

func newRecover(p *process) *cobra.Command {
	o := backOptions{}
	c := &cobra.Command{
		Use:   "recover",
		Short: "Settle an interrupted run",
		Long: `Takes an unfinished run back (after a crash, a power cut, or when taking back was
incomplete), or finishes it with --forward.`,
		Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return runRecover(c.Context(), p, o) },
	}
	c.Flags().BoolVar(&o.yes, "yes", false, "consent without being asked")
	c.Flags().BoolVar(&o.forward, "forward", false, "finish the run instead of taking it back")
	c.Flags().BoolVar(&o.json, "json", false, "print events and the result as JSON lines")
	o.sharedFlags = addShared(c)
	return c
}

// backJob is a job with the credentials, upstream and policy of an earlier run;
// secrets are asked anew.
func backJob(p *process, o backOptions, plan setup.Plan) (*job, error) {
	j, err := newJob(p, o.sharedFlags)
	if err != nil {
		return nil, err
	}
	if j.creds.user == "" {
		j.creds.user = plan.Answers.AdminUser
	}
	if j.creds.home == "" {
		j.creds.home = plan.Answers.Home
	}
	if j.creds.method == bitbucket.MethodAuto {
		j.creds.method = newCredentials(p, plan.Answers).method
	}
	return j, nil
}

func runUndo(ctx context.Context, p *process, o backOptions, run string) error {
	dir := stateDirOf(p, o.stateDir)
	plan, err := journal.Plan(dir, run)
	if err != nil {
		return err
	}
	j, err := backJob(p, o, plan)
	if err != nil {
		return err
	}
	defer j.creds.wipe()
	edits, err := journal.ForeignEdits(dir, run)
	if err != nil {
		return err
	}
	view := newRunView(p, o.json)
	for _, f := range apply.Remembered(plan) {
		view.finding(f)
	}
	if len(edits) == 0 || o.force { // nobody is asked about what Undo refuses
		if err := j.agree(ctx, o, plan, edits, "undo", "take back"); err != nil {
			return err
		}
	}
	result, err := j.applier(ctx, view.event).Undo(ctx, run, o.force)
	return told(view, result, err)
}

func runRecover(ctx context.Context, p *process, o backOptions) error {
	dir := stateDirOf(p, o.stateDir)
	runs, err := journal.History(dir)
	if err != nil {
		return err
	}
	view := newRunView(p, o.json)
	open := ""
	for _, r := range runs {
		if r.State == setup.RunOpen || r.State == setup.RunIncomplete {
			open = r.ID
		}
	}
	if open == "" {
		result := setup.Result{State: setup.RunNothing}
		if len(runs) > 0 { // a crash after the end of a run may have left a temporary file
			result, err = (&apply.Applier{StateDir: dir}).Recover(ctx, false)
		}
		return told(view, result, err)
	}
	plan, err := journal.Plan(dir, open)
	if err != nil {
		return err
	}
	j, err := backJob(p, o, plan)
	if err != nil {
		return err
	}
	defer j.creds.wipe()
	what := "take back"
	if o.forward {
		what = "finish"
	}
	if err := j.agree(ctx, o, plan, nil, "recover", what); err != nil {
		return err
	}
	result, err := j.applier(ctx, view.event).Recover(ctx, o.forward)
	return told(view, result, err)
}

func told(view runView, result setup.Result, err error) error {
	if err != nil {
		view.fail(err)
		return err
	}
	view.result(result, runEnd{})
	return nil
}

// agree shows what will be taken back, and which foreign edits go with it, and
// asks for consent.
func (j *job) agree(ctx context.Context, o backOptions, plan setup.Plan, edits []setup.FileDiff, word, what string) error {
	if o.yes {
		return nil
	}
	if !j.p.terminal() {
		return usage("missing: --yes", "without a terminal nobody can be asked for consent")
	}
	s := style{j.p.color()}
	out(j.p.Out, "%s", s.bold("These changes for "+plan.Answers.URL.BaseURL()+":"))
	url := false
	for _, r := range plan.Ordered() {
		c := plan.At(r)
		url = url || c.BaseURL != nil && c.BaseURL.Method != setup.Manual
		out(j.p.Out, "  %s", c.What)
	}
	if len(edits) > 0 {
		out(j.p.Out, "\n%s", s.bold("This was changed since. It goes too; a copy stays in the run's folder:"))
	}
	for _, e := range edits {
		planText{j.p.Out, s}.diff(e.Unified)
	}
	if url && !j.creds.available() {
		fmt.Fprintln(j.p.Out)
		printError(*j.p, problem.New("the base URL cannot be set back without an administrator's login", "",
			"give --admin-user and --admin-password-file"))
	}
	return consent(ctx, j.p, word, what+" these changes")
}
