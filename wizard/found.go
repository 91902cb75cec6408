package wizard

import (
	"fmt"
	"strings"

	"bitgate/setup"
)

// Words of Bitbucket's /status (bitbucket.State), which the wizard only shows.
const (
	stateRunning     = "RUNNING"
	stateFirstRun    = "FIRST_RUN"
	stateUnreachable = "UNREACHABLE"
)

// zeroAnswers are answers about which nothing is known.
var zeroAnswers setup.Answers

// found is a line of what was seen on the machine.
type foundLine struct {
	level  setup.Level
	label  string
	value  string
	source string
}

// foundLines tell what Detect saw, in the order of the page.
func foundLines(f setup.Facts, a setup.Answers) []foundLine {
	lines := []foundLine{bitbucketLine(f)}
	if f.Bitbucket.Home != "" {
		lines = append(lines, foundLine{setup.OK, "Home", f.Bitbucket.Home, f.Bitbucket.Why["Home"]})
	}
	if f.ContextPath.Set {
		lines = append(lines, foundLine{setup.OK, "Context path", spellPath(f.ContextPath.Value), f.ContextPath.Why})
	}
	switch {
	case f.Instance.BaseURL.Set:
		lines = append(lines, foundLine{setup.OK, "Base URL", f.Instance.BaseURL.Value, f.Instance.BaseURL.Why})
	case f.Instance.State == stateRunning:
		lines = append(lines, foundLine{setup.Note, "Base URL", "not told without signing in", ""})
	}
	lines = append(lines, haproxyLine(f))
	switch {
	case a.Restart != "" && a.Restart != setup.Auto:
		lines = append(lines, foundLine{setup.OK, "Restart", a.Restart, ""})
	case f.BitbucketCtl.How != "":
		line := foundLine{setup.OK, "Restart", fmt.Sprintf("%s %s", f.BitbucketCtl.How, f.BitbucketCtl.Name), f.BitbucketCtl.Why}
		if strings.HasSuffix(line.source, f.BitbucketCtl.Name) { // "init script /etc/init.d/atlbitbucket" says both
			line.value, line.source = line.source, ""
		}
		lines = append(lines, line)
	default:
		lines = append(lines, foundLine{setup.Warn, "Restart", "no service of Bitbucket found; bitgate will ask", ""})
	}
	if l, taken := portHolder(f, a); taken && !a.URL.IsZero() {
		lines = append(lines, foundLine{setup.Warn, "Port", heldBy(l), ""})
	}
	return lines
}

func bitbucketLine(f setup.Facts) foundLine {
	product := f.Bitbucket.Product
	if product == "" {
		product = "Bitbucket"
	}
	version := f.Bitbucket.Version
	if version == "" {
		version = f.Instance.Version
	}
	if f.Bitbucket.Home == "" && f.Instance.State == "" {
		return foundLine{setup.Warn, product, "not found here; bitgate will ask where it is", ""}
	}
	line := foundLine{setup.OK, product, strings.TrimSpace(version), f.Bitbucket.Why["Version"]}
	if version == "" {
		line.level, line.value = setup.Warn, "version not found; bitgate will ask"
	}
	switch f.Instance.State {
	case stateRunning, stateFirstRun:
		line.value += fmt.Sprintf(", %s at %s", f.Instance.State, f.Instance.Base)
	case "":
	case stateUnreachable:
		line.level = setup.Warn
		line.value += ", does not answer at " + f.Instance.Upstream
		if f.Instance.Detail != "" {
			line.value += " (" + f.Instance.Detail + ")"
		}
	default:
		line.level = setup.Warn
		line.value += ", " + string(f.Instance.State)
	}
	return line
}

func haproxyLine(f setup.Facts) foundLine {
	if f.HAProxy.Bin == "" {
		return foundLine{setup.Note, "HAProxy", "not installed; the built-in proxy can do it", ""}
	}
	value := f.HAProxy.Version.Text
	if n := len(f.HAProxy.Files); n > 0 {
		value += ", " + f.HAProxy.Files[n-1]
	}
	return foundLine{setup.OK, "HAProxy", value, f.HAProxy.Why["Bin"]}
}

// headline is what the header says of the machine.
func headline(f setup.Facts, a setup.Answers) string {
	if f.Bitbucket.Home == "" && f.Bitbucket.Version == "" && f.Instance.State == "" {
		return "Bitbucket behind HTTPS"
	}
	product := f.Bitbucket.Product
	if product == "" {
		product = "Bitbucket"
	}
	text := strings.TrimSpace(product + " " + a.Version)
	if a.Front == setup.FrontBuiltin {
		return text + " behind the built-in proxy"
	}
	version, _, _ := strings.Cut(f.HAProxy.Version.Text, "-")
	return strings.TrimSpace(text + " behind HAProxy " + version)
}

// distinct drops what was said already: several looks may see the same.
func distinct(findings []setup.Finding) []setup.Finding {
	var out []setup.Finding
	said := map[string]bool{}
	for _, f := range findings {
		if text := f.Title + "\n" + f.Seen; !said[text] {
			said[text] = true
			out = append(out, f)
		}
	}
	return out
}

// worthSaying is findings without those that are fine.
func worthSaying(findings []setup.Finding) []setup.Finding {
	var out []setup.Finding
	for _, f := range distinct(findings) {
		if f.Level != setup.OK {
			out = append(out, f)
		}
	}
	return out
}
