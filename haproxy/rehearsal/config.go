package rehearsal

import (
	"maps"
	"strings"

	"bitgate/haproxy"
)

// config is a set of files as this package needs it: each section with what it
// inherits.
type config struct {
	files   []parsedFile
	env     map[string]string
	parents map[section]section // the defaults that a section inherits from
	modes   map[section]string  // as mode found them
}

type parsedFile struct {
	path string
	*haproxy.File
}

// section names one of the set.
type section struct{ file, index int }

func parse(set []haproxy.Source, env map[string]string) *config {
	c := &config{env: map[string]string{}, modes: map[section]string{}}
	maps.Copy(c.env, env)
	for _, src := range set {
		c.files = append(c.files, parsedFile{src.Path, haproxy.Parse(src.Data)})
	}
	c.parents = c.inheritance()
	c.each(func(_ section, s haproxy.Section, l line) {
		if w := l.texts; s.Keyword == "global" && len(w) > 2 && (w[0] == "setenv" || w[0] == "presetenv" && c.env[w[1]] == "") {
			c.env[w[1]] = c.expand(w[2])
		}
	})
	return c
}

// line is one with words.
type line struct {
	file, index int
	haproxy.Line
	texts []string
}

// each calls f for every line of every section that has words.
func (c *config) each(f func(section, haproxy.Section, line)) {
	for i, p := range c.files {
		for n, l := range p.Lines {
			if len(l.Words) == 0 || l.Section < 0 {
				continue
			}
			f(section{i, l.Section}, p.Sections[l.Section], line{i, n, l, texts(l.Words)})
		}
	}
}

func texts(words []haproxy.Word) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = w.Text
	}
	return out
}

func (c *config) section(s section) haproxy.Section { return c.files[s.file].Sections[s.index] }

// chain is a section and the defaults that it inherits from, nearest first.
// Anonymous defaults inherit nothing; "from" may name others (2.4), which stand before.
func (c *config) chain(s section) []section {
	out := []section{s}
	for from, ok := c.parents[s]; ok; from, ok = c.parents[from] {
		out = append(out, from)
	}
	return out
}

// inheritance says of each section which defaults it inherits from.
func (c *config) inheritance() map[section]section {
	var last section
	out, named, any := map[section]section{}, map[string]section{}, false
	for i, f := range c.files {
		for j, s := range f.Sections {
			from, ok := named[s.From]
			if s.From == "" {
				from, ok = last, any && s.Keyword != "defaults"
			}
			if ok {
				out[section{i, j}] = from
			}
			if s.Keyword == "defaults" {
				last, any = section{i, j}, true
				named[s.Name] = last
			}
		}
	}
	return out
}

// lines of a section, without its heading.
func (c *config) lines(s section) []line {
	var out []line
	own := c.section(s)
	for n := own.First + 1; n <= own.Last; n++ {
		if l := c.files[s.file].Lines[n]; len(l.Words) > 0 {
			out = append(out, line{s.file, n, l, texts(l.Words)})
		}
	}
	return out
}

// mode a section works in (manual, 4.2 "mode").
func (c *config) mode(s section) string {
	mode, known := c.modes[s]
	if !known {
		for _, l := range c.lines(s) {
			if l.texts[0] == "mode" && len(l.texts) > 1 {
				mode = l.texts[1]
			}
		}
		if mode == "" {
			mode = "tcp"
			if from, ok := c.parents[s]; ok {
				mode = c.mode(from)
			}
		}
		c.modes[s] = mode
	}
	return mode
}

// global is the value of a setting of the global section, "" without it.
func (c *config) global(keyword string) string {
	value := ""
	c.each(func(_ section, s haproxy.Section, l line) {
		if s.Keyword == "global" && l.texts[0] == keyword && len(l.texts) > 1 {
			value = c.expand(l.texts[1])
		}
	})
	return value
}

// expand puts in the variables of the environment, "$X", "${X}" and
// "${X-default}".
func (c *config) expand(text string) string {
	var out strings.Builder
	for {
		at := strings.IndexByte(text, '$')
		if at < 0 {
			return out.String() + text
		}
		out.WriteString(text[:at])
		text = text[at+1:]
		var name, fallback string
		if rest, ok := strings.CutPrefix(text, "{"); ok {
			name, text, _ = strings.Cut(rest, "}")
			name, fallback, _ = strings.Cut(name, "-")
			name = strings.TrimSuffix(name, "[*]")
		} else {
			n := 0
			for n < len(text) && (text[n] == '_' || text[n]|0x20 >= 'a' && text[n]|0x20 <= 'z' || n > 0 && text[n] >= '0' && text[n] <= '9') {
				n++
			}
			name, text = text[:n], text[n:]
		}
		if value := c.env[name]; value != "" {
			fallback = value
		}
		out.WriteString(fallback)
	}
}
