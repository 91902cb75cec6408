package haproxy

import (
	"strconv"
	"strings"
)

// Word is one word of a line.
type Word struct {
	Text       string // quotes and escapes resolved, variables left as written
	Start, End int    // byte offsets in the file, quotes and escapes included
	Env        bool   // holds a variable in double quotes: "$X", "${X}"
}

// word is the text of the n-th word, "" beyond the last.
func word(words []Word, n int) string {
	if n < len(words) {
		return words[n].Text
	}
	return ""
}

// splitter cuts the lines of one file into words. The words of many lines share
// one array, and a word without quotes and escapes is a part of the file.
type splitter struct {
	text  string
	words []Word
}

func newSplitter(data []byte) *splitter { return &splitter{text: string(data)} }

// block is how many words are allocated at once.
const block = 1024

// split cuts a line (text[start:end], without its line end) into words as
// HAProxy does (Configuration Manual 2.2, "Quoting and escaping"): blanks
// separate, '...' is literal, "..." knows \ and $, \ escapes outside, # starts
// a comment. comment is the offset of that #, or -1.
func (s *splitter) split(start, end int) (words []Word, comment int) {
	if cap(s.words)-len(s.words) < 8 {
		s.words = make([]Word, 0, block)
	}
	first := len(s.words)
	for i := start; i < end; {
		switch c := s.text[i]; {
		case blank(c):
			i++
		case c == '#':
			return s.since(first), i
		default:
			w := s.word(i, end)
			s.words = append(s.words, w)
			i = w.End
		}
	}
	return s.since(first), -1
}

// since is the words of this line; appending to them does not reach the next.
func (s *splitter) since(first int) []Word {
	if first == len(s.words) {
		return nil
	}
	return s.words[first:len(s.words):len(s.words)]
}

// word reads the word that begins at start and ends before end.
func (s *splitter) word(start, end int) Word {
	w := Word{Start: start, End: start}
	for w.End < end && plain(s.text[w.End]) {
		w.End++
	}
	w.Text = s.text[start:w.End]
	if w.End == end || blank(s.text[w.End]) || s.text[w.End] == '#' {
		return w
	}
	var text strings.Builder
	text.WriteString(w.Text)
	var quote byte
	for ; w.End < end; w.End++ {
		c := s.text[w.End]
		switch {
		case quote == 0 && (blank(c) || c == '#'):
			w.Text = text.String()
			return w
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && quote != '\'' && w.End+1 < end:
			w.End += escape(&text, s.text[w.End+1:end])
		default:
			w.Env = w.Env || c == '$' && quote == '"'
			text.WriteByte(c)
		}
	}
	w.Text = text.String()
	return w
}

// plain is a byte that stands for itself in a word.
func plain(c byte) bool {
	return !blank(c) && c != '#' && c != '\'' && c != '"' && c != '\\'
}

// escape writes what the backslash before rest stands for and returns how many
// bytes of rest it took. An unknown escape keeps its backslash, as in HAProxy.
func escape(text *strings.Builder, rest string) int {
	switch rest[0] {
	case ' ', '\\', '#', '"', '\'', '$':
		text.WriteByte(rest[0])
	case 'n':
		text.WriteByte('\n')
	case 'r':
		text.WriteByte('\r')
	case 't':
		text.WriteByte('\t')
	case 'x':
		if n, err := strconv.ParseUint(rest[1:min(3, len(rest))], 16, 8); err == nil && len(rest) >= 3 {
			text.WriteByte(byte(n))
			return 3
		}
		text.WriteByte('\\')
		return 0
	default:
		text.WriteByte('\\')
		return 0
	}
	return 1
}

// blank is C's isspace.
func blank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// Quote spells s so that HAProxy reads it back as one word, in every
// version (1.5 knows the backslash, but no quotes).
func Quote(s string) string {
	return strings.NewReplacer(`\`, `\\`, ` `, `\ `, `#`, `\#`, `"`, `\"`, `'`, `\'`, "\t", `\t`).Replace(s)
}
