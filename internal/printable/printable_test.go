package printable

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"plain, ümläut, 漢字\tand\nlines": "plain, ümläut, 漢字\tand\nlines",
		"\x1b]0;PWNED\x07\x1b[8m":       `\x1b]0;PWNED\x07\x1b[8m`,
		"a\rb\bc\x00\x7f":               `a\x0db\x08c\x00\u007f`,
		"\u009b31m\u0085":               `\u009b31m\u0085`,
		"user\u202etxt.exe\u2066\u200f": `user\u202etxt.exe\u2066\u200f`,
		"a\u2028b\u2029":                `a\u2028b\u2029`,
		"\xff\xc3(\x9b":                 `\xff\xc3(\x9b`,
	} {
		if got := Text(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// TestOnlyOwnColoursPass: the same bytes are a colour from Paint and text from
// anybody else, however they are cut up.
func TestOnlyOwnColoursPass(t *testing.T) {
	text := Paint("32", "+ \x1b[31mred\x1b[0m ä") + " \x1b[1m漢 end"
	const want = "\x1b[32m+ \\x1b[31mred\\x1b[0m ä\x1b[0m \\x1b[1m漢 end"
	for size := 1; size <= len(text); size++ {
		var out bytes.Buffer
		w := &Writer{W: &out}
		for at := 0; at < len(text); at += size {
			part := text[at:min(at+size, len(text))]
			if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		if out.String() != want {
			t.Fatalf("in parts of %d: %q", size, out.String())
		}
	}
}

func FuzzWriter(f *testing.F) {
	f.Add("\x1b[31m\x9b\xc2\x9b\u202e", 1)
	f.Fuzz(func(t *testing.T, text string, size int) {
		size = max(1, size%64)
		var out bytes.Buffer
		w := &Writer{W: &out}
		for at := 0; at < len(text); at += size {
			_, _ = w.Write([]byte(text[at:min(at+size, len(text))]))
		}
		got := out.String()
		if !utf8.ValidString(got) || strings.IndexFunc(got, func(r rune) bool {
			return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
		}) >= 0 {
			t.Errorf("%q passes as %q", text, got)
		}
		if len(w.rest) == 0 && got != Text(text) {
			t.Errorf("%q: %q, in one piece %q", text, got, Text(text))
		}
	})
}
