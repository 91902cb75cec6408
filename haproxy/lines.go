package haproxy

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"bitgate/internal/splice"
)

// lineMark is the comment that ends every line of ours within a section of the
// administrator's. After a colon may stand what we added to bind lines:
//
//	# bitgate's line: crt /etc/haproxy/git.pem on 1a2b3c4d
//
// the hash being that of the bind line as it was.
const lineMark = "# bitgate's line"

// withoutLines takes our lines, what we added to bind lines, and the marks of
// replaced sections out of data.
func withoutLines(data []byte) []byte {
	data = withoutAdoption(data)
	if !bytes.Contains(data, []byte(lineMark)) {
		return data
	}
	var kept []Line
	added := map[string][]string{} // " crt FILE" by hashes
	for _, l := range Parse(data).Lines {
		if l.Comment < 0 || !bytes.HasPrefix(data[l.Comment:], []byte(lineMark)) {
			kept = append(kept, l)
			continue
		}
		note := strings.TrimSpace(strings.TrimPrefix(string(l.Raw[l.Comment-l.Start:]), lineMark+":"))
		if what, hashes, ok := cutLast(note, " on "); ok && strings.HasPrefix(what, "crt ") {
			added[" "+what] = append(added[" "+what], strings.Fields(hashes)...)
		}
	}
	var out []byte
	for _, l := range kept {
		out = append(out, restored(l, added)...)
	}
	if missesEnd(data) && !missesEnd(out) { // ours were the last, behind a line that did not end
		out = trimEOL(out)
	}
	return out
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// restored is a bind line as it was before we added to it. One that was edited
// since loses what we added all the same.
func restored(l Line, added map[string][]string) []byte {
	if len(l.Words) < 2 || l.Words[0].Text != "bind" {
		return l.Raw
	}
	for what, hashes := range added {
		i := bytes.LastIndex(l.Raw, []byte(what))
		if i < 0 {
			continue
		}
		before := slices.Concat(l.Raw[:i], l.Raw[i+len(what):])
		if slices.Contains(hashes, hash(before)) || !slices.Contains(hashes, hash(l.Raw)) {
			return before
		}
	}
	return l.Raw
}

func hash(line []byte) string {
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE(bytes.TrimRight(line, "\r\n")))
}

// insertion puts text at a byte offset of a file.
type insertion struct {
	offset int
	text   string
}

// insert does all insertions; those of one place keep their order.
func insert(data []byte, all []insertion) []byte {
	slices.SortStableFunc(all, func(a, b insertion) int { return a.offset - b.offset })
	var out []byte
	at := 0
	for _, in := range all {
		out = append(append(out, data[at:in.offset]...), in.text...)
		at = in.offset
	}
	return append(out, data[at:]...)
}

// edits describes the way from before to after line by line.
func edits(before, after []byte) []splice.Splice {
	var out []splice.Splice
	for _, e := range udiff.Lines(string(before), string(after)) {
		out = append(out, splice.Splice{Offset: e.Start, Old: string(before[e.Start:e.End]), New: e.New})
	}
	return out
}
