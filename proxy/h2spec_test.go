package proxy_test

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bitgate/proxy/config"
)

// The cases of h2spec that fail with the standard library's HTTP/2, and why. Any
// other that fails fails the test, and so does one of these that passes. With our
// own none does.
var h2specExplained = map[string]string{
	"http2/6.5.3 Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE":                                          "the standard library ends the connection of a peer that names a setting twice in one frame",
	`http2/8.1.2.2 Sends a HEADERS frame that contains the TE header field with any value other than "trailers"`: "answered 400 instead of a reset (RFC 9113, 8.1.1, allows either); nothing of it reaches the server",
	"http2/8.1.2.2 Sends a HEADERS frame that contains the connection-specific header field":                     "as above",
}

// How many cases h2spec has in the version that tools/go.mod pins, its strict
// ones included.
const h2specCases = 146

// The conformance tests of h2spec against the TLS listener (RFC 7540, RFC 7541).
func TestH2spec(t *testing.T) {
	for _, engine := range engines() {
		t.Run(engine, func(t *testing.T) {
			explained := h2specExplained
			if engine == config.EngineLoop {
				explained = nil
			}
			checkH2spec(t, engine, explained)
		})
	}
}

func checkH2spec(t *testing.T, engine string, explained map[string]string) {
	t.Parallel() // it waits most of the time
	r := start(t, server(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Repeat("answer ", 20))
	}), func(c *config.Config) { c.Engine = engine })
	_, port, _ := net.SplitHostPort(r.addr)
	report := filepath.Join(t.TempDir(), "report.xml")
	cmd := exec.Command("go", "tool", "-modfile=tools/go.mod", "h2spec", "--strict", "--tls", "--insecure", "--timeout", "4",
		"--host", "localhost", "--port", port, "--path", "/bitbucket/x", "--junit-report", report)
	cmd.Dir = ".."
	out, runErr := cmd.CombinedOutput() // fails when a case does
	data, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("no report: %v\n%v\n%s", err, runErr, out)
	}
	var suites struct {
		Suite []struct {
			Case []struct {
				Package string  `xml:"package,attr"`
				Name    string  `xml:"classname,attr"`
				Failure *string `xml:"failure"`
				Error   *string `xml:"error"`
				Skipped *string `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(data, &suites); err != nil {
		t.Fatal(err)
	}
	failed := map[string]string{}
	total := 0
	for _, s := range suites.Suite {
		for _, c := range s.Case {
			total++
			for _, why := range []*string{c.Failure, c.Error, c.Skipped} {
				if why != nil {
					failed[c.Package+" "+c.Name] = *why
				}
			}
		}
	}
	t.Logf("h2spec: %d of %d cases pass", total-len(failed), total)
	if total != h2specCases {
		t.Errorf("%d cases ran, not %d", total, h2specCases)
	}
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		if explained[name] == "" {
			t.Errorf("%s: %s", name, failed[name])
		}
	}
	for name := range explained {
		if _, ok := failed[name]; !ok {
			t.Errorf("%s passes: take it off the list of the explained", name)
		}
	}
}
