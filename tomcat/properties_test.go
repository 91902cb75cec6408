package tomcat

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wanted is both steps in the spelling of properties.
func wanted() []Property {
	c := front
	c.Address = "127.0.0.1"
	return append(ConnectorProperties(c), ContextPathProperty("/bitbucket"))
}

func set(t testing.TB, src string, want ...Property) Result {
	t.Helper()
	r, err := mustProperties(t, src).Edit(want, nil)
	if err != nil {
		t.Fatalf("%v\n%q", err, src)
	}
	checkSplices(t, []byte(src), r)
	return r
}

func TestPropertiesFile(t *testing.T) {
	before, want := read(t, "testdata/bitbucket.properties"), read(t, "testdata/bitbucket.want.properties")
	for name, convert := range map[string]func([]byte) []byte{
		"as found":   func(b []byte) []byte { return b },
		"CRLF":       func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) },
		"lone CR":    func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r")) },
		"ISO-8859-1": func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("umlaut"), []byte("\xE4\xF6\xFC")) },
	} {
		t.Run(name, func(t *testing.T) {
			r := set(t, string(convert(before)), wanted()...)
			if diff := cmp.Diff(string(convert(want)), string(r.After)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if again := set(t, string(r.After), wanted()...); len(again.Splices) != 0 {
				t.Errorf("the second edit changed something: %+v", again.Splices)
			}
			if !slices.Contains(r.Notes, "duplicate key server.scheme (lines 15, 19), the last one (line 19) counts") {
				t.Errorf("notes: %q", r.Notes)
			}
			for _, s := range r.Splices {
				if strings.Contains(s.Old+s.New, "secret") {
					t.Errorf("a splice carries a secret: %+v", s)
				}
			}
		})
	}
}

func TestPropertiesRead(t *testing.T) {
	for _, c := range []struct{ src, key, value string }{
		{"k=v", "k", "v"},
		{"k = v ", "k", "v "},
		{"k:v", "k", "v"},
		{"k v", "k", "v"},
		{"k\t\f=\t v", "k", "v"},
		{"k==v", "k", "=v"},
		{"k : = v", "k", "= v"},
		{"k", "k", ""},
		{" \t\fk=v", "k", "v"},
		{"k=a\\\n   b\\\r\n\tc", "k", "abc"},
		{"k=a\\\\\nb=c", "k", `a\`},
		{"k=a\\\n\nb", "k", "a"},
		{"k\\\n ey=v", "key", "v"},
		{`a\ b\=c\:d=v`, "a b=c:d", "v"},
		{`k=\t\n\r\f\q\"\\`, "k", "\t\n\r\fq\"\\"},
		{`k=\u00fc\uD83D\uDE00`, "k", "\u00fc\U0001F600"},
		{"k=\xFC", "k", "\u00fc"},
		{"#c\\\nk=v", "k", "v"},
		{"!c\nk=v", "k", "v"},
		{"k=a#b", "k", "a#b"},
		{"k=a\\\n#b", "k", "a#b"},
		{"k=1\nk=2", "k", "2"},
		{"k=v\\", "k", "v"},
		{"k=v\\\n", "k", "v"},
		{"\\\n#c\nk=v", "k", "v"},
		{"k=v\r\rl=w", "l", "w"},
	} {
		if f, ok := mustProperties(t, c.src).Get(c.key); !ok || f.Value != c.value {
			t.Errorf("%q: %q, %v, want %q", c.src, f.Value, ok, c.value)
		}
	}
	p := mustProperties(t, "b=1\r\n\r\n# x\r\na\\\r\n=2\rc=3\nb=4")
	if got := p.Keys(); !slices.Equal(got, []string{"b", "a", "c"}) {
		t.Errorf("keys: %q", got)
	}
	for key, line := range map[string]int{"a": 4, "c": 6, "b": 7} {
		if f, _ := p.Get(key); f.Line != line {
			t.Errorf("%s stands in line %d, want %d", key, f.Line, line)
		}
	}
}

func TestPropertiesEdits(t *testing.T) {
	const key = "server.scheme"
	title := blockTitle + "\n"
	for _, c := range []struct{ name, before, after string }{
		{"empty file", "", title + "server.scheme=https\n"},
		{"no final newline", "a=b", "a=b\n\n" + title + "server.scheme=https\n"},
		{"no final newline, CRLF", "a=b\r\nc=d", "a=b\r\nc=d\r\n\r\n" + strings.ReplaceAll(title, "\n", "\r\n") + "server.scheme=https\r\n"},
		{"last line continued into nothing", "a=b\\", "a=b\\\n\n" + title + "server.scheme=https\n"},
		{"last line continued over its end", "a=b\\\n", "a=b\\\n\n" + title + "server.scheme=https\n"},
		{"last comment", "#a", "#a\n\n" + title + "server.scheme=https\n"},
		{"the block goes on", "a=b\n\n" + title + "x=y\n", "a=b\n\n" + title + "x=y\nserver.scheme=https\n"},
		{"the block does not go on after a blank", title + "x=y\n\nz=1\n", title + "x=y\n\nz=1\n\n" + title + "server.scheme=https\n"},
		{"separators are kept", "server.scheme : http", "server.scheme : https"},
		{"blank separator", "server.scheme   http\n", "server.scheme   https\n"},
		{"no separator", "server.scheme\nx=y", "server.scheme=https\nx=y"},
		{"empty value", "server.scheme = \nx=y", "server.scheme = https\nx=y"},
		{"trailing blank goes", "server.scheme=https \n", "server.scheme=https\n"},
		{"continuation goes", "server.scheme=ht\\\n   tp\nx=y", "server.scheme=https\nx=y"},
		{"continuation before the value", "server.scheme=\\\n   http\nx=y", "server.scheme=\\\n   https\nx=y"},
		{"backslash at the end of the file", "server.scheme=http\\", "server.scheme=https"},
		{"escaped key", `server\u002Esch\eme=http`, `server\u002Esch\eme=https`},
		{"last of two", "server.scheme=a\nserver.scheme=b\n", "server.scheme=a\nserver.scheme=https\n"},
		{"only the last counts", "server.scheme=http\nserver.scheme=https\n", "server.scheme=http\nserver.scheme=https\n"},
		{"placeholder", "server.scheme=${S:http}\n", "server.scheme=https\n"},
		{"un-comment", "x=y\n#server.scheme=http\nz=1\n", "x=y\nserver.scheme=https\nz=1\n"},
		{"un-comment with blanks", "  # server.scheme : http  \r\nz=1\n", "  server.scheme : https\r\nz=1\n"},
		{"un-comment several signs", "##! server.scheme=\n", "server.scheme=https\n"},
		{"un-comment at the end", "x=y\n!server.scheme=http", "x=y\nserver.scheme=https"},
		{"not of two", "#server.scheme=a\n#server.scheme=b\n", "#server.scheme=a\n#server.scheme=b\n\n" + title + "server.scheme=https\n"},
		{"not prose", "# server.scheme=https where a front does TLS\n", "# server.scheme=https where a front does TLS\n\n" + title + "server.scheme=https\n"},
		{"not what Bitbucket wrote", "#>server.scheme=http\n", "#>server.scheme=http\n\n" + title + "server.scheme=https\n"},
		{"not where it is live", "#server.scheme=http\nserver.scheme=x\n", "#server.scheme=http\nserver.scheme=https\n"},
		{"not a continued look", "#server.scheme=http\\\n", "#server.scheme=http\\\n\n" + title + "server.scheme=https\n"},
		{"not a longer key", "#server.schemes=http\n", "#server.schemes=http\n\n" + title + "server.scheme=https\n"},
		{"nothing to do", "server.scheme=\\u0068ttps", "server.scheme=\\u0068ttps"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := set(t, c.before, Property{key, "https"})
			if diff := cmp.Diff(c.after, string(r.After)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if (len(r.Splices) == 0) != (c.before == c.after) {
				t.Errorf("splices: %+v", r.Splices)
			}
		})
	}
}

func TestPropertiesEscapes(t *testing.T) {
	for _, c := range []struct{ key, value, line string }{
		{"k", `a\b`, `k=a\\b`},
		{"k", " a ", `k=\ a `},
		{"k", "=a:b#c!", `k=\=a:b#c!`},
		{"a b:c=d#e!f", "", `a\ b\:c\=d\#e\!f=`},
		{"k", "\t\n\r\f\x00\x7f", `k=\t\n\r\f\u0000\u007F`},
		{"\u00fc", "\u20ac\U0001F600", `\u00FC=\u20AC\uD83D\uDE00`},
	} {
		r := set(t, "", Property{c.key, c.value})
		if got := string(r.After); got != blockTitle+"\n"+c.line+"\n" {
			t.Errorf("%q=%q is written as %q", c.key, c.value, got)
		}
	}
}

func TestPropertiesRefusals(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"malformed escape", "a=b\njdbc.password=hidden\\u12", `line 2: a \u that is not followed by four hexadecimal digits`},
		{"malformed escape in a key", "\n\nhidden\\uXYZW=1", `line 3: a \u`},
		{"UTF-16", "\xFF\xFEa\x00", "line 1: the file is UTF-16"},
	} {
		_, err := ParseProperties("bitbucket.properties", []byte(c.src))
		if err == nil {
			t.Errorf("%s: it was taken", c.name)
			continue
		}
		checkRefusal(t, "bitbucket.properties", err)
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: got %q, want %q", c.name, err, c.want)
		}
	}
	_, err := mustProperties(t, "\nserver.context-path=/${CTX:bitbucket}").Edit(wanted(), nil)
	if err == nil {
		t.Fatal("a context path that is set elsewhere was overwritten")
	}
	checkRefusal(t, "bitbucket.properties, line 2: server.context-path is the property ${CTX}", err)
}

func TestPropertiesNotes(t *testing.T) {
	r := set(t, "server.proxyName=a\nserver.scheme=${SCHEME:http}\nserver.context_path=/x\n", wanted()...)
	notes := strings.Join(r.Notes, "\n")
	for _, want := range []string{
		"server.proxyName in line 1 is another spelling of server.proxy-name",
		"server.scheme in line 2 was the property ${SCHEME}",
		"server.context_path in line 3 is another spelling of server.context-path",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes lack %q:\n%s", want, notes)
		}
	}
	if !strings.Contains(string(r.After), "server.proxyName=a\n") || !strings.Contains(string(r.After), "\nserver.proxy-name=git.example.com\n") {
		t.Errorf("the canonical key must be set, the other line left alone:\n%s", r.After)
	}
}

func TestSteps(t *testing.T) {
	got := append(wanted(), ContextPathProperty(""), ContextPathProperty("/"))
	want := []Property{
		{"server.proxy-name", "git.example.com"},
		{"server.proxy-port", "443"},
		{"server.scheme", "https"},
		{"server.secure", "true"},
		{"server.redirect-port", "443"},
		{"server.address", "127.0.0.1"},
		{"server.context-path", "/bitbucket"},
		{"server.context-path", "/"},
		{"server.context-path", "/"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := ConnectorProperties(Connector{}); len(got) != 0 {
		t.Errorf("the zero Connector leaves everything as it is: %v", got)
	}
}
