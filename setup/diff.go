package setup

import (
	"strconv"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"bitgate/internal/pattern"
	"bitgate/internal/printable"
)

// FileDiff is one file before and after all changes of the plan.
type FileDiff struct {
	Path    string `json:"path"`
	Unified string `json:"diff"` // unified diff, values of others hidden
}

// Diffs makes the diffs people review: one per file, however many steps touch
// it. Certificates are described by their change's What and never shown.
func Diffs(f Facts, p Plan) []FileDiff {
	var out []FileDiff
	files := f.files()
	for _, path := range p.EditedPaths() {
		before := files[path].Data
		after, err := p.Applied(path, before)
		if err != nil {
			continue // a stale plan: apply says so, with the reason
		}
		out = append(out, FileDiff{Path: path, Unified: unified(path, string(before), string(after), true)})
	}
	return out
}

// Unified is a diff for people of what others have changed: values are hidden (see
// hide), and what a terminal would obey is written out.
func Unified(path string, before, after []byte) string {
	return unified(path, string(before), string(after), false)
}

// hunk is the head of a part of a diff: where it begins in both files.
var hunk = pattern.Lazy(`^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@`)

// needed are the lines of both files that a diff shows, by index.
func needed(diff string) (was, is map[int]bool) {
	was, is = map[int]bool{}, map[int]bool{}
	from, to := 0, 0
	for line := range strings.Lines(diff) {
		m := hunk().FindStringSubmatch(line)
		switch {
		case m != nil:
			from, _ = strconv.Atoi(m[1])
			to, _ = strconv.Atoi(m[2])
			from, to = max(from, 1), max(to, 1)
		case from+to == 0 || line[0] == '\\':
		case line[0] == '+':
			is[to-1] = true
			to++
		case line[0] == '-':
			was[from-1] = true
			from++
		default:
			was[from-1], is[to-1] = true, true
			from++
			to++
		}
	}
	return was, is
}

// unified makes a diff and then hides what is the administrator's in it: before,
// a changed value would be hidden on both sides and the change with it. own says
// that new lines are bitgate's.
func unified(path, before, after string, own bool) string {
	diff := udiff.Unified(path, path+" (after)", before, after)
	wasNeeded, isNeeded := needed(diff)
	was, is := hide(path, before, wasNeeded), hide(path, after, isNeeded)
	known := map[string]bool{}
	for line := range strings.SplitSeq(before, "\n") {
		known[line] = true
	}
	var out strings.Builder
	from, to := 0, 0
	pick := func(lines []string, n int) string {
		if n < 1 || n > len(lines) {
			return hidden
		}
		return lines[n-1]
	}
	for line := range strings.Lines(diff) {
		text, end := strings.CutSuffix(line, "\n")
		switch m := hunk().FindStringSubmatch(text); {
		case m != nil:
			from, _ = strconv.Atoi(m[1])
			to, _ = strconv.Atoi(m[2])
			// "-0,0" names the line before the first
			from, to = max(from, 1), max(to, 1)
		case from+to == 0, strings.HasPrefix(text, "\\"): // the head; "\ No newline at end of file"
		case strings.HasPrefix(text, "+"):
			if own && !known[text[1:]] {
				text = "+" + mask(text[1:]) // a line of somebody's that became a comment may hold a secret
			} else {
				text = "+" + pick(is, to)
			}
			to++
		case strings.HasPrefix(text, "-"):
			text = "-" + pick(was, from)
			from++
		default:
			text = " " + pick(was, from)
			from++
			to++
		}
		out.WriteString(text)
		if end {
			out.WriteByte('\n')
		}
	}
	return printable.Text(out.String())
}
