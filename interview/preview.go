package interview

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// Steps are the documented ones, in order.
var Steps = []string{setup.StepContextPath, setup.StepBaseURL, setup.StepConnector, setup.StepHAProxy, setup.StepSSH}

// StepTitle is a step as the rail names it.
func StepTitle(id string, a setup.Answers) string {
	switch id {
	case StepBitbucket:
		return "Bitbucket"
	case setup.StepSSH:
		return "SSH (optional)"
	case setup.StepContextPath, setup.StepBaseURL, setup.StepConnector, setup.StepHAProxy:
		return setup.Plan{Answers: a}.StepTitle(id)
	}
	return "Review"
}

// StepNumber is the documented number, 0 for the stops around the steps.
func StepNumber(id string) int {
	return slices.Index(Steps, id) + 1
}

// Preview is what one step would change: a file's diff or two values.
type Preview struct {
	Title string   // "" where there is nothing to show
	Lines []string // of a unified diff, or "- old", "+ new"
	Why   string   // there is nothing to show
}

// StepPreview builds the plan of the one step and shows its change. Other
// steps are left out, so that it works before they are answered.
func (iv *Interview) StepPreview(step string, a setup.Answers) Preview {
	switch {
	case a.URL.IsZero():
		return Preview{Why: "What changes can be shown once the public URL is known."}
	case StepNumber(step) == 0:
		return Preview{Why: "This answer changes no file by itself."}
	case a.Skips(step):
		return Preview{Why: "This step is left out: nothing changes."}
	case step == setup.StepSSH:
		return iv.sshPreview(a)
	}
	return iv.planPreview(a, step)
}

// sshPreview is what forwarding SSH adds to the front and to the base URL: the
// step has no change of its own.
func (iv *Interview) sshPreview(a setup.Answers) Preview {
	if a.SSHListen == "" {
		return Preview{Why: "Nothing is added: the front takes no SSH."}
	}
	with := iv.planPreview(a, setup.StepBaseURL, setup.StepHAProxy)
	if with.Title == "" {
		return with
	}
	a.SSHListen, a.SSHUpstream = "", ""
	without := map[string]bool{}
	for _, l := range iv.planPreview(a, setup.StepBaseURL, setup.StepHAProxy).Lines {
		without[l] = true
	}
	p := Preview{Title: "what SSH adds"}
	for _, l := range with.Lines {
		if !without[l] && (strings.HasPrefix(l, "+") || strings.HasPrefix(l, "-")) {
			p.Lines = append(p.Lines, l)
		}
	}
	if len(p.Lines) == 0 {
		return Preview{Why: "Nothing changes: the front passes SSH on so already."}
	}
	return p
}

// planPreview is the change of some steps.
func (iv *Interview) planPreview(a setup.Answers, shown ...string) Preview {
	all := a.Skip
	a.Skip = append([]string(nil), all...)
	for _, s := range Steps {
		if !slices.Contains(shown, s) && !a.Skips(s) {
			a.Skip = append(a.Skip, s)
		}
	}
	if a.Restart == setup.Auto { // not answered yet, and not shown here
		a.Restart, a.Reload = setup.Never, setup.Never
	}
	facts := iv.Facts
	facts.Scope = nil                       // a preview is of what may be answered; nothing is done with it
	facts.Certificate = setup.Certificate{} // not shown, and not complete before its key is known
	plan, err := iv.machine.Build(facts, a)
	if err != nil {
		return Preview{Why: "There is no preview yet: " + strings.Join(problem.Explain(err).Found, ": ")}
	}
	p := Preview{Why: "Nothing changes in this step."}
	for _, s := range plan.Steps {
		if slices.Contains(shown, s.ID) && s.Skipped != "" {
			p.Why = "Nothing changes in this step: " + s.Skipped + "."
		}
		for _, c := range s.Changes {
			if slices.Contains(shown, s.ID) && c.BaseURL != nil {
				p.Title = "base URL"
				p.Lines = append(p.Lines, baseURLLines(c.BaseURL)...)
			}
		}
	}
	for _, d := range iv.machine.Diffs(facts, plan) {
		if p.Title == "" {
			p.Title = shortPath(d.Path)
		} else {
			p.Lines = append(p.Lines, "", shortPath(d.Path))
		}
		p.Lines = append(p.Lines, hunks(d.Unified)...)
	}
	return p
}

// baseURLLines shows the change of the base URL like a diff.
func baseURLLines(c *setup.BaseURLChange) []string {
	old := cmp.Or(c.Old, "unknown until an administrator is signed in")
	lines := []string{"- " + old, "+ " + c.New}
	if c.SSHNew != "" {
		old = cmp.Or(c.SSHOld, "unknown")
		lines = append(lines, "- SSH "+old, "+ SSH "+c.SSHNew)
	}
	return lines
}

// hunks drops the two header lines of a unified diff.
func hunks(unified string) []string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimRight(unified, "\n"), "\n") {
		if len(out) == 0 && (strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "+++ ")) {
			continue
		}
		out = append(out, line)
	}
	return out
}

// shortPath is a path as a title: its last folder and name.
func shortPath(file string) string {
	dir, name := path.Split(file)
	if base := path.Base(dir); base != "." && base != "/" {
		return path.Join(base, name)
	}
	return file
}

// FinishedPlan builds the whole plan.
func (iv *Interview) FinishedPlan() (setup.Plan, []setup.FileDiff, error) {
	plan, err := iv.machine.Build(iv.Facts, iv.Answers)
	if err != nil {
		return setup.Plan{}, nil, err
	}
	return plan, iv.machine.Diffs(iv.Facts, plan), nil
}
