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
		Use:   "history",
		Short: "List the runs and how they stand",
		Args:  args(0, 0),
		RunE: func(*cobra.Command, []string) error {
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
