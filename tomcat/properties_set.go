package tomcat

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/problem"
	"bitgate/internal/splice"
)

// Edit gives every property its value, changing existing lines in place, un-commenting
// where a person would, else appending one commented block; and it comments out every
// line of the keys in gone. A key that is wanted, too, gets a new line: what the old one
// says is in no splice then.
func (p *Properties) Edit(want []Property, gone []string) (Result, error) {
	var res Result
	for _, e := range p.entries {
		if slices.Contains(gone, e.key) {
			res.Splices = append(res.Splices, p.comment(e)...)
		}
	}
	var missing []Property
	for i, w := range want {
		if slices.ContainsFunc(want[i+1:], func(later Property) bool { return later.Key == w.Key }) {
			continue
		}
		res.Notes = append(res.Notes, p.remarks(w.Key)...)
		if slices.Contains(gone, w.Key) {
			missing = append(missing, w)
			continue
		}
		live := p.all(w.Key)
		if len(live) == 0 {
			if c, ok := p.commentedOut(w.Key); ok {
				res.Splices = append(res.Splices, p.uncomment(c, w)...)
			} else {
				missing = append(missing, w)
			}
			continue
		}
		last := live[len(live)-1]
		if last.value == w.Value {
			continue
		}
		note, err := p.checkPlaceholder(last, w)
		if err != nil {
			return Result{}, err
		}
		if note != "" {
			res.Notes = append(res.Notes, note)
		}
		res.Splices = append(res.Splices, p.replace(last, w))
	}
	if len(missing) > 0 {
		res.Splices = append(res.Splices, p.block(missing))
	}
	slices.SortStableFunc(res.Splices, func(a, b splice.Splice) int { return a.Offset - b.Offset })
	var err error
	if res.After, err = splice.Apply(p.src, res.Splices); err == nil {
		err = p.verify(res.After, want, gone)
	}
	if err != nil {
		return Result{}, problem.Wrap(err, p.name+": the edit does not read back as intended", "the edit was not made", "set the keys by hand")
	}
	return res, nil
}

// remarks says what a person should know about the lines of key.
func (p *Properties) remarks(key string) []string {
	var notes []string
	if live := p.all(key); len(live) > 1 {
		notes = append(notes, fmt.Sprintf("duplicate key %s (lines %s), the last one (line %d) counts", key, entryLines(live), live[len(live)-1].line))
	}
	for _, t := range p.twins(key) {
		notes = append(notes, fmt.Sprintf("%s in line %d is another spelling of %s: remove that line, bitgate sets %s only", t.key, t.line, key, key))
	}
	return notes
}

// checkPlaceholder guards values that are set elsewhere: a context path is
// refused as in server.xml, other keys become literal with a note.
func (p *Properties) checkPlaceholder(e entry, w Property) (note string, err error) {
	name := springPlaceholder(e.value)
	switch {
	case name == "":
		return "", nil
	case w.Key == contextPathKey:
		return "", problem.New(fmt.Sprintf("%s, line %d: %s is the property ${%s}", p.name, e.line, w.Key, name),
			"its value is set elsewhere (environment or -D), and others may rely on it",
			fmt.Sprintf("set %s to %q, or write the path literally into this file", name, w.Value))
	}
	return fmt.Sprintf("%s in line %d was the property ${%s} and is now written literally", w.Key, e.line, name), nil
}

// springPlaceholder is placeholder with Spring's default syntax, ${name:default}.
func springPlaceholder(v string) string {
	name, _, _ := strings.Cut(placeholder(v), ":")
	return name
}

func (p *Properties) replace(e entry, w Property) splice.Splice {
	text := escapeValue(w.Value)
	if !e.separated {
		text = "=" + text
	}
	return splice.Splice{Offset: e.valueAt, Old: string(p.src[e.valueAt:e.end]), New: text}
}

// comment puts a "#" before every natural line of an entry. A continued line is
// none any more then.
func (p *Properties) comment(e entry) []splice.Splice {
	out := []splice.Splice{{Offset: e.start, New: "#"}}
	for i := e.start; i < e.end; i++ {
		if isLineEnd(p.src[i]) && (i+1 == len(p.src) || p.src[i] != '\r' || p.src[i+1] != '\n') && i+1 < e.end {
			out = append(out, splice.Splice{Offset: i + 1, New: "#"})
		}
	}
	return out
}

// verify reads the result again: what was wanted is there, what was to go is not,
// all else is as it was.
func (p *Properties) verify(after []byte, want []Property, gone []string) error {
	edited, err := ParseProperties(p.name, after)
	if err != nil {
		return err
	}
	expected := map[string]string{}
	for _, e := range p.entries {
		expected[e.key] = e.value
	}
	if _, ok := edited.Get(""); !ok && expected[""] == "" {
		delete(expected, "") // Java's reading of a lone backslash at the end of the file
	}
	for _, key := range gone {
		delete(expected, key)
	}
	for _, w := range want {
		expected[w.Key] = w.Value
	}
	for key, value := range expected {
		if got, ok := edited.Get(key); !ok || got.Value != value {
			return fmt.Errorf("the key %s would not have the intended value", strconv.Quote(key))
		}
	}
	if len(edited.Keys()) != len(expected) {
		return fmt.Errorf("the edit would bring in other keys")
	}
	return nil
}

func entryLines(list []entry) string {
	var lines []string
	for _, e := range list {
		lines = append(lines, strconv.Itoa(e.line))
	}
	return several(lines)
}
