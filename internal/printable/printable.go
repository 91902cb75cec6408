// Package printable shows text of others as what it is. Comments in a file, names
// of processes, answers of servers and messages of programs reach the terminal of
// root; a terminal takes some of their bytes for commands, and a reader takes some
// characters for others. Text writes all of these out: ESC as \x1b, U+202E as
// \u202e. Writer does it with everything that goes to a stream and lets pass only
// the colours that Paint made.
package printable

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"unicode/utf8"

	"bitgate/internal/pattern"
)

// harmful are the characters that are written out: what a terminal obeys (C0 but
// line feed and tab, DEL, C1), line ends that are none to a terminal (U+2028,
// U+2029), what turns the order of reading round (Unicode's Bidi_Control), and
// what stands for a broken encoding.
func harmful(r rune) bool {
	switch {
	case r == '\n', r == '\t':
		return false
	case r < 0x20, r >= 0x7f && r <= 0x9f:
		return true
	case r == 0x2028, r == 0x2029, r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}

// Text is text with what is harmful written out. It gives text without any back
// as it is.
func Text(text string) string {
	if utf8.ValidString(text) && strings.IndexFunc(text, harmful) < 0 {
		return text
	}
	return string(appendText(nil, []byte(text)))
}

func appendText(out, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1, r < 0x20 && harmful(r):
			out = fmt.Appendf(out, `\x%02x`, text[0])
		case harmful(r): // in a form that a string of JSON can have
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = append(out, text[:n]...)
		}
		text = text[n:]
	}
	return out
}

// mark begins every colour of this process. Nobody else knows it, so no text of
// others can have one; to whoever measures text it is a colour like any other.
var mark = fmt.Sprintf("\x1b[9%018d;", rand.Uint64N(1e18))

// Paint gives text one of the terminal's renditions (ECMA-48, SGR: "32" is green),
// which a Writer lets pass.
func Paint(code, text string) string { return mark + code + "m" + text + mark + "0m" }

// Writer writes text out before it passes it on.
type Writer struct {
	W    io.Writer
	rest []byte // the beginning of a character or a mark, for the next Write
}

// Write takes all of p. The error is the underlying writer's.
func (w *Writer) Write(p []byte) (int, error) {
	data := append(w.rest, p...)
	w.rest = nil
	keep := unfinished(data)
	w.rest = append(w.rest, data[len(data)-keep:]...)
	data = data[:len(data)-keep]
	out := make([]byte, 0, len(data)+64)
	for {
		before, after, painted := bytes.Cut(data, []byte(mark))
		out = appendText(out, before)
		if !painted {
			break
		}
		out = append(out, "\x1b["...)
		code, rest, _ := bytes.Cut(after, []byte("m"))
		out = append(append(out, code...), 'm')
		data = rest
	}
	if _, err := w.W.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// unfinished is how many bytes at the end of data may be the beginning of a mark
// with its code, or of a character, that the next Write goes on with.
func unfinished(data []byte) int {
	if at := bytes.LastIndexByte(data, 0x1b); at >= 0 {
		tail := data[at:]
		if len(tail) < len(mark) && bytes.HasPrefix([]byte(mark), tail) ||
			bytes.HasPrefix(tail, []byte(mark)) && bytes.IndexByte(tail, 'm') < 0 {
			return len(tail)
		}
	}
	for n := 1; n < utf8.UTFMax && n <= len(data); n++ {
		if tail := data[len(data)-n:]; utf8.RuneStart(tail[0]) {
			if tail[0] >= utf8.RuneSelf && !utf8.FullRune(tail) {
				return n
			}
			break
		}
	}
	return 0
}

// rendition is what a full screen may use: weight, underline, the cursor's
// reverse, and colours; not what hides text or makes it blink.
var rendition = pattern.Lazy(`^\x1b\[(?:[01247]|3[0-7]|9[0-7])?(?:;(?:[01247]|3[0-7]|9[0-7]))*m`)

// Screen is Text for a screen that a library has drawn with colours: these pass.
// What stands on it should have been through Text before, so that others cannot
// paint.
func Screen(text string) string {
	var out []byte
	for {
		at := strings.IndexByte(text, 0x1b)
		if at < 0 {
			return string(appendText(out, []byte(text)))
		}
		out = appendText(out, []byte(text[:at]))
		text = text[at:]
		painted := rendition().FindString(text)
		if painted == "" {
			out = append(out, `\x1b`...)
			text = text[1:]
			continue
		}
		out = append(out, painted...)
		text = text[len(painted):]
	}
}
