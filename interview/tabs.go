package interview

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/setup"
)

// Tabs that are handled in their own way.
const (
	ChecksTab  = "checks"
	CommandTab = "command"
)

// Tab is one page of the review; plain lines, coloured when drawn.
type Tab struct {
	Title string
	Path  string
	Lines []string
	Diff  bool
}

// Tabs are the files, then what is no file.
func Tabs(plan setup.Plan, diffs []setup.FileDiff, iv *Interview) []Tab {
	var tabs []Tab
	names := map[string]int{}
	for _, d := range diffs {
		names[path.Base(d.Path)]++
	}
	for _, d := range diffs {
		title := path.Base(d.Path)
		if names[title] > 1 {
			title = shortPath(d.Path)
		}
		tabs = append(tabs, Tab{Title: title, Path: d.Path, Lines: diffLines(d), Diff: true})
	}
	var base, services, bundle []string
	for _, ref := range plan.Ordered() {
		c := plan.At(ref)
		switch {
		case c.BaseURL != nil:
			base = append(append(base, c.Text(), ""), baseURLLines(c.BaseURL)...)
		case c.Service != nil:
			services = append(services, serviceLines(c)...)
		case c.Program != nil:
			services = append(services, c.Text(), "")
		case c.Certificate != nil, c.KeyStore != nil:
			bundle = append(bundle, c.Text())
		}
	}
	if len(base) > 0 {
		tabs = append(tabs, Tab{Title: "base URL", Lines: base, Diff: true})
	}
	if len(services) > 0 {
		tabs = append(tabs, Tab{Title: "services", Lines: services})
	}
	if len(bundle) > 0 {
		tabs = append(tabs, Tab{Title: "bundle", Lines: bundle})
	}
	return append(tabs, Tab{Title: ChecksTab, Lines: ChecksText(plan, nil)}, Tab{Title: CommandTab, Lines: CommandLines(iv)})
}

// diffLines are a file's diff; its second header line need not name the file again.
func diffLines(d setup.FileDiff) []string {
	lines := strings.Split(strings.TrimRight(d.Unified, "\n"), "\n")
	if len(lines) > 1 && strings.HasPrefix(lines[1], "+++ "+d.Path) {
		lines[1] = "+++ after"
	}
	return lines
}

func serviceLines(c setup.Change) []string {
	s := c.Service
	lines := []string{string(s.Verb) + " " + ServiceName(s.Target)}
	if s.Control.How != "" && s.Control.How != service.Manual {
		lines = append(lines, "  how      "+s.Control.String())
	}
	if notice := s.Notice(); notice != "" {
		lines = append(lines, "  effect   "+notice)
	}
	return append(lines, "")
}

// ChecksText are the notes of the plan and the proofs of CheckPlan, the worst first.
func ChecksText(plan setup.Plan, findings []problem.Finding) []string {
	var lines []string
	all := Distinct(append(append([]problem.Finding(nil), findings...), plan.Notes...))
	for _, level := range []problem.Level{problem.Fail, problem.Warn, problem.Note, problem.OK} {
		for _, f := range problem.OfLevel(all, level) {
			lines = append(lines, plainFinding(f)...)
		}
	}
	for _, p := range plan.Pending {
		lines = append(lines, "-   left for you: "+p)
	}
	for _, s := range plan.Steps {
		if s.Skipped != "" {
			lines = append(lines, fmt.Sprintf("-   %s: nothing to do, %s", s.Title, s.Skipped))
		}
	}
	if len(lines) == 0 {
		return []string{"nothing to report"}
	}
	return lines
}

// plainFinding is a finding in up to three lines, without colour or wrapping.
func plainFinding(f problem.Finding) []string {
	mark := cmp.Or(map[problem.Level]string{problem.OK: "ok", problem.Warn: "! ", problem.Fail: "x "}[f.Level], "- ")
	lines := []string{mark + "  " + f.Headline()}
	if f.Level == problem.Warn || f.Level == problem.Fail {
		for _, t := range []string{f.Why, f.Do} {
			if t != "" {
				lines = append(lines, "    "+t)
			}
		}
	}
	return lines
}

// CommandLines are the same answers as flags, one a line.
func CommandLines(iv *Interview) []string {
	lines := append([]string{"The same without questions:", ""}, commandFlags(iv)...)
	if iv.SignedIn != "" {
		lines = append(lines, "", "and --admin-password-file FILE, a file only you can read")
	}
	return lines
}

// ScriptText is the command as a script, called as spell has it. The password is not
// known here.
func ScriptText(iv *Interview, spell problem.Spelling) string {
	lines := commandFlags(iv)
	lines[0] = spell.Text(strings.Replace(lines[0], "apply", "apply --yes", 1))
	if iv.SignedIn != "" {
		lines[len(lines)-1] += " \\"
		lines = append(lines, `  --admin-password-file "${1:?the file with the password of `+iv.SignedIn+`}"`)
	}
	return "#!/bin/sh\n# What was answered in bitgate setup. There is no secret in here.\nexec " + strings.Join(lines, "\n") + "\n"
}

func commandFlags(iv *Interview) []string {
	lines := []string{"bitgate apply \\"}
	for _, q := range questions {
		if q.Virtual || iv.inputSources[q.ID].From == "" {
			continue
		}
		if text := q.Get(iv.Input); text != "" {
			for _, one := range values(q, text) {
				lines = append(lines, "  "+flagText(q, one)+" \\")
			}
		}
	}
	last := len(lines) - 1
	lines[last] = strings.TrimSuffix(lines[last], " \\")
	return lines
}

func values(q Question, text string) []string {
	if q.Kind != List {
		return []string{text}
	}
	return q.Split(text)
}

// flagText writes an answer as a flag a shell takes.
func flagText(q Question, text string) string {
	if q.Kind == Confirm {
		if text == "no" {
			return "--" + q.ID + "=false"
		}
		return "--" + q.ID
	}
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/:@%+=,") != "" {
		text = "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	}
	return "--" + q.ID + " " + text
}
