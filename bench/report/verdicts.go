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
	goals, same, opposite := 0, 0, 0
	for i, m := range runs[0].Metrics {
		for _, peer := range runs[0].Peers {
			if m.Goals[peer] == 0 {
				continue
			}
			cells, words := []string{m.Name, peer}, []string{}
			for _, run := range runs {
				v := strings.Trim(run.Metrics[i].verdict(ours, peer), "*")
				cells, words = append(cells, v), append(words, v[strings.LastIndex(v, " ")+1:])
			}
			goals++
			alike := "**no**"
			switch one, sure := agree(words); {
			case one:
				same++
				alike = "yes"
			case !sure:
				opposite++
			}
			row(t, append(cells, alike))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d of %d are alike; %d times one run is sure of what another one is sure to be otherwise.\n", same, goals, opposite)
	return err
}

// agree reports whether all verdicts are one, and whether those without a
// question mark are.
func agree(words []string) (all, sure bool) {
	said, certain := map[string]bool{}, map[string]bool{}
	for _, word := range words {
		said[strings.TrimSuffix(word, "?")] = true
		if !strings.HasSuffix(word, "?") {
			certain[word] = true
		}
	}
	return len(said) == 1, len(certain) < 2
}
