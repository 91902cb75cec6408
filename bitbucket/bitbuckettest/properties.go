package bitbuckettest

import (
	"errors"
	"strconv"
	"strings"
)

// errMalformed is how java.util.Properties refuses a bad escape.
var errMalformed = errors.New(`malformed \uxxxx encoding`)

// readProperties reads java.util.Properties text: the last of equal keys wins.
func readProperties(data []byte) (map[string]string, error) {
	props := map[string]string{}
	lines := strings.FieldsFunc(latin1(data), func(r rune) bool { return r == '\n' || r == '\r' })
	for n := 0; n < len(lines); n++ {
		line := strings.TrimLeft(lines[n], " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for continues(line) {
			line = line[:len(line)-1]
			if n+1 == len(lines) {
				break
			}
			n++
			line += strings.TrimLeft(lines[n], " \t\f")
		}
		end := keyEnd(line)
		rest := strings.TrimLeft(line[end:], " \t\f")
		if rest != "" && (rest[0] == '=' || rest[0] == ':') {
			rest = strings.TrimLeft(rest[1:], " \t\f")
		}
		key, err := unescape(line[:end])
		if err != nil {
			return nil, err
		}
		if props[key], err = unescape(rest); err != nil {
			return nil, err
		}
	}
	return props, nil
}

// latin1 decodes as Properties.load(InputStream) does: a byte is a character.
func latin1(data []byte) string {
	var b strings.Builder
	for _, c := range data {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// continues tells whether an odd number of backslashes ends the line.
func continues(line string) bool {
	trimmed := strings.TrimRight(line, `\`)
	return (len(line)-len(trimmed))%2 == 1
}

func keyEnd(line string) int {
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '=', ':', ' ', '\t', '\f':
			return i
		}
	}
	return len(line)
}

func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			if s[i] != '\\' {
				b.WriteByte(s[i])
			}
			continue
		}
		i++
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			if i+5 > len(s) {
				return "", errMalformed
			}
			n, err := strconv.ParseUint(s[i+1:i+5], 16, 16)
			if err != nil {
				return "", errMalformed
			}
			b.WriteRune(rune(n))
			i += 4
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}
