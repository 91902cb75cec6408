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
)

// How many cases h2spec has in the version that tools/go.mod pins, its strict
// ones included.
const h2specCases = 146

// The conformance tests of h2spec against the TLS listener (RFC 7540, RFC 7541).
func TestH2spec(t *testing.T) {
	t.Parallel() // it waits most of the time
	r := start(t, server(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Repeat("answer ", 20))
	}), nil)
	out, data := "", []byte(nil)
	// What a busy machine keeps from answering in time answers in a longer one.
	for _, seconds := range []string{"4", "30"} {
		if out, data = h2spec(t, r.addr, seconds); data != nil && !strings.Contains(out, "Timeout") {
			break
		}
	}
	if data == nil {
		t.Fatalf("no report:\n%s", out)
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
		t.Errorf("%s: %s", name, failed[name])
	}
}

// h2spec runs all cases, each with a limit, and returns its output and its report,
// nil where it made none.
func h2spec(t *testing.T, addr, seconds string) (out string, report []byte) {
	t.Helper()
	_, port, _ := net.SplitHostPort(addr)
	file := filepath.Join(t.TempDir(), "report.xml")
	cmd := exec.Command("go", "tool", "-modfile=tools/go.mod", "h2spec", "--strict", "--tls", "--insecure", "--timeout", seconds,
		"--host", "localhost", "--port", port, "--path", "/bitbucket/x", "--junit-report", file)
	cmd.Dir = ".."
	text, err := cmd.CombinedOutput() // fails when a case does
	report, readErr := os.ReadFile(file)
	return fmt.Sprintf("%v, %v\n%s", err, readErr, text), report
}
