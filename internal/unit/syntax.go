package unit

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// logicalLines yields the lines of a unit file, each with the number of its first
// one: a line that ends in a backslash goes on with the next, and comments, even
// between the two, are left out.
func logicalLines(text string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		joined, first, number := "", 0, 0
		for line := range strings.Lines(text) {
			number++
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
				continue
			}
			first = cmp.Or(first, number)
			if start, more := strings.CutSuffix(line, `\`); more {
				joined += start + " "
				continue
			}
			if !yield(first, joined+line) {
				return
			}
			joined, first = "", 0
		}
		if first > 0 {
			yield(first, joined)
		}
	}
}

// Words splits at white space outside quotes, and takes quotes and the escapes of
// C off; an escape that is none stays as it is (systemd.syntax(7), "Quoting").
func Words(text string) []string {
	var words []string
	var word strings.Builder
	var quote byte
	inside := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text):
			value, n := unescape(text[i:])
			word.WriteString(value)
			i += n - 1
			inside = true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inside = c, true
		case quote == 0 && strings.IndexByte(" \t\r\n", c) >= 0:
			if inside {
				words = append(words, word.String())
			}
			word.Reset()
			inside = false
		default:
			word.WriteByte(c)
			inside = true
		}
	}
	if inside {
		words = append(words, word.String())
	}
	return words
}

// unescape returns what the escape at the beginning of text stands for, and its
// length.
func unescape(text string) (value string, n int) {
	switch c := text[1]; c {
	case '"', '\'', '\\', ' ', '\t':
		return string(c), 2
	case 's':
		return " ", 2
	default:
		r, multibyte, rest, err := strconv.UnquoteChar(text, 0)
		switch {
		case err != nil:
			return text[:2], 2
		case multibyte:
			return string(r), len(text) - len(rest)
		}
		return string([]byte{byte(r)}), len(text) - len(rest)
	}
}

// ReadEnvironment reads a file of NAME=value lines as EnvironmentFile= and the
// shells of init scripts do; without a file there are none.
func ReadEnvironment(path string) []Variable {
	var all []Variable
	text := readFile(path)
	for line := 1; text != ""; {
		begun := line
		name, rest, ok := cutName(text)
		if !ok { // no assignment
			text = rest
			line++
			continue
		}
		value, rest := shellValue(rest)
		line += strings.Count(text[:len(text)-len(rest)], "\n")
		text = rest
		all = append(all, Variable{name, value, fmt.Sprintf("%s, line %d", path, begun)})
	}
	return all
}

// cutName returns the name that the first line of text assigns to and what comes
// behind the "=", or the text behind that line.
func cutName(text string) (name, rest string, ok bool) {
	line, rest, _ := strings.Cut(text, "\n")
	name, _, ok = strings.Cut(line, "=")
	name = strings.TrimPrefix(strings.TrimSpace(name), "export ")
	if !ok || name == "" || strings.ContainsAny(name, "#; \t") {
		return "", rest, false
	}
	return name, text[strings.Index(text, "=")+1:], true
}

// shellValue returns the value at the beginning of text, which ends with its line,
// unless quotes or a backslash say otherwise, and what comes behind it.
func shellValue(text string) (value, rest string) {
	var out strings.Builder
	var quote byte
	spaces := 0 // at the end, outside of quotes
	text = strings.TrimLeft(text, " \t")
	i := 0
	for ; i < len(text) && (quote != 0 || text[i] != '\n'); i++ {
		c := text[i]
		blank := quote == 0 && strings.IndexByte(" \t\r", c) >= 0
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(text):
			i++
			if quote == '"' && strings.IndexByte("\"\\`$\n", text[i]) < 0 {
				out.WriteByte('\\')
			}
			if text[i] != '\n' {
				out.WriteByte(text[i])
			}
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		default:
			out.WriteByte(c)
		}
		if spaces++; !blank {
			spaces = 0
		}
	}
	value = out.String()
	return value[:len(value)-spaces], strings.TrimPrefix(text[i:], "\n")
}
