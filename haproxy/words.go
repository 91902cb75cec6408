package haproxy

import "strings"

// Word is one word of a line.
type Word struct {
	Text       string // quotes and escapes resolved, variables left as written
	Start, End int    // byte offsets in the file, quotes and escapes included
	Env        bool   // holds a variable in double quotes: "$X", "${X}"
}

// split cuts a line (data[start:end], without its line end) into words as
// HAProxy does (Configuration Manual 2.2, "Quoting and escaping"): blanks
// separate, '...' is literal, "..." knows \ and $, \ escapes outside, # starts
// a comment. comment is the offset of that #, or -1.
func split(data []byte, start, end int) (words []Word, comment int) {
	comment = -1
	var text strings.Builder
	var quote byte
	word := Word{Start: -1}
	finish := func(at int) {
		if word.Start >= 0 {
			word.Text, word.End = text.String(), at
			words = append(words, word)
		}
		text.Reset()
		word = Word{Start: -1}
	}
	for i := start; i < end; i++ {
		c := data[i]
		if quote == 0 && blank(c) {
			finish(i)
			continue
		}
		if quote == 0 && c == '#' {
			comment = i
			finish(i)
			return words, comment
		}
		if word.Start < 0 {
			word.Start = i
		}
		switch {
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && quote != '\'' && i+1 < end:
			i += escape(&text, data[i+1:end])
		default:
			word.Env = word.Env || c == '$' && quote == '"'
			text.WriteByte(c)
		}
	}
	finish(end)
	return words, comment
}

// escape writes what the backslash before rest stands for and returns how many
// bytes of rest it took. An unknown escape keeps its backslash, as in HAProxy.
func escape(text *strings.Builder, rest []byte) int {
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
		if len(rest) >= 3 {
			hi, ok1 := unhex(rest[1])
			lo, ok2 := unhex(rest[2])
			if ok1 && ok2 {
				text.WriteByte(hi<<4 | lo)
				return 3
			}
		}
		text.WriteByte('\\')
		return 0
	default:
		text.WriteByte('\\')
		return 0
	}
	return 1
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// blank is C's isspace.
func blank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// Quote spells s so that HAProxy reads it back as one word, in every
// version (1.5 knows the backslash, but no quotes).
func Quote(s string) string {
	return strings.NewReplacer(`\`, `\\`, ` `, `\ `, `#`, `\#`, `"`, `\"`, `'`, `\'`, "\t", `\t`).Replace(s)
}
