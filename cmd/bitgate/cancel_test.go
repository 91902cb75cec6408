package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestCancelledWhileLooking: Ctrl-C while the machine is still looked at is
// leaving before consent, not a failure.
func TestCancelledWhileLooking(t *testing.T) {
	signals := make(chan os.Signal, 1)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case signals <- syscall.SIGINT:
		default:
		}
		<-r.Context().Done()
	}))
	defer silent.Close()
	var out, said bytes.Buffer
	code := Main(process{
		Args: []string{"plan", "--url", "https://git.example.com/bitbucket", "--upstream", silent.URL, "--home", t.TempDir(), "--state-dir", t.TempDir()},
		In:   strings.NewReader(""), Out: &out, Err: &said, Signals: signals, Root: t.TempDir(), Proc: t.TempDir(),
		Env: func(string) (string, bool) { return "", false },
	})
	if code != 130 || !strings.Contains(said.String(), "cancelled; nothing was changed") {
		t.Errorf("exit code %d\n%s%s", code, out.String(), said.String())
	}
}
