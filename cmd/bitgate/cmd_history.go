package main

import (
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"bitgate/cmd/bitgate/view"
	"bitgate/setup/journal"
)

func newHistory(p *process) *cobra.Command {
	var dir string
	var asJSON bool
	c := &cobra.Command{
		Use:   "history [RUN]",
		Short: "List the runs and how they stand",
		Long: `Lists the runs, the newest first. With the name of one it tells its story: when,
by whom, what was changed in which files, how it ended and why, and how to take it
back.`,
		Example: `  bitgate history
  bitgate history 20261130-1`,
		Args: args(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return tellRun(p, stateDirOf(p, dir), args[0], asJSON)
			}
			runs, err := journal.History(stateDirOf(p, dir))
			if err != nil {
				return err
			}
			if asJSON {
				if runs == nil {
					runs = []journal.RunInfo{}
				}
				return view.Value(p.Out, runs)
			}
			return printHistory(p, runs)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the runs as JSON")
	addStateDir(c, &dir)
	return c
}

// tellRun prints the story of one run.
func tellRun(p *process, dir, id string, asJSON bool) error {
	r, err := journal.Look(dir, id)
	if err != nil {
		return err
	}
	story := r.Story()
	if asJSON {
		story.Reason = p.asCalled(story.Reason)
		return view.Value(p.Out, story)
	}
	undo := ""
	if story.Undo != "" {
		ses := session{p: p}
		ses.probe.StateDir = dir
		undo = ses.again("undo", story.Undo)
	}
	p.text().Story(story, undo)
	return nil
}

func printHistory(p *process, runs []journal.RunInfo) error {
	if len(runs) == 0 {
		out(p.Out, "No runs yet.")
		return nil
	}
	w := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
	out(w, "RUN\tSTARTED\tSTATE\tCHANGES\tURL")
	for _, r := range runs {
		what := r.URL
		if r.Kind != "" {
			what += " (" + r.Kind + ")"
		}
		out(w, "%s\t%s\t%s\t%d\t%s", r.ID, r.Started.Local().Format(time.DateTime), r.State, r.Changes, what)
	}
	return w.Flush()
}
