package haproxy

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

// printed are the lines of a file, put together again.
func printed(f *File) []byte {
	var out []byte
	for _, l := range f.Lines {
		out = append(out, l.Raw...)
	}
	return out
}

func TestParsePrintsTheSameBytes(t *testing.T) {
	for name, text := range fixtures {
		if got := printed(Parse([]byte(text))); string(got) != text {
			t.Errorf("%s: printed as %q", name, got)
		}
	}
	for _, file := range corpus() {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(printed(Parse(data)), data) {
			t.Errorf("%s is printed otherwise", file)
		}
	}
}

func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		`  bind *:443 ssl crt /a`:          {"bind", "*:443", "ssl", "crt", "/a"},
		"\tbind\t:80\v:81\r":               {"bind", ":80", ":81"},
		`a "b c" 'd "e"' f\ g`:             {"a", "b c", `d "e"`, "f g"},
		`a # b`:                            {"a"},
		`a#b c`:                            {"a"},
		`a "#b" \#c '#d'`:                  {"a", "#b", "#c", "#d"},
		`crt "/etc/my certs/"'x y'\ z.pem`: {"crt", "/etc/my certs/x y z.pem"},
		`\x41\t\\ \q`:                      {"A\t\\", `\q`},
		`'a\n' "a\n"`:                      {`a\n`, "a\n"},
		`"" ''`:                            {"", ""},
		`"open end`:                        {"open end"},
		`# only`:                           nil,
		``:                                 nil,
	} {
		words, _ := newSplitter([]byte(line)).split(0, len(line))
		var got []string
		for _, w := range words {
			got = append(got, w.Text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestQuoteIsReadBack(t *testing.T) {
	for _, s := range []string{"/etc/a.pem", "/my certs/#1.pem", `/a\b`, `/it's "x".pem`, "/tab\there", `/a\ b`, "/$HOME/x"} {
		words, _ := newSplitter([]byte(Quote(s))).split(0, len(Quote(s)))
		if len(words) != 1 || words[0].Text != s {
			t.Errorf("%q is written %s and read as %v", s, Quote(s), words)
		}
	}
}

func TestSections(t *testing.T) {
	f := Parse([]byte(fixtures["indented"]))
	var got []string
	for _, s := range f.Sections {
		got = append(got, s.Title()+"<"+s.From)
	}
	if want := "global< defaults tcp<base frontend x<tcp"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
	if s := f.Sections[0]; s.First != 0 || s.Last != 1 {
		t.Errorf("global reaches from %d to %d", s.First, s.Last)
	}
}

func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		file := Parse(data)
		if !bytes.Equal(printed(file), data) {
			t.Errorf("%q is printed as %q", data, printed(file))
		}
		for _, l := range file.Lines {
			at := l.Start
			for _, w := range l.Words {
				if w.Start < at || w.End < w.Start || w.End > l.Start+len(l.Raw) {
					t.Errorf("%q: word %+v lies outside its line", data, w)
				}
				at = w.End
			}
		}
	})
}

func seed(f *testing.F) {
	for _, text := range fixtures {
		f.Add([]byte(text))
	}
	for _, file := range corpus() {
		if data, err := os.ReadFile(file); err == nil {
			f.Add(data)
		}
	}
}
