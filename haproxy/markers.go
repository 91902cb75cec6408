package haproxy

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"strings"

	"bitgate/internal/problem"
)

// The marker comments. Between "bitgate" and the colon of the first one may
// stand "nofinalnewline=HASH": bitgate added the line end that the file's last
// line, which has this hash, did not have, and Remove takes it off again.
const (
	beginMark      = "# >>> bitgate"
	endMark        = "# <<< bitgate"
	noFinalNewline = "nofinalnewline="
)

// region is what stands between our markers, the marker lines included.
type region struct {
	first, last int    // line indexes, -1 when there is none
	start, end  int    // byte offsets
	note        string // "nofinalnewline=HASH", or ""
}

func (r region) exists() bool        { return r.first >= 0 }
func (r region) holds(line int) bool { return r.first >= 0 && line >= r.first && line <= r.last }

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
			if note := strings.TrimSpace(notes); strings.HasPrefix(note, noFinalNewline) {
				r.note = note
			}
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

// lastLineNote is the note for data whose last line does not end.
func lastLineNote(data []byte) string {
	last := bytes.TrimPrefix(data[bytes.LastIndexByte(data, '\n')+1:], []byte(adoptMark))
	return fmt.Sprintf("%s%08x", noFinalNewline, crc32.ChecksumIEEE(last))
}

// withoutAddedEnd returns data without the line end that the note says bitgate
// added; false when the last line is another one now.
func withoutAddedEnd(data []byte, note string) ([]byte, bool) {
	for _, eol := range []string{"\r\n", "\n"} {
		if rest, ok := bytes.CutSuffix(data, []byte(eol)); ok && lastLineNote(rest) == note {
			return rest, true
		}
	}
	return nil, false
}

// wrap puts body between markers.
func wrap(body, note string) string {
	if note != "" {
		note = " " + note
	}
	return beginMark + note + `: do not edit up to the end mark; "bitgate setup" rewrites it, "bitgate undo" removes it >>>` + "\n" +
		body + endMark + " <<<\n"
}
