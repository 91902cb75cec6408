package main

import (
	"github.com/spf13/cobra"

	"bitgate/cmd/bitgate/view"
)

// loudness is how a run is shown.
type loudness struct{ yes, json, quiet bool }

// add defines the flags; consent says to what --yes consents.
func (l *loudness) add(c *cobra.Command, consent, shown string) {
	c.Flags().BoolVar(&l.yes, "yes", false, consent)
	c.Flags().BoolVar(&l.json, "json", false, "print "+shown+" as JSON lines")
	c.Flags().BoolVarP(&l.quiet, "quiet", "q", false, "print only what is not well and what is left to do; with --yes")
}

// view shows a run for people, or for a program.
func (l loudness) view(p *process) (view.Run, error) {
	switch {
	case l.json:
		return view.JSON{W: p.Out, Spell: p.asCalled}, nil
	case l.quiet && !l.yes:
		return nil, usage("--quiet needs --yes", "what is not shown cannot be consented to: add --yes, or leave --quiet out")
	case l.quiet:
		return view.Quiet{Text: p.text()}, nil
	}
	return p.text(), nil
}

// tellFailure is deferred as soon as there is a view, so that the error of a command is
// shown whatever it comes from, and once.
func tellFailure(show view.Run, err *error) {
	if *err != nil {
		show.Fail(*err, exitCode(*err))
	}
}
