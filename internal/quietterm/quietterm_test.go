package quietterm_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"reflect"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/creack/pty"

	"bitgate/internal/peers"
	_ "bitgate/internal/quietterm"
)

// TestMain lets the test binary, which links bubbletea as the real one does,
// play the program that must start without a word to the terminal.
func TestMain(m *testing.M) {
	peers.Suite{Jobs: map[string]func(string){"ready": func(string) { os.Stdout.WriteString("ready\n") }}}.Main(m)
}

func TestNoTerminalQueryBeforeMain(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{peers.JobEnv("ready", ""), "TERM=xterm-256color"}
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	seen, err := io.ReadAll(tty) // ends with EIO when the child is gone
	if err != nil && len(seen) == 0 {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := bytes.TrimSpace(seen); string(got) != "ready" {
		t.Errorf("the terminal was sent %q, want only %q: bubbletea's init has asked for the background colour", got, "ready")
	}
}

func TestSortsBeforeBubbleTea(t *testing.T) {
	const own = "bitgate/internal/quietterm"
	if theirs := reflect.TypeFor[tea.KeyMsg]().PkgPath(); own >= theirs {
		t.Errorf("%s must sort before %s, or it is initialised too late", own, theirs)
	}
}
