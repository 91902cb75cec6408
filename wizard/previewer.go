package wizard

import (
	"path"
	"slices"
	"strings"

	"bitgate/setup"
)

// steps are the documented ones, in order.
var steps = []string{setup.StepContextPath, setup.StepBaseURL, setup.StepConnector, setup.StepHAProxy, setup.StepSSH}

// stepTitle is a step as the rail names it.
func stepTitle(id string, a setup.Answers) string {
	switch id {
	case StepBitbucket:
		return "Bitbucket"
	case setup.StepContextPath:
		return "Context path"
	case setup.StepBaseURL:
		return "Base URL"
	case setup.StepConnector:
		return "Tomcat connector"
	case setup.StepHAProxy:
		if a.Front == setup.FrontBuiltin {
			return "Built-in proxy"
		}
		return "HAProxy"
	case setup.StepSSH:
		return "SSH (optional)"
	}
	return "Review"
}

// stepNumber is the documented number, 0 for the stops around the steps.
func stepNumber(id string) int {
	for i, s := range steps {
		if s == id {
			return i + 1
		}
	}
	return 0
}

// preview is what one step would change: a file's diff or two values.
type preview struct {
	title string
	lines []string // of a unified diff, or "- old", "+ new"
}

// stepPreview builds the plan of the one step and shows its change. Other
// steps are left out, so that it works before they are answered.
func (iv *interview) stepPreview(step string, a setup.Answers) preview {
	if a.URL.IsZero() || stepNumber(step) == 0 || a.Skips(step) {
		return preview{}
	}
	if step == setup.StepSSH {
		return iv.sshPreview(a)
	}
	return iv.planPreview(a, step)
}

// sshPreview is what forwarding SSH adds to the front and to the base URL: the
// step has no change of its own.
func (iv *interview) sshPreview(a setup.Answers) preview {
	if a.SSHListen == "" {
		return preview{}
	}
	with := iv.planPreview(a, setup.StepBaseURL, setup.StepHAProxy)
	a.SSHListen, a.SSHUpstream = "", ""
	without := map[string]bool{}
	for _, l := range iv.planPreview(a, setup.StepBaseURL, setup.StepHAProxy).lines {
		without[l] = true
	}
	p := preview{title: "what SSH adds"}
	for _, l := range with.lines {
		if !without[l] && (strings.HasPrefix(l, "+") || strings.HasPrefix(l, "-")) {
			p.lines = append(p.lines, l)
		}
	}
	if len(p.lines) == 0 {
		return preview{}
	}
	return p
}

// planPreview is the change of some steps.
func (iv *interview) planPreview(a setup.Answers, shown ...string) preview {
	all := a.Skip
	a.Skip = append([]string(nil), all...)
	for _, s := range steps {
		if !slices.Contains(shown, s) && !a.Skips(s) {
			a.Skip = append(a.Skip, s)
		}
	}
	if a.Restart == setup.Auto { // not answered yet, and not shown here
		a.Restart, a.Reload = setup.Never, setup.Never
	}
	facts := iv.facts
	facts.Certificate = setup.Certificate{} // not shown, and not complete before its key is known
	plan, err := iv.b.Build(facts, a)
	if err != nil {
		return preview{}
	}
	var p preview
	for _, s := range plan.Steps {
		for _, c := range s.Changes {
			if slices.Contains(shown, s.ID) && c.BaseURL != nil {
				p.title = "base URL"
				p.lines = append(p.lines, baseURLLines(c.BaseURL)...)
			}
		}
	}
	for _, d := range iv.b.Diffs(facts, plan) {
		if p.title == "" {
			p.title = shortPath(d.Path)
		} else {
			p.lines = append(p.lines, "", shortPath(d.Path))
		}
		p.lines = append(p.lines, hunks(d.Unified)...)
	}
	return p
}

// baseURLLines shows the change of the base URL like a diff.
func baseURLLines(c *setup.BaseURLChange) []string {
	old := c.Old
	if old == "" {
		old = "unknown until an administrator is signed in"
	}
	lines := []string{"- " + old, "+ " + c.New}
	if c.SSHNew != "" {
		old = c.SSHOld
		if old == "" {
			old = "unknown"
		}
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

// finishedPlan builds the whole plan.
func (iv *interview) finishedPlan() (setup.Plan, []setup.FileDiff, error) {
	plan, err := iv.b.Build(iv.facts, iv.answers)
	if err != nil {
		return setup.Plan{}, nil, err
	}
	return plan, iv.b.Diffs(iv.facts, plan), nil
}
