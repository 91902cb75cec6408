package tomcat

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// escapeKey writes a key as Properties.store does.
func escapeKey(key string) string {
	var b strings.Builder
	for _, r := range key {
		if strings.ContainsRune(" =:#!", r) {
			b.WriteByte('\\')
		}
		b.WriteString(escapeRune(r))
	}
	return b.String()
}

// escapeValue writes a value so that it reads back equal and looks as a person
// would write it: only what must be escaped is.
func escapeValue(value string) string {
	var b strings.Builder
	for i, r := range value {
		if i == 0 && strings.ContainsRune(" =:", r) {
			b.WriteByte('\\') // would be taken for the separator
		}
		b.WriteString(escapeRune(r))
	}
	return b.String()
}

func escapeRune(r rune) string {
	switch r {
	case '\\':
		return `\\`
	case '\t':
		return `\t`
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\f':
		return `\f`
	}
	if r >= 0x20 && r <= 0x7E {
		return string(r)
	}
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune{r}) {
		fmt.Fprintf(&b, `\u%04X`, unit)
	}
	return b.String()
}
