package main

import (
	"context"
	"fmt"
	"strings"

	"bitgate/cmd/bitgate/view"
	"bitgate/setup"
)

// consent asks for a typed word, after a sentence about how things stand; anything
// else leaves.
func consent(ctx context.Context, p *process, stand, word, what string) error {
	fmt.Fprintf(p.Out, "\n%s. Type %q to %s: ", stand, word, what)
	text, err := p.readLine(ctx)
	if err != nil {
		fmt.Fprintln(p.Out)
		return cancelled()
	}
	if strings.TrimSpace(text) != word {
		return cancelled()
	}
	return nil
}

// askOnTerminal puts a choice of a run to the person at the terminal. Leaving
// (end of input, Ctrl-C) means taking everything back.
func askOnTerminal(ctx context.Context, p *process) setup.Ask {
	return func(question, detail string, choices []setup.Decision) setup.Decision {
		var words []string
		for _, c := range choices {
			words = append(words, string(c))
		}
		for {
			lines := view.Wrap(question, p.text().Width)
			for _, l := range view.Wrap(detail, max(p.text().Width-2, 0)) {
				lines = append(lines, "  "+l)
			}
			fmt.Fprintf(p.Out, "\n%s\n%s? ", strings.Join(lines, "\n"), strings.Join(words, ", "))
			text, err := p.readLine(ctx)
			if err != nil {
				fmt.Fprintln(p.Out)
				return setup.DecideBack
			}
			for _, c := range choices {
				if strings.EqualFold(strings.TrimSpace(text), string(c)) {
					return c
				}
			}
		}
	}
}
