package wizard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/printable"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// Run guides through the setup on the full screen. in and out must be a
// terminal; the caller has made sure of it (and takes Plain otherwise). When
// ctx ends before consent nothing is changed; during apply what was done is
// taken back first. The error is what kept the wizard from doing its work;
// what apply returned is in the Outcome.
func Run(ctx context.Context, in io.Reader, out io.Writer, b Backend, input setup.Answers, src setup.Sources, o Options) (Outcome, error) {
	st := newStyle(out, o)
	m := newModel(ctx, b, input, src, o, st)
	p := tea.NewProgram(m, tea.WithInput(in), tea.WithOutput(out), tea.WithAltScreen(), tea.WithoutSignalHandler())
	ended := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
			p.Send(cancelMsg{})
		case <-ended:
		}
	}()
	_, err := p.Run()
	close(ended)
	m.run.waitForApply()
	if err != nil {
		return m.out, programError(err)
	}
	if m.out.Undo != "" {
		return m.out, nil
	}
	if m.out.Cancelled {
		return m.out, m.out.Err
	}
	if m.page == pageResult || m.page == pageApply {
		fmt.Fprintln(out, printable.Screen(strings.Join(m.transcript(min(m.w-1, maxText+20)), "\n")))
	}
	if m.result.serve {
		return m.out, b.ServeNow(ctx, m.out.Plan)
	}
	return m.out, nil
}

func programError(err error) error {
	if errors.Is(err, tea.ErrProgramPanic) {
		return problem.Wrap(err, "the full screen program broke down", "", "bitgate setup --plain asks the same questions line by line")
	}
	return problem.Wrap(err, "the terminal could not be used", "", "bitgate setup --plain asks the same questions line by line")
}
