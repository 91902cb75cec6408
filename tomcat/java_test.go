package tomcat

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// askJava lets Java itself read documents and returns its answers in the same
// order (testdata/Oracle.java). Without Java a developer's run skips; CI fails.
func askJava(t *testing.T, kind string, docs [][]byte) []string {
	t.Helper()
	modules, err := exec.CommandContext(t.Context(), "java", "--list-modules").Output()
	if err != nil || !bytes.Contains(modules, []byte("jdk.compiler")) {
		if os.Getenv("CI") != "" {
			t.Fatal("no JDK (openjdk-17-jdk-headless) is installed: what Java reads cannot be compared")
		}
		t.Skip("NO JDK: install openjdk-17-jdk-headless to compare with what Java really reads")
	}
	dir := t.TempDir()
	args := []string{filepath.Join("testdata", "Oracle.java"), kind}
	for i, doc := range docs {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, doc, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "java", args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("java: %v\n%s", err, stderr.String())
	}
	answers := strings.Split(stdout.String(), "FILE\n")[1:]
	if len(answers) != len(docs) {
		t.Fatalf("java answered for %d of %d documents", len(answers), len(docs))
	}
	return answers
}

func base(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// asProperties is what Java must print for p.
func asProperties(p *Properties) string {
	keys := p.Keys()
	slices.Sort(keys)
	var b strings.Builder
	for _, key := range keys {
		f, _ := p.Get(key)
		fmt.Fprintf(&b, "KEY %s %s\n", base(key), base(f.Value))
	}
	return b.String()
}

// oddProperties are the corners of the syntax; every one is compared with Java.
var oddProperties = []string{
	"", "\\", "\\\n", "\\\\", "=", "=v", ":", " = ", "\n\n", "\r", "\f", "#", "!", "#\\\nk=v", "\\\n#x\nk=v", "\\\n!x=1", "k\\", "k=\\", "k=v\\\n", "k=v\\\n ", "k=v\\\n\n",
	"k=v\\\n#w", "k=v\\\r\n  w\r\nx=y", "k=v\\\rw", "k=v\\\n\\\nw", "k=v\\\\\nw=x", "k=v\\\\\\\nw=x", "k\\=a=b", "k\\ a b", "k\\\ta:b", "\\u006b\\u003d=v", "k=\\u00e9\\uD83D\\uDE00",
	"k=\xe9\xff\x80", "\xEF\xBB\xBFk=v", "k=\x00", "k  =  : v", "k:=v", "k=:v", "k\t\tv", "k\fv", "a=1\na=2\na=3", "  #k=v", "\t!k=v", "k=v \t", "\\#k=v", "\\ k=v", "\\\nk=v", "k=\\\n\\\n\\\nv",
	"k=\\z\\\"\\'\\:\\=\\ ", "k=\\u12", "k=\\u12G4", "\\u=1", "k=\\U0041", "k=\\u+041", "a=1\r\r\nb=2", "a b=c", "a\\\n b=c", "a\\\n =c", "a\\\n\n=c", "a=\\u0020\\u0020b", "#\\u12\nk=v",
}

func TestPropertiesAgainstJava(t *testing.T) {
	var docs [][]byte
	var want []string
	var edited []bool
	add := func(doc []byte, isEdit bool) *Properties {
		p, err := ParseProperties("x", doc)
		docs, edited = append(docs, doc), append(edited, isEdit)
		if err != nil {
			want = append(want, "REFUSED\n")
			return nil
		}
		want = append(want, asProperties(p))
		return p
	}
	var sources [][]byte
	for _, s := range oddProperties {
		sources = append(sources, []byte(s), []byte(s+"\nserver.scheme=http"), []byte("server.scheme=http\n"+s), []byte("#server.scheme=http\n"+s))
	}
	sources = append(sources, read(t, "testdata/bitbucket.properties"), bytes.ReplaceAll(read(t, "testdata/bitbucket.properties"), []byte("\n"), []byte("\r\n")))
	for _, path := range corpus(t, "bitbucket_properties") {
		sources = append(sources, read(t, path))
	}
	awkward := []Property{{"k", " = \\ : # ! \t\u00fc\u20ac\U0001F600\n"}, {"a b", "x"}, {"=", ""}}
	for _, src := range sources {
		p := add(src, false)
		if p == nil {
			continue
		}
		for _, changes := range [][]Property{wanted(), awkward} {
			r, err := p.Edit(changes, nil)
			if err != nil {
				t.Fatalf("%q: %v", src, err)
			}
			add(r.After, true)
		}
	}
	for i, got := range askJava(t, "properties", docs) {
		if diff := cmp.Diff(got, want[i]); diff != "" {
			t.Errorf("edited %v: %q\n(-java +bitgate)\n%s", edited[i], docs[i], diff)
		}
	}
	t.Logf("%d files and edits read alike by java.util.Properties", len(docs))
}

// asXML is what Java must print for s. Java turns line ends and tabs in
// attribute values into blanks, etree keeps them.
func asXML(s *ServerXML) string {
	blank := strings.NewReplacer("\n", " ", "\t", " ")
	var b strings.Builder
	for _, e := range s.elems {
		fmt.Fprintf(&b, "ELEMENT %s\n", base(e.FullTag()))
		for _, a := range e.Attr {
			fmt.Fprintf(&b, "ATTRIBUTE %s %s\n", base(a.FullKey()), base(blank.Replace(a.Value)))
		}
	}
	return b.String()
}

func TestXMLAgainstJava(t *testing.T) {
	var docs [][]byte
	var want, names []string
	add := func(name string, doc []byte, answer string) {
		docs, want, names = append(docs, doc), append(want, answer), append(names, name)
	}
	for _, c := range broken {
		if !c.java {
			add(c.name, []byte(c.src), "REFUSED\n")
		}
	}
	sources := map[string][]byte{"shipped": read(t, "testdata/bitbucket4.xml")}
	sources["ISO-8859-1"] = declared(sources["shipped"], "ISO-8859-1", "gepr\xFCft")
	sources["entities"] = []byte("<!DOCTYPE Server [\n <!-- it's > [ -->\n <!ENTITY host \"git&#46;example.com\"> <!ENTITY unused SYSTEM 'x'>\n]>\n" +
		wrap(`<Connector port="7990" proxyName="&host;" x="&host;&#x5c;&lt;"/>`, "<Context path=''/>"))
	for _, path := range corpus(t, "server_xml") {
		sources[filepath.Base(path)] = read(t, path)
	}
	for name, src := range sources {
		s, err := ParseServerXML(name, src)
		if err != nil {
			add(name, src, "REFUSED\n")
			continue
		}
		add(name, src, asXML(s))
		for _, c := range s.Connectors() {
			var port int
			if _, err := fmt.Sscan(c.Port, &port); err != nil {
				continue
			}
			if r, err := s.SetConnector(port, Connector{ProxyName: "a&b<c>\"d'e", ProxyPort: 443, Scheme: "https"}); err == nil {
				add(name+" edited", r.After, asXML(mustXML(t, string(r.After))))
			}
		}
		if r, err := s.SetContextPath(0, "/bitbucket"); err == nil {
			add(name+" edited", r.After, asXML(mustXML(t, string(r.After))))
		}
	}
	for i, got := range askJava(t, "xml", docs) {
		if want[i] == "REFUSED\n" {
			if !strings.HasSuffix(got, want[i]) {
				t.Errorf("%s: Java takes what bitgate refuses as not well formed\n%s", names[i], docs[i])
			}
		} else if diff := cmp.Diff(got, want[i]); diff != "" {
			t.Errorf("%s: (-java +bitgate)\n%s", names[i], diff)
		}
	}
	t.Logf("%d files and edits read alike by Java's XML parser", len(docs))
}
