package rehearsal

import (
	"fmt"
	"slices"
)

// edit replaces bytes of a file.
type edit struct {
	start, end int
	text       string
}

func apply(data []byte, edits []edit) []byte {
	slices.SortStableFunc(edits, func(a, b edit) int { return a.start - b.start })
	var out []byte
	at := 0
	for _, e := range edits {
		if e.start >= at {
			out = append(append(out, data[at:e.start]...), e.text...)
			at = e.end
		}
	}
	return append(out, data[at:]...)
}

type writer struct {
	*Stage
	around Surroundings
	edits  [][]edit
	unix   []string // paths of UNIX sockets that are bound
	port   int      // that recorders listen on
	bound  map[int][]address
}

// boundAt lists the addresses of doors with a port. There may be as many doors
// as servers.
func (w *writer) boundAt(port int) []address {
	if w.bound == nil {
		w.bound = map[int][]address{}
		for _, d := range w.Doors {
			b, _ := parseAddress(d.Bind)
			for p := b.port; p <= min(b.last, 65535); p++ {
				w.bound[p] = append(w.bound[p], b)
			}
		}
	}
	return w.bound[port]
}

// blank takes a line out and leaves its place.
func (w *writer) blank(l line) {
	w.edits[l.file] = append(w.edits[l.file], edit{l.Words[0].Start, l.Words[len(l.Words)-1].End, ""})
}

// skip is blank, and tells that what the line does is not rehearsed.
func (w *writer) skip(l line, why string) {
	w.blank(l)
	w.Out = append(w.Out, Cut{Place: Place{w.config.files[l.file].path, l.index + 1}})
	w.Said = append(w.Said, fmt.Sprintf("%s, line %d is not rehearsed: %s", w.config.files[l.file].path, l.index+1, why))
}

func (w *writer) replace(l line, word int, text string) {
	w.edits[l.file] = append(w.edits[l.file], edit{l.Words[word].Start, l.Words[word].End, text})
}

// cut takes words out, count of them.
func (w *writer) cut(l line, word, count int) {
	last := min(word+count, len(l.Words)) - 1
	w.edits[l.file] = append(w.edits[l.file], edit{l.Words[word].Start, l.Words[last].End, ""})
}

// dropped reports whether a line is left out; words of it go by themselves.
func (w *writer) dropped(l line) bool {
	for _, c := range w.around.Drop {
		if c.Place != (Place{w.config.files[l.file].path, l.index + 1}) {
			continue
		}
		if c.Count == 0 {
			return true
		}
		w.cut(l, c.Word, c.Count)
	}
	return false
}
