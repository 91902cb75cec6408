package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"bitgate/internal/problem"
	"bitgate/interview"
	"bitgate/setup"
)

type demoOptions struct {
	yes     bool
	plain   bool
	front   string
	version string
}

func newDemo(p *process) *cobra.Command {
	o := demoOptions{}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Try everything on a stand-in Bitbucket",
		Long: `Starts a stand-in Bitbucket in a temporary folder, puts it behind HTTPS exactly as
setup does with a real one, clones and pushes with git, and removes everything.
Nothing outside the folder is touched, and only loopback addresses are used.`,
		Example: `  bitgate demo                  guided, as bitgate setup would be
  bitgate demo --yes            without questions
  bitgate demo --yes --front haproxy`,
		Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return runDemo(c.Context(), p, o) },
	}
	c.Flags().BoolVar(&o.yes, "yes", false, "ask nothing")
	c.Flags().BoolVar(&o.plain, "plain", false, "ask line by line instead of on the full screen")
	c.Flags().StringVar(&o.front, "front", setup.FrontBuiltin, "what terminates TLS: `haproxy|builtin`")
	c.Flags().StringVar(&o.version, "bitbucket-version", "9.4.16", "`V` of the stand-in; below 5.0 it uses server.xml")
	return c
}

func runDemo(ctx context.Context, p *process, o demoOptions) (err error) {
	if o.front != setup.FrontHAProxy && o.front != setup.FrontBuiltin {
		return usage("--front "+o.front+" is not known", "use haproxy or builtin")
	}
	if !o.yes && !o.plain && !p.terminal() {
		return usage("missing: --yes", "there is no terminal to ask questions on")
	}
	d, err := newDemoSite(ctx, p, o)
	if err != nil {
		return err
	}
	// Processes first, then the folder they work in; also after Ctrl-C.
	defer func() { err = errors.Join(err, d.close()) }()
	if o.yes {
		err = d.unattended(ctx)
	} else {
		err = d.guided(ctx, o.plain)
	}
	if ctx.Err() != nil && problem.KindOf(err) == problem.Failed {
		return problem.Wrap(ctx.Err(), "the demo was cancelled", "", "").WithKind(problem.Cancelled)
	}
	return err
}

// unattended does what `bitgate apply --yes` does, and tells about it.
func (d *demoSite) unattended(ctx context.Context) error {
	ses := d.session()
	defer ses.creds.wipe()
	plan, err := ses.plan(ctx)
	if err != nil {
		return err
	}
	if err := ses.showPlan(plan, false); err != nil {
		return err
	}
	show := d.p.text()
	d.title("Check the plan")
	if err := ses.prove(ctx, plan, show); err != nil {
		return err
	}
	d.title("Apply")
	ses.serve = d.serve()
	a := ses.applier(ctx, show.Event)
	a.Ask = nil
	result, err := a.Apply(ctx, plan)
	if err != nil {
		return err
	}
	d.title("Verify from outside")
	found := ses.examine(ctx, plan, d.verifyFlags(), show.Finding)
	if err := verdict(found, ""); err != nil {
		return err
	}
	if err := d.git(ctx); err != nil {
		return err
	}
	out(d.p.Out, "\n%s\nRun %s, %d changes. Everything in %s is removed now.",
		checksLine(plan.Answers.URL.BaseURL(), found), result.Run, result.Changes, d.dir)
	return nil
}

// guided opens the wizard on the stand-in and serves until a key is pressed.
func (d *demoSite) guided(ctx context.Context, plain bool) error {
	ses := d.session()
	defer ses.creds.wipe()
	ses.input.AdminPasswordFile = "" // the person types it
	for key := range ses.inputSources {
		// Found rather than said, so that every question is shown, with its answer.
		ses.inputSources[key] = setup.Source{From: setup.Detected, Why: "the demo"}
	}
	out(d.p.Out, "The stand-in's administrator is %s with the password %s.", demoUser, demoPassword)
	ses.options.Notes = map[string]string{interview.PasswordID: "The stand-in's administrator has the password " + demoPassword + "."}
	b := ses.backend(d.verifyFlags())
	b.ServeNow = nil // it serves from apply on
	ses.serve = d.serve()
	outcome, err := ses.guide(ctx, plain, b)
	if err == nil {
		err = settled(outcome)
	}
	if err != nil || !outcome.Applied || !d.p.terminal() {
		return err
	}
	out(d.p.Out, "\nTry it: %s (the certificate's authority is %s)", outcome.Answers.URL.BaseURL(), d.path("ca.pem"))
	out(d.p.Out, "Enter or Ctrl-C ends the demo and removes everything.")
	_, _ = d.p.readLine(ctx) // either way it ends
	return nil
}
