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

	_ "bitgate/internal/quietterm"
)

const child = "BITGATE_QUIETTERM_CHILD"

// TestMain lets the test binary, which links bubbletea as the real one does,
// play the program that must start without a word to the terminal.
func TestMain(m *testing.M) {
	if os.Getenv(child) != "" {
		os.Stdout.WriteString("ready\n")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestNoTerminalQueryBeforeMain(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{child + "=1", "TERM=xterm-256color"}
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
