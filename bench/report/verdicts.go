package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteVerdicts writes, for each goal, what each of several runs of the same
// benchmark says about it.
func WriteVerdicts(w io.Writer, runs []Report, ours string) error {
	fmt.Fprintf(w, "\nWhat each run says about each goal.\n\n")
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	head := []string{"metric", "against"}
	for i := range runs {
		head = append(head, fmt.Sprintf("run %d", i+1))
	}
	row(t, append(head, "alike"))
	row(t, slices.Repeat([]string{"---"}, len(head)+1))
	for i, m := range runs[0].Metrics {
		for _, peer := range runs[0].Peers {
			if m.Goals[peer] == 0 {
				continue
			}
			cells, words := []string{m.Name, peer}, []string{}
			for _, run := range runs {
				v := strings.Trim(verdict(run.Metrics[i].Ours(ours, peer), m.Goals[peer]), "*")
				cells, words = append(cells, v), append(words, v[strings.LastIndex(v, " ")+1:])
			}
			slices.Sort(words)
			alike := "yes"
			if len(slices.Compact(words)) > 1 {
				alike = "**no**"
			}
			row(t, append(cells, alike))
		}
	}
	return t.Flush()
}
