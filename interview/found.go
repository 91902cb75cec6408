package interview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// Words of Bitbucket's /status (bitbucket.State), which the wizard only shows.
const (
	StateRunning     = "RUNNING"
	stateFirstRun    = "FIRST_RUN"
	stateUnreachable = "UNREACHABLE"
)

// FoundLine is a line of what was seen on the machine.
type FoundLine struct {
	Level  problem.Level
	Label  string
	Value  string
	Source string
}

// FoundLines tell what Detect saw, in the order of the page.
func FoundLines(f setup.Facts, a setup.Answers) []FoundLine {
	lines := []FoundLine{bitbucketLine(f)}
	if f.Bitbucket.Home != "" {
		lines = append(lines, FoundLine{problem.OK, "Home", f.Bitbucket.Home, f.Bitbucket.Why["Home"]})
	}
	if f.ContextPath.Set {
		lines = append(lines, FoundLine{problem.OK, "Context path", SpellPath(f.ContextPath.Value), f.ContextPath.Why})
	}
	switch {
	case f.Instance.BaseURL.Set:
		lines = append(lines, FoundLine{problem.OK, "Base URL", f.Instance.BaseURL.Value, f.Instance.BaseURL.Why})
	case f.Instance.State == StateRunning:
		lines = append(lines, FoundLine{problem.Note, "Base URL", "only visible after signing in", ""})
	}
	if a.Front != setup.FrontTomcat || f.HAProxy.Bin != "" {
		lines = append(lines, haproxyLine(f))
	}
	switch {
	case a.Restart != "" && a.Restart != setup.Auto:
		lines = append(lines, FoundLine{problem.OK, "Restart", a.Restart, ""})
	case f.BitbucketCtl.How != "":
		line := FoundLine{problem.OK, "Restart", f.BitbucketCtl.String(), f.BitbucketCtl.Why}
		if strings.HasSuffix(line.Source, f.BitbucketCtl.Name) { // "init script /etc/init.d/atlbitbucket" says both
			line.Value, line.Source = line.Source, ""
		}
		lines = append(lines, line)
	default:
		lines = append(lines, FoundLine{problem.Warn, "Restart", "no service of Bitbucket found; bitgate will ask", ""})
	}
	if l, taken := portHolder(f, a); taken && !a.URL.IsZero() {
		lines = append(lines, FoundLine{problem.Warn, "Port", heldBy(l), ""})
	}
	return lines
}

func bitbucketLine(f setup.Facts) FoundLine {
	product := cmp.Or(f.Bitbucket.Product, "Bitbucket")
	version := cmp.Or(f.Bitbucket.Version, f.Instance.Version)
	if f.Bitbucket.Home == "" && f.Instance.State == "" {
		return FoundLine{problem.Warn, product, "not found here; bitgate will ask where it is", ""}
	}
	line := FoundLine{problem.OK, product, strings.TrimSpace(version), f.Bitbucket.Why["Version"]}
	if version == "" {
		line.Level, line.Value = problem.Warn, "version not found; bitgate will ask"
	}
	switch f.Instance.State {
	case StateRunning, stateFirstRun:
		line.Value += fmt.Sprintf(", %s at %s", f.Instance.State, f.Instance.Base)
	case "":
	case stateUnreachable:
		line.Level = problem.Warn
		line.Value += ", does not answer at " + f.Instance.Upstream
		if f.Instance.Detail != "" {
			line.Value += " (" + f.Instance.Detail + ")"
		}
	default:
		line.Level = problem.Warn
		line.Value += ", " + string(f.Instance.State)
	}
	return line
}

func haproxyLine(f setup.Facts) FoundLine {
	if f.HAProxy.Bin == "" {
		return FoundLine{problem.Note, "HAProxy", "not installed; the built-in proxy can do it", ""}
	}
	value := f.HAProxy.Version.Text
	if n := len(f.HAProxy.Files); n > 0 {
		value += ", " + f.HAProxy.Files[n-1]
	}
	return FoundLine{problem.OK, "HAProxy", value, f.HAProxy.Why["Bin"]}
}

// Headline is what the header says of the machine.
func Headline(f setup.Facts, a setup.Answers) string {
	if f.Bitbucket.Home == "" && f.Bitbucket.Version == "" && f.Instance.State == "" {
		return "Bitbucket behind HTTPS"
	}
	product := cmp.Or(f.Bitbucket.Product, "Bitbucket")
	text := strings.TrimSpace(product + " " + a.Version)
	switch a.Front {
	case setup.FrontBuiltin:
		return text + " behind the built-in proxy"
	case setup.FrontTomcat:
		return text + " with TLS of its own"
	}
	version, _, _ := strings.Cut(f.HAProxy.Version.Text, "-")
	return strings.TrimSpace(text + " behind HAProxy " + version)
}

// Distinct drops what was said already: several looks may see the same.
func Distinct(findings []problem.Finding) []problem.Finding {
	var out []problem.Finding
	seen := map[string]bool{}
	for _, f := range findings {
		if text := f.Headline(); !seen[text] {
			seen[text] = true
			out = append(out, f)
		}
	}
	return out
}

// WorthSaying is findings without those that are fine.
func WorthSaying(findings []problem.Finding) []problem.Finding {
	return slices.DeleteFunc(Distinct(findings), func(f problem.Finding) bool { return f.Level == problem.OK })
}
