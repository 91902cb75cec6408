package view

import (
	"cmp"
	"fmt"
	"strings"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// Plan prints a plan for people: what changes per step, the diffs, what restarts,
// what is left to do by hand.
func (v *Text) Plan(p setup.Plan, diffs []setup.FileDiff) {
	fmt.Fprintf(v.W, "%s\n", v.Style.Bold("Plan for "+p.Answers.URL.BaseURL()))
	for i, step := range p.Steps {
		v.step(i+1, p.StepTitle(step.ID), step)
	}
	for _, d := range diffs {
		fmt.Fprintln(v.W)
		v.Diff(d.Unified)
	}
	v.services(p)
	if len(p.Notes) > 0 {
		fmt.Fprintf(v.W, "\n%s\n", v.Style.Bold("Consider"))
		v.Findings(p.Notes)
	}
	v.Pending(p.Pending)
}

func (v *Text) step(n int, title string, step setup.Step) {
	title = fmt.Sprintf("%d %s", n, title)
	if len(step.Changes) == 0 {
		fmt.Fprintf(v.W, "%s: %s\n", title, v.Style.Dim(step.Skipped))
		return
	}
	fmt.Fprintln(v.W, title)
	for _, c := range step.Changes {
		fmt.Fprintf(v.W, "  %s %s\n", v.sign(c), c.Text())
		if c.BaseURL != nil {
			v.baseURL(c.BaseURL)
		}
	}
}

// sign is + for what is new, ~ for what changes, > for what is done.
func (v *Text) sign(c setup.Change) string {
	switch _, before, _ := c.Writes(); {
	case before == setup.Absent:
		return v.Style.Green("+")
	case c.Service != nil:
		return v.Style.Cyan(">")
	}
	return v.Style.Yellow("~")
}

func (v *Text) baseURL(c *setup.BaseURLChange) {
	old := cmp.Or(c.Old, "unknown, because nobody is signed in")
	fmt.Fprintf(v.W, "      %s\n      %s\n", v.Style.Red("- "+old), v.Style.Green("+ "+c.New))
	if c.SSHNew != "" {
		if old = c.SSHOld; old == "" {
			old = "unknown"
		}
		fmt.Fprintf(v.W, "      %s\n      %s\n", v.Style.Red("- SSH "+old), v.Style.Green("+ SSH "+c.SSHNew))
	}
}

// Diff prints a unified diff.
func (v *Text) Diff(unified string) {
	for line := range strings.SplitSeq(strings.TrimRight(unified, "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "+++ "):
			line = v.Style.Bold(line)
		case strings.HasPrefix(line, "+"):
			line = v.Style.Green(line)
		case strings.HasPrefix(line, "-"):
			line = v.Style.Red(line)
		case strings.HasPrefix(line, "@@"):
			line = v.Style.Cyan(line)
		}
		fmt.Fprintln(v.W, line)
	}
}

func (v *Text) services(p setup.Plan) {
	title := "\n" + v.Style.Bold("Services") + "\n"
	for _, r := range p.Ordered() {
		if s := p.At(r).Service; s != nil {
			fmt.Fprintf(v.W, "%s  %s %s: %s\n", title, s.Verb, s.Target, s.Notice())
			title = ""
		}
	}
}

// Pending lists what a person has to do.
func (v *Text) Pending(list []string) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(v.W, "\n%s\n", v.Style.Bold("Left to do by hand"))
	for _, item := range list {
		fmt.Fprintf(v.W, "  pending: %s\n", item)
	}
}

// Findings prints all of them.
func (v *Text) Findings(all []problem.Finding) {
	for _, f := range all {
		v.Finding(f)
	}
}

// Finding prints what was found, and why and what to do below what is not well.
func (v *Text) Finding(f problem.Finding) {
	v.hang("  "+v.Style.mark(f.Level)+"  ", 6, f.Headline())
	if f.Level == problem.OK {
		return
	}
	if f.Why != "" {
		v.hang("      why: ", 11, f.Why)
	}
	if f.Do != "" {
		v.hang("      do:  ", 11, f.Do)
	}
}
