package tomcat

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// lineReader joins natural lines to logical ones exactly as
// java.util.Properties.LineReader does (JDK 17), odd cases included, and
// remembers where every character stands.
type lineReader struct {
	src      []byte
	at       int
	comments []comment
	line     int // of src[counted], 0-based
	counted  int
}

// logicalLine is one line with continuations joined.
type logicalLine struct {
	chars []byte
	at    []int // place of each character in the file
	start int   // where the line begins
	tail  int   // behind the last character that counts
	end   int   // line end or end of file
}

// next returns the next logical line that is neither blank nor a comment.
func (r *lineReader) next() (l logicalLine, ok bool) {
	skip, joined, backslash := true, false, false
	for r.at < len(r.src) {
		pos, c := r.at, r.src[r.at]
		r.at++
		if skip {
			if c == ' ' || c == '\t' || c == '\f' || !joined && isLineEnd(c) {
				continue
			}
			skip, joined = false, false
		}
		switch {
		case len(l.chars) == 0 && (c == '#' || c == '!'):
			r.comment(pos)
			skip = true
		case !isLineEnd(c):
			l.chars, l.at = append(l.chars, c), append(l.at, pos)
			backslash = c == '\\' && !backslash
		case len(l.chars) == 0:
			skip = true
		case !backslash:
			return l.ending(pos, false), true
		case r.at == len(r.src):
			return l.ending(pos, true), true
		default: // continued on the next line
			l.chars, l.at = l.chars[:len(l.chars)-1], l.at[:len(l.at)-1]
			skip, joined, backslash = true, true, false
			if c == '\r' && r.src[r.at] == '\n' {
				r.at++
			}
		}
	}
	if len(l.chars) == 0 {
		return l, false
	}
	return l.ending(len(r.src), backslash), true
}

// ending closes the line at end; a last lone backslash does not belong to it.
func (l logicalLine) ending(end int, backslash bool) logicalLine {
	l.start, l.tail, l.end = l.at[0], end, end
	if n := len(l.chars) - 1; backslash {
		l.tail = l.at[n]
		l.chars, l.at = l.chars[:n], l.at[:n]
	}
	return l
}

// comment reads to the end of a comment line, which cannot be continued.
func (r *lineReader) comment(at int) {
	for r.at < len(r.src) && !isLineEnd(r.src[r.at]) {
		r.at++
	}
	r.comments = append(r.comments, comment{at, r.at})
	if r.at < len(r.src) {
		r.at++
	}
}

// lineOf is lineAt for places that only move forward.
func (r *lineReader) lineOf(at int) int {
	r.line += lineAt(r.src[r.counted:], at-r.counted) - 1
	r.counted = at
	return r.line + 1
}

// entry splits the line at its first unescaped "=", ":" or blank.
func (l logicalLine) entry(line int) (entry, *fault) {
	e := entry{line: line, start: l.start, end: l.end}
	keyEnd, valueAt := l.split()
	e.separated = valueAt > keyEnd
	e.valueAt = l.tail
	if valueAt < len(l.at) {
		e.valueAt = l.at[valueAt]
	}
	var keyOK, valueOK bool
	e.key, keyOK = unescape(l.chars[:keyEnd])
	e.value, valueOK = unescape(l.chars[valueAt:])
	if !keyOK || !valueOK {
		return e, &fault{e.line, `a \u that is not followed by four hexadecimal digits`}
	}
	return e, nil
}

func (l logicalLine) split() (keyEnd, valueAt int) {
	separator, backslash := false, false
	for keyEnd < len(l.chars) && (backslash || !strings.ContainsRune("=: \t\f", rune(l.chars[keyEnd]))) {
		backslash = l.chars[keyEnd] == '\\' && !backslash
		keyEnd++
	}
	for valueAt = keyEnd; valueAt < len(l.chars); valueAt++ {
		switch c := l.chars[valueAt]; {
		case c == ' ' || c == '\t' || c == '\f':
		case !separator && (c == '=' || c == ':'):
			separator = true
		default:
			return keyEnd, valueAt
		}
	}
	return keyEnd, valueAt
}

// unescape resolves \t \n \r \f \uXXXX and drops other backslashes
// (Properties.loadConvert). It reports false for a malformed \u.
func unescape(raw []byte) (string, bool) {
	units := make([]uint16, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := uint16(raw[i])
		if c != '\\' {
			units = append(units, c)
			continue
		}
		if i++; i == len(raw) {
			break
		}
		switch c = uint16(raw[i]); c {
		case 'u':
			if i+4 >= len(raw) {
				return "", false
			}
			n, err := strconv.ParseUint(string(raw[i+1:i+5]), 16, 16)
			if err != nil {
				return "", false
			}
			c, i = uint16(n), i+4
		case 't':
			c = '\t'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 'f':
			c = '\f'
		}
		units = append(units, c)
	}
	return string(utf16.Decode(units)), true
}

func isLineEnd(c byte) bool { return c == '\n' || c == '\r' }
