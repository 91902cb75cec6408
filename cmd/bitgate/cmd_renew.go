package main

import (
	"context"

	"github.com/spf13/cobra"

	"bitgate/certs/store"
	"bitgate/cmd/bitgate/view"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/apply"
	"bitgate/setup/renew"
)

type renewOptions struct {
	renew.Options
	stateDir     string
	passwordFile string
	json         bool
	timed        bool // the timer comes again
}

func newCertRenew(p *process) *cobra.Command {
	o := renewOptions{}
	c := &cobra.Command{
		Use:   "renew",
		Short: "Renew the front's certificate if that is due",
		Long: `What the timer runs. It orders the certificate anew where bitgate orders it and that
is due, installs what the sources of the front's certificate hold now, and compares
what the front shows with it on every address. A certificate-only run: it touches
nothing but the certificate, restarts nothing, and whatever fails, the certificate of
before stays in force. While another bitgate is at work it says so and ends well.`,
		Example: `  bitgate cert renew --dry-run
  systemctl list-timers bitgate-renew.timer`,
		Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			o.timed = true
			return runRenew(c.Context(), p, o, (*renew.Renewer).Renew)
		},
	}
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "say what is due and what would be done; order and change nothing")
	c.Flags().BoolVar(&o.Force, "force", false, "renew although nothing is due, and over a bundle that somebody else has changed")
	o.add(c)
	return c
}

func newCertDeploy(p *process) *cobra.Command {
	o := renewOptions{}
	c := &cobra.Command{
		Use:   "deploy",
		Short: "Have the front serve what the certificate's files hold now",
		Long: `For the hooks of programs that renew certificates: it installs what the files that
the front was set up with hold now, and compares what the front shows with it. A
certificate-only run, as bitgate cert renew makes them. While another bitgate is at
work it waits, for 20 minutes at most: a hook is run once.`,
		Example: `  printf '%s\n' '#!/bin/sh' 'exec bitgate cert deploy' > /etc/letsencrypt/renewal-hooks/deploy/bitgate
  acme.sh --install-cert -d git.example.com --reloadcmd 'bitgate cert deploy' ...`,
		Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			return runRenew(c.Context(), p, o, (*renew.Renewer).Deploy)
		},
	}
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "say what would be done, change nothing")
	c.Flags().BoolVar(&o.Force, "force", false, "also over a bundle that somebody else has changed")
	o.add(c)
	return c
}

func (o *renewOptions) add(c *cobra.Command) {
	c.Flags().BoolVar(&o.json, "json", false, "print events and the outcome as JSON lines")
	addCertPassword(c, &o.passwordFile)
	addStateDir(c, &o.stateDir)
}

// newRenewer renews what runs in this state folder set up.
func newRenewer(p *process, stateDir string, notify func(setup.Event), log func(string)) *renew.Renewer {
	return &renew.Renewer{
		Applier: &apply.Applier{StateDir: stateDir, Notify: notify}, Log: log,
		Order: renew.Ordered(store.Store{StateDir: stateDir}, thisBuild().Version, log, nil),
	}
}

func runRenew(ctx context.Context, p *process, o renewOptions, do func(*renew.Renewer, context.Context, renew.Options) (renew.Outcome, error)) error {
	show, err := loudness{json: o.json}.view(p)
	if err != nil {
		return err
	}
	log := func(text string) { out(p.Out, "%s", text) }
	if o.json {
		log = nil
	}
	password := newCertPassword(p, o.passwordFile)
	defer password.wipe()
	r := newRenewer(p, stateDirOf(p, o.stateDir), show.Event, log)
	r.Applier.Unlock = password.ask(ctx)
	p.changing.Store(!o.DryRun)
	got, err := do(r, ctx, o.Options)
	p.changing.Store(false)
	if o.timed && problem.KindOf(err) == problem.Locked {
		got.Said, err = err.Error()+"; the certificate is looked at the next time", nil
	}
	if err != nil {
		show.Fail(err, exitCode(err))
		return err
	}
	spell := problem.Spelling(p.asCalled)
	got.Said, got.Result.Pending = spell.Text(got.Said), spell.Texts(got.Result.Pending)
	if o.json {
		return view.Value(p.Out, got)
	}
	out(p.Out, "%s", got.Said)
	for _, ref := range got.Plan.Ordered() {
		if o.DryRun {
			out(p.Out, "  would %s", got.Plan.At(ref).Text())
		}
	}
	for _, left := range got.Result.Pending {
		out(p.Out, "  pending: %s", left)
	}
	if got.Result.State == setup.RunCommitted {
		out(p.Out, "  %s takes it back", p.asCalled("bitgate undo "+got.Result.Run))
	}
	return nil
}
