package tomcat

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/problem"
	"bitgate/internal/splice"
)

// Set gives every property its value, changing existing lines in place,
// un-commenting where a person would, else appending one commented block.
func (p *Properties) Set(want []Property) (Result, error) {
	var res Result
	var missing []Property
	for i, w := range want {
		if slices.ContainsFunc(want[i+1:], func(later Property) bool { return later.Key == w.Key }) {
			continue
		}
		res.Notes = append(res.Notes, p.remarks(w.Key)...)
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
		err = p.verify(res.After, want)
	}
	if err != nil {
		return Result{}, problem.Wrap(err, p.name+": the edit does not read back as intended", "The edit was not made.", "Set the keys by hand.")
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
			"Its value is set elsewhere (environment or -D), and others may rely on it.",
			fmt.Sprintf("Set %s to %q, or write the path literally into this file.", name, w.Value))
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

// commentedOut finds the one comment line that a person would un-comment for
// key: "#key=value" with a value of one word, not in a block that Bitbucket
// wrote ("#>"). Prose that happens to begin with the key is left alone.
func (p *Properties) commentedOut(key string) (c comment, ok bool) {
	for _, candidate := range p.comments {
		name, _, found := p.commentedKey(candidate)
		if !found || name != key {
			continue
		}
		if ok {
			return c, false
		}
		c, ok = candidate, true
	}
	return c, ok
}

// commentedKey splits "# key = value" and says where the value begins.
func (p *Properties) commentedKey(c comment) (key string, valueAt int, ok bool) {
	text := string(p.src[c.at:c.end])
	at := len(text) - len(strings.TrimLeft(text, "#! \t\f"))
	i := strings.IndexAny(text, "=:")
	if i < at || strings.HasSuffix(text, `\`) {
		return "", 0, false
	}
	rest := text[i+1:]
	value := strings.Trim(rest, " \t\f")
	if strings.ContainsAny(value, " \t\f") {
		return "", 0, false
	}
	valueAt = c.at + i + 1 + len(rest) - len(strings.TrimLeft(rest, " \t\f"))
	return strings.TrimRight(text[at:i], " \t\f"), valueAt, true
}

func (p *Properties) uncomment(c comment, w Property) []splice.Splice {
	_, valueAt, _ := p.commentedKey(c)
	text := string(p.src[c.at:c.end])
	signs := len(text) - len(strings.TrimLeft(text, "#! \t\f"))
	return []splice.Splice{
		{Offset: c.at, Old: text[:signs]},
		{Offset: valueAt, Old: string(p.src[valueAt:c.end]), New: escapeValue(w.Value)},
	}
}

const blockTitle = "# Set by bitgate: what Bitbucket must know about the HTTPS front"

// block appends keys at the end of the file, under one comment line. An
// earlier block that still ends the file is continued.
func (p *Properties) block(missing []Property) splice.Splice {
	eol := p.lineEnd()
	var b strings.Builder
	if !p.endsWithBlock() {
		if n := len(p.src); n > 0 {
			if !isLineEnd(p.src[n-1]) {
				b.WriteString(eol)
			}
			b.WriteString(eol) // also ends a line that a last backslash would continue
		}
		b.WriteString(blockTitle + eol)
	}
	for _, m := range missing {
		b.WriteString(escapeKey(m.Key) + "=" + escapeValue(m.Value) + eol)
	}
	return splice.Splice{Offset: len(p.src), New: b.String()}
}

// lineEnd is the terminator of the file's last line that has one.
func (p *Properties) lineEnd() string {
	i := bytes.LastIndexAny(p.src, "\r\n")
	switch {
	case i < 0:
		return "\n"
	case i > 0 && p.src[i] == '\n' && p.src[i-1] == '\r':
		return "\r\n"
	}
	return string(p.src[i])
}

func (p *Properties) endsWithBlock() bool {
	if len(p.comments) == 0 {
		return false
	}
	c, eol := p.comments[len(p.comments)-1], p.lineEnd()
	tail := string(p.src[c.end:])
	return string(p.src[c.at:c.end]) == blockTitle && strings.HasSuffix(tail, eol) &&
		!strings.Contains(tail, eol+eol) && !strings.Contains(tail, `\`+eol)
}

// verify reads the result again: what was wanted is there, all else is as it was.
func (p *Properties) verify(after []byte, want []Property) error {
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
	return strings.Join(lines, ", ")
}
