package tomcat

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"bitgate/internal/problem"
	"bitgate/internal/splice"
)

// front is what a front at https://git.example.com asks of the connector.
var front = Connector{ProxyName: "git.example.com", ProxyPort: 443, Scheme: "https", Secure: true, RedirectPort: 443}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// corpus lists the real-world samples of a kind; nil where there are none.
func corpus(t testing.TB, kind string) []string {
	t.Helper()
	root := os.Getenv("BITGATE_CORPUS")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "corpus")
	}
	files, err := filepath.Glob(filepath.Join(root, kind, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func needCorpus(t *testing.T, kind string) []string {
	t.Helper()
	files := corpus(t, kind)
	if len(files) == 0 {
		t.Skipf("NO CORPUS: set BITGATE_CORPUS to a folder with %s/ to run this test over real files", kind)
	}
	return files
}

func mustXML(t testing.TB, src string) *ServerXML {
	t.Helper()
	s, err := ParseServerXML("server.xml", []byte(src))
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return s
}

func mustProperties(t testing.TB, src string) *Properties {
	t.Helper()
	p, err := ParseProperties("bitbucket.properties", []byte(src))
	if err != nil {
		t.Fatalf("%v\n%q", err, src)
	}
	return p
}

// checkSplices proves that the splices alone make After out of the original.
func checkSplices(t testing.TB, before []byte, r Result) {
	t.Helper()
	after, err := splice.Apply(before, r.Splices)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(after, r.After) {
		t.Fatalf("splices make\n%q\nAfter is\n%q", after, r.After)
	}
}

var lineNumber = regexp.MustCompile(`lines? \d+`)

// checkRefusal proves that a refusal names the file, a line and what to do.
func checkRefusal(t testing.TB, name string, err error) {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) {
		t.Fatalf("not a problem.Error: %v", err)
	}
	if !strings.Contains(p.Found, name) || !lineNumber.MatchString(p.Found) || p.Why == "" || p.Do == "" {
		t.Fatalf("a refusal must name file, line, reason and the next step: %+v", p)
	}
}
