package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPortThatIsNone: no front is led to a port that there is not, whichever place
// says so.
func TestPortThatIsNone(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	properties := filepath.Join(home, "shared", "bitbucket.properties")
	if err := os.MkdirAll(filepath.Dir(properties), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, port := range []string{"99999", "65536", "0", "-1", "x", "18446744073709559606"} {
		if err := os.WriteFile(properties, []byte("a=b\nserver.port="+port+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, front := range []string{"builtin", "haproxy"} {
			plan := []string{"plan", "--url", "https://git.test/bitbucket", "--home", home, "--bitbucket-version", "9.4.16", "--front", front}
			code, out, text := inProcess(t, nil, "", plan...)
			if code == 0 || !strings.Contains(text, properties+", line 2") || !strings.Contains(text, "is no port") || strings.Contains(out, "upstream") {
				t.Errorf("%s, server.port=%s: exit code %d\n%s%s", front, port, code, out, text)
			}
			code, out, text = inProcess(t, nil, "", append(plan, "--upstream", "http://127.0.0.1:"+port)...)
			if code == 0 || !strings.Contains(text, "--upstream") {
				t.Errorf("%s, --upstream with %s: exit code %d\n%s%s", front, port, code, out, text)
			}
		}
	}
}
