package tomcat

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/google/go-cmp/cmp"
)

// element is a start tag as encoding/xml sees it, independently of etree and
// of bitgate's own scanner.
type element struct {
	path  string // "/Server/Service/Connector"
	attrs map[string]string
	start int // of "<" in the file
	end   int // behind ">"
}

// walk reads a document with encoding/xml alone; ok is false where it is not
// well formed.
func walk(src []byte) (list []element, ok bool) {
	dec := xml.NewDecoder(bytes.NewReader(src))
	dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	path := ""
	for {
		start := int(dec.InputOffset())
		token, err := dec.Token()
		if err != nil {
			return list, errors.Is(err, io.EOF)
		}
		switch token := token.(type) {
		case xml.StartElement:
			path += "/" + token.Name.Local
			e := element{path: path, attrs: map[string]string{}, start: start, end: int(dec.InputOffset())}
			for _, a := range token.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			list = append(list, e)
		case xml.EndElement:
			path = path[:strings.LastIndex(path, "/")]
		}
	}
}

var literalPort = regexp.MustCompile(`^[0-9]+$`)

// expect says, from the elements alone, which HTTP connectors and which
// context of a file must be editable.
func expect(list []element) (connectors []element, context *element) {
	contexts := 0
	for _, e := range list {
		switch {
		case strings.HasSuffix(e.path, "/Connector") && literalPort.MatchString(e.attrs["port"]) && !strings.Contains(strings.ToUpper(e.attrs["protocol"]), "AJP"):
			connectors = append(connectors, e)
		case strings.HasSuffix(e.path, "/Context"):
			contexts++
			context = &e
		}
	}
	if contexts != 1 || strings.Contains(context.attrs["path"], "${") {
		context = nil
	}
	return connectors, context
}

// sameElsewhere proves that an edit touched one start tag only, changed these
// attributes of it and nothing else.
func sameElsewhere(t *testing.T, src, after []byte, touched element, want map[string]string) {
	t.Helper()
	grown := len(after) - len(src)
	if !bytes.Equal(src[:touched.start], after[:touched.start]) || !bytes.Equal(src[touched.end:], after[touched.end+grown:]) {
		t.Error("bytes outside the touched tag have changed")
	}
	old, _ := walk(src)
	edited, ok := walk(after)
	if !ok || len(old) != len(edited) {
		t.Fatal("the edited file has other elements")
	}
	for i, e := range old {
		attrs := map[string]string{}
		for name, value := range e.attrs {
			attrs[name] = value
		}
		if e.start == touched.start {
			for name, value := range want {
				attrs[name] = value
			}
		}
		if diff := cmp.Diff(attrs, edited[i].attrs); diff != "" || e.path != edited[i].path {
			t.Errorf("%s (-want +got)\n%s", e.path, diff)
		}
	}
}

func TestServerXMLCorpus(t *testing.T) {
	var report strings.Builder
	table := tabwriter.NewWriter(&report, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "file\tconnector\tcontext path")
	for _, path := range needCorpus(t, "server_xml") {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			src := read(t, path)
			copied := bytes.Clone(src)
			list, wellFormed := walk(src)
			s, err := ParseServerXML(name, src)
			if err != nil {
				checkRefusal(t, name, err)
				if wellFormed {
					t.Errorf("a well-formed file was refused: %v", err)
				}
				fmt.Fprintf(table, "%s\trefused: %v\t\n", name, reason(name, err))
				return
			}
			if !wellFormed {
				t.Fatal("a file that is not well formed was taken")
			}
			connectors, context := expect(list)
			fmt.Fprintf(table, "%s\t%s\t%s\n", name, connectorOutcome(t, s, src, connectors), contextOutcome(t, s, src, context))
			if !bytes.Equal(src, copied) {
				t.Error("the bytes handed in were changed")
			}
		})
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", report.String())
}

// reason is a refusal without the file's name, for the table.
func reason(name string, err error) string {
	return strings.TrimLeft(strings.TrimPrefix(err.Error(), name), ",: ")
}

func connectorOutcome(t *testing.T, s *ServerXML, src []byte, connectors []element) string {
	t.Helper()
	if len(connectors) == 0 {
		_, err := s.SetConnector(0, front)
		if err == nil {
			t.Fatal("a file without a literal HTTP connector was edited")
		}
		checkRefusal(t, s.name, err)
		return "refused: " + reason(s.name, err)
	}
	var done []string
	for _, c := range connectors {
		port, _ := strconv.Atoi(c.attrs["port"])
		r, err := s.SetConnector(port, front)
		if err != nil {
			t.Fatalf("port %d: %v", port, err)
		}
		checkSplices(t, src, r)
		sameElsewhere(t, src, r.After, c, map[string]string{"proxyName": "git.example.com", "proxyPort": "443", "scheme": "https", "secure": "true", "redirectPort": "443"})
		again, err := mustXML(t, string(r.After)).SetConnector(port, front)
		if err != nil || len(again.Splices) != 0 || !bytes.Equal(again.After, r.After) {
			t.Errorf("the second edit changed something: %v %+v", err, again.Splices)
		}
		done = append(done, fmt.Sprintf("%d: line %d", port, lineAt(src, c.start)))
	}
	return "edited " + strings.Join(done, ", ")
}

func contextOutcome(t *testing.T, s *ServerXML, src []byte, context *element) string {
	t.Helper()
	r, err := s.SetContextPath(0, "/git")
	if context == nil {
		if err == nil {
			t.Fatal("a file without exactly one literal Context was edited")
		}
		checkRefusal(t, s.name, err)
		return "refused: " + reason(s.name, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	checkSplices(t, src, r)
	sameElsewhere(t, src, r.After, *context, map[string]string{"path": "/git"})
	again, err := mustXML(t, string(r.After)).SetContextPath(0, "/git")
	if err != nil || len(again.Splices) != 0 {
		t.Errorf("the second edit changed something: %v %+v", err, again.Splices)
	}
	return fmt.Sprintf("edited: line %d", lineAt(src, context.start))
}

func TestPropertiesCorpus(t *testing.T) {
	var report strings.Builder
	for _, path := range needCorpus(t, "bitbucket_properties") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src := read(t, path)
			r := set(t, string(src), wanted()...)
			if again := set(t, string(r.After), wanted()...); len(again.Splices) != 0 {
				t.Errorf("the second edit changed something: %+v", again.Splices)
			}
			fmt.Fprintf(&report, "%s: %s\n", filepath.Base(path), touchedLines(t, src, r.After))
		})
	}
	t.Logf("\n%s", report.String())
}

// touchedLines proves that every line survives unless it holds one of the
// wanted keys, and that new ones only follow at the end.
func touchedLines(t *testing.T, src, after []byte) string {
	t.Helper()
	old, edited := strings.SplitAfter(string(src), "\n"), strings.SplitAfter(string(after), "\n")
	changed := 0
	for i, line := range old {
		if line == edited[i] || i == len(old)-1 && strings.TrimRight(edited[i], "\r\n") == line {
			continue
		}
		changed++
		key, _, _ := strings.Cut(strings.TrimLeft(line, "#! "), "=")
		for _, w := range wanted() {
			if w.Key == strings.TrimSpace(key) {
				key = ""
			}
		}
		if key != "" {
			t.Errorf("line %d has changed: %q", i+1, key)
		}
	}
	return fmt.Sprintf("%d lines changed in place, %d lines appended", changed, len(edited)-len(old))
}
