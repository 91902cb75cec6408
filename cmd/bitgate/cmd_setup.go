package main

import (
	"context"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/wizard"
)

// Below this size the full screen has no room for a question and its help.
const (
	minWidth  = 60
	minHeight = 16
)

type setupOptions struct {
	*sharedFlags
	plain bool
	verifyFlags
}

func newSetup(p *process) *cobra.Command {
	o := setupOptions{}
	c := &cobra.Command{
		Use:   "setup",
		Short: "Guided setup (the default on a terminal)",
		Long: `Looks at this machine, asks what it could not find out, shows every change as a
diff, and does nothing before you type the word apply. Flags, environment and
answers file answer questions beforehand.`,
		Example: `  bitgate setup
  bitgate setup --plain                  line by line: screen readers, small terminals, pipes
  bitgate setup --answers answers.yaml`,
		Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return runSetup(c.Context(), p, o) },
	}
	c.Flags().BoolVar(&o.plain, "plain", false, "ask line by line instead of on the full screen")
	o.add(c)
	o.sharedFlags = addShared(c)
	return c
}

func runSetup(ctx context.Context, p *process, o setupOptions) error {
	ses, err := newSession(p, o.sharedFlags)
	if err != nil {
		return err
	}
	defer ses.creds.wipe()
	if !o.plain && !p.terminal() {
		return noTerminal(ctx, ses)
	}
	if o.answers == "" && p.env(envName("answers")) == "" {
		ses.options.Resumed = ses.resumeDraft()
		ses.recallLastRun()
	}
	outcome, err := ses.guide(ctx, o.plain, ses.backend(o.verifyFlags))
	if err != nil {
		return err
	}
	if outcome.Result.State == setup.RunNothing && outcome.Plan.Empty() { // not where only the last run was looked at
		ses.forgetDraft() // nothing is left of it to do
	}
	if outcome.Undo != "" {
		return runUndo(ctx, p, backOptions{sharedFlags: o.sharedFlags}, outcome.Undo)
	}
	return settled(outcome)
}

// noTerminal says at once what a run without questions would need.
func noTerminal(ctx context.Context, ses *session) error {
	missing := ""
	if err := ses.detect(ctx); err == nil {
		if flags := setup.Missing(ses.facts, ses.answers); len(flags) > 0 {
			missing = "; missing: --" + strings.Join(flags, " --")
		}
	}
	return usage("there is no terminal to ask questions on"+missing,
		"give answers as flags or in --answers FILE to bitgate apply --yes, or pipe them to bitgate setup --plain")
}

// guide runs the wizard that fits the terminal.
func (ses *session) guide(ctx context.Context, plain bool, b wizard.Backend) (wizard.Outcome, error) {
	w, h := 0, 0
	if ses.p.Size != nil && ses.p.OutTTY {
		w, h = ses.p.Size()
	}
	o := ses.options
	o.Width, o.NoColor, o.Light = w, !ses.p.color(), ses.p.light()
	o.Dir, _ = os.Getwd() // without one relative paths stay relative
	if ses.p.ReadPassword != nil {
		o.ReadPassword = func(prompt string) ([]byte, error) { return ses.p.ReadPassword(ctx, prompt) }
	}
	_, accessible := ses.p.Env("ACCESSIBLE")
	small := w > 0 && (w < minWidth || h < minHeight)
	o.View, o.Spell = ses.p.text(), ses.p.asCalled
	if plain || accessible || small || ses.p.env("TERM") == "dumb" {
		return wizard.Plain(ctx, ses.p.lines, ses.p.Out, b, ses.input, ses.inputSources, o)
	}
	ses.p.screen, ses.creds.prompt = true, nil // nobody else asks meanwhile
	defer func() { ses.p.screen = false }()
	return wizard.Run(ctx, ses.p.In, ses.p.tty, b, ses.input, ses.inputSources, o)
}

// settled turns how the session ended into an error for the exit code.
func settled(o wizard.Outcome) error {
	switch {
	case o.Err != nil:
		return o.Err
	case o.Cancelled:
		return problem.New("cancelled; nothing was changed", "", "").WithKind(problem.Cancelled)
	}
	return verdict(o.Findings, "bitgate undo takes the run back")
}
