package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"bitgate/bitbucket"
	"bitgate/cmd/bitgate/view"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/apply"
	"bitgate/setup/journal"
)

type backOptions struct {
	*sharedFlags
	loudness
	force, forward bool
}

func newUndo(p *process) *cobra.Command {
	o := backOptions{}
	c := &cobra.Command{
		Use:   "undo [RUN]",
		Short: "Take a run back (default: the last)",
		Long: `Puts every file of a run back as it was, byte for byte with owner and mode, sets
the base URL back and restarts what the run restarted. It refuses over edits made
since, unless --force is given; those are kept in the run's folder. Without a login
that the base URL needs nothing is taken back.`,
		Args: args(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			run := ""
			if len(args) > 0 {
				run = args[0]
			}
			return runUndo(c.Context(), p, o, run)
		},
	}
	o.add(c, "consent without being asked", "events and the result")
	c.Flags().BoolVar(&o.force, "force", false, "also over edits made since the run")
	o.sharedFlags = addShared(c)
	c.Annotations = map[string]string{fewAnswers: "yes"}
	c.ValidArgsFunction = runIDs(p, func() string { return o.stateDir })
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
	o.add(c, "consent without being asked", "events and the result")
	c.Flags().BoolVar(&o.forward, "forward", false, "finish the run instead of taking it back")
	o.sharedFlags = addShared(c)
	c.Annotations = map[string]string{fewAnswers: "yes"}
	return c
}

// backSession is a session with the credentials, upstream and policy of an earlier run;
// secrets are asked anew.
func backSession(p *process, o backOptions, plan setup.Plan) (*session, error) {
	ses, err := newSession(p, o.sharedFlags)
	if err != nil {
		return nil, err
	}
	switch {
	case ses.input.BaseURLMethod == setup.Manual:
		ses.creds.user = "" // a person sets the base URL
	case ses.creds.user == "":
		ses.creds.user = plan.Answers.AdminUser
	}
	ses.creds.home = cmp.Or(ses.creds.home, plan.Answers.Home)
	if ses.creds.method == bitbucket.MethodAuto {
		ses.creds.method = newCredentials(p, plan.Answers).method
	}
	return ses, nil
}

func runUndo(ctx context.Context, p *process, o backOptions, run string) (err error) {
	show, err := o.view(p)
	if err != nil {
		return err
	}
	defer tellFailure(show, &err)
	dir := stateDirOf(p, o.stateDir)
	r, err := journal.Look(dir, run)
	if err != nil {
		return err
	}
	run = r.ID // what is shown is what is taken back, although another run may come meanwhile
	plan := r.Plan
	ses, err := backSession(p, o, plan)
	if err != nil {
		return err
	}
	defer ses.creds.wipe()
	edits, err := journal.ForeignEdits(dir, run)
	if err != nil {
		return err
	}
	for _, f := range apply.Remembered(plan) {
		show.Finding(f)
	}
	if len(edits) == 0 || o.force { // nobody is asked about what Undo refuses
		if err := ses.foresee(ctx, show, o, run, plan, edits, "undo"); err != nil {
			return err
		}
	}
	result, err := ses.applier(ctx, show.Event).Undo(ctx, run, o.force)
	return told(show, result, err)
}

func runRecover(ctx context.Context, p *process, o backOptions) (err error) {
	show, err := o.view(p)
	if err != nil {
		return err
	}
	defer tellFailure(show, &err)
	dir := stateDirOf(p, o.stateDir)
	runs, err := journal.History(dir)
	if err != nil {
		return err
	}
	open := ""
	for _, r := range runs {
		if r.State == setup.RunOpen || r.State == setup.RunIncomplete {
			open = r.ID
		}
	}
	if open == "" {
		result := setup.Result{State: setup.RunNothing}
		if len(runs) > 0 { // a crash after the end of a run may have left a temporary file
			p.changing.Store(true)
			result, err = (&apply.Applier{StateDir: dir, Version: thisBuild().Version}).Recover(ctx, false)
		}
		return told(show, result, err)
	}
	plan, err := journal.Plan(dir, open)
	if err != nil {
		return err
	}
	ses, err := backSession(p, o, plan)
	if err != nil {
		return err
	}
	defer ses.creds.wipe()
	if err := ses.foresee(ctx, show, o, open, plan, nil, "recover"); err != nil {
		return err
	}
	result, err := ses.applier(ctx, show.Event).Recover(ctx, o.forward)
	return told(show, result, err)
}

// foresee shows what the run needs and does, and has everything that it asks a person for.
func (ses *session) foresee(ctx context.Context, show view.Run, o backOptions, run string, plan setup.Plan, edits []setup.FileDiff, word string) error {
	look, err := apply.Foresee(ses.probe.StateDir, run, o.forward)
	if err != nil {
		return err
	}
	if err := ses.baseURLGoesAlong(look); err != nil {
		return err
	}
	show.Outlook(look)
	if err := ses.agree(ctx, o, edits, look, word); err != nil {
		return err
	}
	return ses.passwordFor(ctx, look, plan)
}

// baseURLGoesAlong refuses to leave a base URL out that the run has set or is to set.
func (ses *session) baseURLGoesAlong(look apply.Outlook) error {
	if !look.SignIn || ses.input.BaseURLMethod != setup.MethodSkip {
		return nil
	}
	return problem.New("--base-url-method skip: the base URL is part of run "+look.Run, "without it Bitbucket's links would name an address that nobody serves",
		"leave it out and sign in, or set the base URL yourself: --base-url-method manual").WithKind(problem.Usage)
}

// passwordFor reads or asks for the administrator's password, where it will be needed,
// before anything is touched: Bitbucket may be down until the files are back.
func (ses *session) passwordFor(ctx context.Context, look apply.Outlook, plan setup.Plan) error {
	if !look.SignIn || !ses.creds.available() {
		return nil
	}
	return ses.creds.obtain(ctx, plan.Run.UpstreamBefore)
}

func told(show view.Run, result setup.Result, err error) error {
	if err == nil {
		show.Result(result, view.End{})
	}
	return err
}

// agree shows which foreign edits go with the run, and asks for consent.
func (ses *session) agree(ctx context.Context, o backOptions, edits []setup.FileDiff, look apply.Outlook, word string) error {
	if o.yes {
		return nil
	}
	if !ses.p.terminal() {
		return usage("missing: --yes", "without a terminal nobody can be asked for consent")
	}
	if len(edits) > 0 {
		out(ses.p.Out, "\n%s", ses.p.style().Bold("This was changed since. It goes too; a copy stays in the run's folder:"))
	}
	for _, e := range edits {
		ses.p.text().Diff(e.Unified)
	}
	if look.SignIn && !ses.creds.available() && ses.input.BaseURLMethod != setup.Manual {
		fmt.Fprintln(ses.p.Out)
		printError(*ses.p, problem.New("the base URL cannot be set without an administrator's login but by hand", "",
			"give --admin-user and --admin-password-file"))
	}
	what, stand := "take run "+look.Run+" back", "The run stands until then"
	if !look.Back {
		what = "finish run " + look.Run
	}
	if !look.State.Settled() {
		stand = "The run stays as it is until then"
	}
	return consent(ctx, ses.p, stand, word, what)
}
