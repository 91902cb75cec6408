package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// planText prints a plan for people: what changes per step, the diffs, what
// restarts, what is left to do by hand.
type planText struct {
	w io.Writer
	s style
}

func (v planText) print(p setup.Plan, diffs []setup.FileDiff) {
	fmt.Fprintf(v.w, "%s\n", v.s.bold("Plan for "+p.Answers.URL.BaseURL()))
	for i, step := range p.Steps {
		v.step(i+1, step)
	}
	for _, d := range diffs {
		fmt.Fprintln(v.w)
		v.diff(d.Unified)
	}
	v.services(p)
	if len(p.Notes) > 0 {
		fmt.Fprintf(v.w, "\n%s\n", v.s.bold("Consider"))
		findings(v.w, v.s, p.Notes)
	}
	v.pending(p.Pending)
}

func (v planText) step(n int, step setup.Step) {
	title := fmt.Sprintf("%d %s", n, step.Title)
	if len(step.Changes) == 0 {
		fmt.Fprintf(v.w, "%s: %s\n", title, v.s.dim(step.Skipped))
		return
	}
	fmt.Fprintln(v.w, title)
	for _, c := range step.Changes {
		fmt.Fprintf(v.w, "  %s %s\n", v.sign(c), c.What)
		if c.BaseURL != nil {
			v.baseURL(c.BaseURL)
		}
	}
}

// sign is + for what is new, ~ for what changes, > for what is done.
func (v planText) sign(c setup.Change) string {
	switch {
	case c.File != nil && c.File.Before == setup.Absent, c.Certificate != nil && c.Certificate.Before == setup.Absent:
		return v.s.green("+")
	case c.Service != nil:
		return v.s.cyan(">")
	}
	return v.s.yellow("~")
}

func (v planText) baseURL(c *setup.BaseURLChange) {
	old := c.Old
	if old == "" {
		old = "unknown, because nobody is signed in"
	}
	fmt.Fprintf(v.w, "      %s\n      %s\n", v.s.red("- "+old), v.s.green("+ "+c.New))
	if c.SSHNew != "" {
		if old = c.SSHOld; old == "" {
			old = "unknown"
		}
		fmt.Fprintf(v.w, "      %s\n      %s\n", v.s.red("- SSH "+old), v.s.green("+ SSH "+c.SSHNew))
	}
}

func (v planText) diff(unified string) {
	for line := range strings.SplitSeq(strings.TrimRight(unified, "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "+++ "):
			line = v.s.bold(line)
		case strings.HasPrefix(line, "+"):
			line = v.s.green(line)
		case strings.HasPrefix(line, "-"):
			line = v.s.red(line)
		case strings.HasPrefix(line, "@@"):
			line = v.s.cyan(line)
		}
		fmt.Fprintln(v.w, line)
	}
}

func (v planText) services(p setup.Plan) {
	title := "\n" + v.s.bold("Services") + "\n"
	for _, r := range p.Ordered() {
		if s := p.At(r).Service; s != nil {
			fmt.Fprintf(v.w, "%s  %s %s: %s\n", title, s.Verb, s.Target, s.Effect)
			title = ""
		}
	}
}

func (v planText) pending(list []string) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(v.w, "\n%s\n", v.s.bold("Left to do by hand"))
	for _, item := range list {
		fmt.Fprintf(v.w, "  pending: %s\n", item)
	}
}

// findings prints one line each, and why and what to do below what is not well.
func findings(w io.Writer, s style, all []problem.Finding) {
	for _, f := range all {
		finding(w, s, f)
	}
}

func finding(w io.Writer, s style, f problem.Finding) {
	fmt.Fprintf(w, "  %s  %s\n", s.mark(f.Level), strings.ReplaceAll(f.Headline(), "\n", "\n      "))
	if f.Level == problem.OK {
		return
	}
	if f.Why != "" {
		fmt.Fprintf(w, "      %s\n", s.dim("why: "+f.Why))
	}
	if f.Do != "" {
		fmt.Fprintf(w, "      %s\n", s.dim("do:  "+f.Do))
	}
}

// writeJSON prints one indented JSON value.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
