// Package nginx reads nginx.conf: which server serves a name, and what it does
// with a request. It touches no file: whoever calls it hands it the bytes, also
// those of included files.
//
// The syntax is four kinds of token (ngx_conf_file.c, ngx_conf_read_token):
//
//	word    up to white space, ; { or }; quoted in " or ', with \ as escape
//	;       ends a directive
//	{ }     a block of directives
//	#       at the beginning of a word: a comment, to the end of the line
//
// What a directive means is not judged here. A block that speaks another language
// (lua) is skipped by its braces.
package nginx

import (
	"fmt"
	"strings"
)

// Directive is one directive and where it stands.
type Directive struct {
	File  string
	Line  int // of its name, from 1
	Name  string
	Args  []string // quotes and escapes resolved; variables as written
	Block []Directive
}

// Arg is the argument of that index, "" without one.
func (d Directive) Arg(i int) string {
	if i < len(d.Args) {
		return d.Args[i]
	}
	return ""
}

// All are the directives of that name directly in a block, in order.
func All(block []Directive, name string) []Directive {
	var out []Directive
	for _, d := range block {
		if d.Name == name {
			out = append(out, d)
		}
	}
	return out
}

// Last is the last directive of that name directly in a block.
func Last(block []Directive, name string) (Directive, bool) {
	all := All(block, name)
	if len(all) == 0 {
		return Directive{}, false
	}
	return all[len(all)-1], true
}

// Source is one file.
type Source struct {
	Path string
	Data []byte
}

// depth of blocks and of includes; nginx itself has no deeper ones in earnest.
const depth = 64

// Load reads a configuration with all that it includes. include returns the files
// that a pattern of an include directive names; nil leaves includes as they are.
func Load(main Source, include func(pattern string) []Source) ([]Directive, error) {
	l := loader{include: include}
	return l.load(main, 0)
}

type loader struct {
	include func(string) []Source
	files   int
}

// most is how many files are read; includes that include each other end there.
const most = 2000

func (l *loader) load(src Source, level int) ([]Directive, error) {
	if l.files++; l.files > most || level > depth {
		return nil, fmt.Errorf("%s: too many includes", src.Path)
	}
	block, err := Parse(src)
	if err != nil {
		return nil, err
	}
	return l.expand(block, level)
}

func (l *loader) expand(block []Directive, level int) ([]Directive, error) {
	var out []Directive
	for _, d := range block {
		if d.Name == "include" && l.include != nil && len(d.Args) == 1 {
			for _, src := range l.include(d.Args[0]) {
				in, err := l.load(src, level+1)
				if err != nil {
					return nil, err
				}
				out = append(out, in...)
			}
			continue
		}
		var err error
		if d.Block, err = l.expand(d.Block, level); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// Parse reads one file; includes stay directives. An error names the line.
func Parse(src Source) ([]Directive, error) {
	p := &parser{file: src.Path, data: string(src.Data), line: 1}
	block, err := p.block(0)
	if err != nil {
		return nil, fmt.Errorf("%s, line %d: %w", src.Path, p.line, err)
	}
	return block, nil
}

type parser struct {
	file string
	data string
	at   int
	line int
}

// block reads directives up to the end of the file (level 0) or a closing brace.
func (p *parser) block(level int) ([]Directive, error) {
	var out []Directive
	d := Directive{}
	for {
		word, end, err := p.token()
		switch {
		case err != nil:
			return nil, err
		case end == 0: // a word
			if d.Name == "" {
				d = Directive{File: p.file, Line: p.line - strings.Count(word, "\n"), Name: word}
			} else {
				d.Args = append(d.Args, word)
			}
			continue
		case end == eof && (level > 0 || d.Name != ""):
			return nil, fmt.Errorf("the file ends in the middle of a directive or block")
		case end == eof:
			return out, nil
		case end == '}' && (level == 0 || d.Name != ""):
			return nil, fmt.Errorf("unexpected }")
		case end == '}':
			return out, nil
		case d.Name == "":
			return nil, fmt.Errorf("unexpected %c", end)
		case end == '{' && level >= depth:
			return nil, fmt.Errorf("blocks are nested too deeply")
		case end == '{' && strings.HasSuffix(d.Name, "_by_lua_block"):
			if err := p.skip(); err != nil {
				return nil, err
			}
		case end == '{':
			if d.Block, err = p.block(level + 1); err != nil {
				return nil, err
			}
			if d.Block == nil {
				d.Block = []Directive{}
			}
		}
		out, d = append(out, d), Directive{}
	}
}

const eof = 'E'

// token is the next word (end 0), or what ends a directive: ; { } or eof.
func (p *parser) token() (word string, end byte, err error) {
	p.blanks()
	if p.at == len(p.data) {
		return "", eof, nil
	}
	switch c := p.data[p.at]; c {
	case ';', '{', '}':
		p.at++
		return "", c, nil
	case '"', '\'':
		return p.quoted(c)
	}
	var text strings.Builder
	for p.at < len(p.data) {
		c := p.data[p.at]
		variable := c == '{' && p.at > 0 && p.data[p.at-1] == '$' && text.Len() > 0 // ${name}
		if !variable && strings.IndexByte(" \t\r\n;{", c) >= 0 {
			break
		}
		if variable {
			if i := strings.IndexByte(p.data[p.at:], '}'); i > 0 && !strings.ContainsAny(p.data[p.at:p.at+i], " \t\r\n;") {
				text.WriteString(p.data[p.at : p.at+i+1])
				p.at += i + 1
				continue
			}
			break
		}
		if c == '\\' && p.at+1 < len(p.data) {
			p.escape(&text)
			continue
		}
		text.WriteByte(c)
		p.at++
	}
	return text.String(), 0, nil
}

// blanks goes past white space and comments.
func (p *parser) blanks() {
	for p.at < len(p.data) {
		switch p.data[p.at] {
		case '\n':
			p.line++
		case ' ', '\t', '\r':
		case '#':
			i := strings.IndexByte(p.data[p.at:], '\n')
			if i < 0 {
				p.at = len(p.data)
				return
			}
			p.at += i
			continue
		default:
			return
		}
		p.at++
	}
}

func (p *parser) quoted(quote byte) (string, byte, error) {
	var text strings.Builder
	for p.at++; p.at < len(p.data); {
		switch c := p.data[p.at]; {
		case c == quote:
			p.at++
			return text.String(), 0, nil
		case c == '\\' && p.at+1 < len(p.data):
			p.escape(&text)
			continue
		case c == '\n':
			p.line++
			fallthrough
		default:
			text.WriteByte(c)
		}
		p.at++
	}
	return "", 0, fmt.Errorf("a quote is not closed")
}

// escape resolves a backslash: quotes, itself, and t, r, n; others keep it, as
// expressions need.
func (p *parser) escape(text *strings.Builder) {
	c := p.data[p.at+1]
	switch c {
	case '"', '\'', '\\':
		text.WriteByte(c)
	case 't':
		text.WriteByte('\t')
	case 'r':
		text.WriteByte('\r')
	case 'n':
		text.WriteByte('\n')
	default:
		text.WriteByte('\\')
		text.WriteByte(c)
		if c == '\n' {
			p.line++
		}
	}
	p.at += 2
}

// skip goes past a block of another language, by its braces.
func (p *parser) skip() error {
	for open := 1; p.at < len(p.data); p.at++ {
		switch p.data[p.at] {
		case '\n':
			p.line++
		case '{':
			open++
		case '}':
			if open--; open == 0 {
				p.at++
				return nil
			}
		}
	}
	return fmt.Errorf("a block is not closed")
}
