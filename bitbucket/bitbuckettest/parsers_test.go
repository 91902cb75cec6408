package bitbuckettest

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

func TestReadProperties(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       map[string]string
	}{
		{"separators", "a=1\nb:2\nc 3\nd\t= 4\ne", map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": ""}},
		{"comments", "#a=1\n !b=2\n#>*** c=3\n  d = 4 ", map[string]string{"d": "4 "}},
		{"continuation", "a=1\\\n   2\\\\\nb=\\\r\n3", map[string]string{"a": `12\`, "b": "3"}},
		{"a comment does not continue", "#a=\\\nb=1", map[string]string{"b": "1"}},
		{"escapes", `a\=b\:c=\u00e4\tx\q`, map[string]string{"a=b:c": "ä\txq"}},
		{"latin-1", "a=\xe4", map[string]string{"a": "ä"}},
		{"the last wins", "a=1\r\na=2\ra=3", map[string]string{"a": "3"}},
		{"second separator belongs to the value", "a==1", map[string]string{"a": "=1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readProperties([]byte(c.text))
			if err != nil || !maps.Equal(got, c.want) {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
	if _, err := readProperties([]byte(`a=\u00g0`)); err == nil {
		t.Error("a malformed escape was accepted")
	}
}

// corpus is the folder of real files, "" where it is not there.
func corpus(kind string) string {
	dir := os.Getenv("BITGATE_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	return filepath.Join(dir, kind)
}

func seed(f *testing.F, kind string) {
	files, _ := filepath.Glob(filepath.Join(corpus(kind), "*"))
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

func FuzzReadProperties(f *testing.F) {
	f.Add([]byte("a=1\\\n b\n\\u00e4:x\n"))
	seed(f, "bitbucket_properties")
	f.Fuzz(func(t *testing.T, data []byte) {
		props, err := readProperties(data)
		if err == nil {
			_, _ = fromProperties(props, "")
		}
	})
}

func FuzzServerXML(f *testing.F) {
	f.Add([]byte(`<Server><Service><Connector port="7990"/><Engine><Host><Context path="/x"/></Host></Engine></Service></Server>`))
	seed(f, "server_xml")
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := fromServerXML(data)
		if err == nil && len(cfg.connectors) == 0 {
			t.Error("no connector and no error")
		}
		if err == nil && cfg.context != "" && cfg.context[0] != '/' {
			t.Errorf("context %q", cfg.context)
		}
	})
}
