package haproxy

import (
	"bytes"
	"fmt"
	"strings"

	"bitgate/internal/problem"
)

// The marker comments. The words after "bitgate" on the first one are bitgate's
// own notes; noFinalNewline says that the file did not end with a line end
// before bitgate added one, so that Remove gives the original back.
const (
	beginMark      = "# >>> bitgate"
	endMark        = "# <<< bitgate"
	noFinalNewline = "nofinalnewline"
)

// region is what stands between our markers, the marker lines included.
type region struct {
	first, last int // line indexes, -1 when there is none
	start, end  int // byte offsets
	words       []string
}

func (r region) exists() bool        { return r.first >= 0 }
func (r region) holds(line int) bool { return r.first >= 0 && line >= r.first && line <= r.last }
func (r region) has(word string) bool {
	for _, w := range r.words {
		if w == word {
			return true
		}
	}
	return false
}

// findRegion finds our markers. One without the other, or two regions, mean
// that somebody edited them: nothing can be taken out safely then.
func findRegion(src Source, f *File) (region, error) {
	r := region{first: -1, last: -1}
	for i, l := range f.Lines {
		text := string(bytes.TrimSpace(l.Raw))
		switch {
		case marks(text, beginMark):
			if r.first >= 0 {
				return region{first: -1, last: -1}, brokenMarkers(src, i, "a second "+beginMark)
			}
			r.first, r.start = i, l.Start
			notes, _, _ := strings.Cut(text[len(beginMark):], ":")
			r.words = strings.Fields(notes)
		case marks(text, endMark):
			if r.first < 0 || r.last >= 0 {
				return region{first: -1, last: -1}, brokenMarkers(src, i, endMark+" without its beginning")
			}
			r.last, r.end = i, l.Start+len(l.Raw)
		}
	}
	if r.first >= 0 && r.last < 0 {
		return region{first: -1, last: -1}, brokenMarkers(src, r.first, beginMark+" without its end")
	}
	return r, nil
}

// marks: "# >>> bitgate: ..." but not "# >>> bitgated".
func marks(text, mark string) bool {
	rest, ok := strings.CutPrefix(text, mark)
	return ok && (rest == "" || rest[0] == ':' || rest[0] == ' ')
}

func brokenMarkers(src Source, line int, what string) error {
	return problem.New(
		fmt.Sprintf("%s, line %d: %s", src.Path, line+1, what),
		"bitgate replaces and removes only what stands between its two marker comments; here it cannot tell what is its own",
		fmt.Sprintf("restore the marker lines (%q ... %q) or take bitgate's sections out by hand, then run again", beginMark, endMark))
}

// wrap puts body between markers.
func wrap(body string, missingNewline bool) string {
	note := ""
	if missingNewline {
		note = " " + noFinalNewline
	}
	return beginMark + note + `: do not edit up to the end mark; "bitgate setup" rewrites it, "bitgate undo" removes it >>>` + "\n" +
		body + endMark + " <<<\n"
}
