package setup

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"bitgate/haproxy"
	"bitgate/internal/pattern"
	"bitgate/internal/printable"
	"bitgate/setup/redact"
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
		d := diff{kind: p.kindOf(path), before: string(before), after: string(after)}
		if d.kind != redact.XML { // of which no line is shown whole
			d.ours = p.written(path, before, d.before)
		}
		out = append(out, FileDiff{Path: path, Unified: d.unified(path)})
	}
	return out
}

// Unified is a diff for people of what others have changed in a file of the plan:
// values are hidden (see redact), and what a terminal would obey is written out.
func (p Plan) Unified(path string, before, after []byte) string {
	return diff{kind: p.kindOf(path), before: string(before), after: string(after)}.unified(path)
}

func (p Plan) kindOf(path string) redact.Kind {
	if slices.Contains(p.Run.HAProxyFiles, path) {
		return redact.HAProxy
	}
	return redact.KindOf(path)
}

// written are the lines of a file after the plan, by index, all of whose bytes are
// bitgate's and that were not there before.
func (p Plan) written(path string, data []byte, before string) map[int]bool {
	mine := make([]bool, len(data))
	for e := range p.editsOf(path) {
		var text []byte
		var marks []bool
		at := 0
		for _, s := range e.Splices {
			text, marks = append(text, data[at:s.Offset]...), append(marks, mine[at:s.Offset]...)
			text, marks = append(text, s.New...), append(marks, slices.Repeat([]bool{true}, len(s.New))...)
			at = s.End()
		}
		data, mine = append(text, data[at:]...), append(marks, mine[at:]...)
	}
	ours, places := map[int]bool{}, map[string][]int{}
	at, i := 0, 0
	for line := range strings.SplitSeq(string(data), "\n") {
		if !slices.Contains(mine[at:at+len(line)], false) {
			ours[i] = true
			places[line] = append(places[line], i)
		}
		at, i = at+len(line)+1, i+1
	}
	for line := range strings.SplitSeq(before, "\n") {
		for _, i := range places[line] {
			delete(ours, i)
		}
		delete(places, line)
	}
	return ours
}

// diff is one that is still to be made.
type diff struct {
	kind          redact.Kind
	before, after string
	ours          map[int]bool // lines of after that bitgate writes
}

// shown gives the lines as they are shown by their index, n of them. A line of ours is,
// whole, unless the administrator's text may be in it.
func (d diff) shown(text string, ours map[int]bool) (line func(i int) string, n int) {
	hidden, n := redact.Each(d.kind, text)
	if len(ours) == 0 {
		return hidden, n
	}
	lines := strings.Split(text, "\n")
	return func(i int) string {
		if ours[i] && d.whole(lines[i]) {
			return lines[i]
		}
		return hidden(i)
	}, n
}

// whole reports whether all of a line that bitgate writes is its own: none that became a
// comment, and no key whose value was left alone.
func (d diff) whole(line string) bool {
	if d.kind == redact.Properties {
		return strings.HasPrefix(line, "#")
	}
	return !haproxy.Adopted(line)
}

// hunk is the head of a part of a diff: where it begins in both files.
var hunk = pattern.Lazy(`^@@ -(\d+)(,\d+)? \+(\d+)(,\d+)? @@`)

// contextLines is how many lines a diff shows around each change.
const contextLines = udiff.DefaultContextLines

// differing cuts both texts down to the lines in which they differ, and the context
// around them: to diff all lines of a large file costs more than the rest of a plan.
// skipped is how many lines stand before.
func (d diff) differing() (before, after string, skipped int) {
	before, after = d.before, d.after
	same := 0
	for same < min(len(before), len(after)) && before[same] == after[same] {
		same++
	}
	begin := same
	for range contextLines + 1 {
		begin = strings.LastIndexByte(before[:max(begin-1, 0)], '\n') + 1
	}
	rest := 0
	for rest < min(len(before), len(after))-same && before[len(before)-1-rest] == after[len(after)-1-rest] {
		rest++
	}
	for range contextLines + 1 {
		if i := strings.IndexByte(before[len(before)-rest:], '\n'); i >= 0 {
			rest -= i + 1
		} else {
			rest = 0
		}
	}
	return before[begin : len(before)-rest], after[begin : len(after)-rest], strings.Count(before[:begin], "\n")
}

// unified makes the diff and then hides what is the administrator's in it: before,
// a changed value would be hidden on both sides and the change with it.
func (d diff) unified(path string) string {
	old, edited, skipped := d.differing()
	was, before := d.shown(d.before, nil)
	is, after := d.shown(d.after, d.ours)
	var out strings.Builder
	from, to := 0, 0
	pick := func(line func(i int) string, lines int, n *int) string {
		*n++
		if *n > lines+1 {
			return redact.Hidden
		}
		return line(*n - 2)
	}
	for line := range strings.Lines(udiff.Unified(path, path+" (after)", old, edited)) {
		text, end := strings.CutSuffix(line, "\n")
		switch m := hunk().FindStringSubmatch(text); {
		case m != nil:
			from, _ = strconv.Atoi(m[1])
			to, _ = strconv.Atoi(m[3])
			from, to = from+skipped, to+skipped
			text = fmt.Sprintf("@@ -%d%s +%d%s @@", from, m[2], to, m[4])
			// "-0,0" names the line before the first
			from, to = max(from, 1), max(to, 1)
		case from+to == 0, strings.HasPrefix(text, "\\"): // the head; "\ No newline at end of file"
		case strings.HasPrefix(text, "+"):
			text = "+" + pick(is, after, &to)
		case strings.HasPrefix(text, "-"):
			text = "-" + pick(was, before, &from)
		default:
			text = " " + pick(is, after, &to)
			from++
		}
		out.WriteString(text)
		if end {
			out.WriteByte('\n')
		}
	}
	return printable.Text(out.String())
}
