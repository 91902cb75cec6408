package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"bitgate/internal/peers"
)

// screen is a terminal of 100 columns and 40 lines in tmux.
type screen struct {
	t      *testing.T
	socket string
}

// startScreen runs a command in a terminal of its own, gone when the test ends.
func startScreen(t *testing.T, dir string, command []string) screen {
	t.Helper()
	s := screen{t: t, socket: filepath.Join(t.TempDir(), "tmux")}
	quoted := make([]string, len(command))
	for i, arg := range command {
		quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}
	s.tmux("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "40", "-c", dir, strings.Join(quoted, " ")+"; cat")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last screen:\n%s", s.text())
		}
		_ = exec.Command("tmux", "-S", s.socket, "kill-server").Run()
	})
	return s
}

func (s screen) tmux(args ...string) string {
	s.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", s.socket}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}

// text is what a person sees now.
func (s screen) text() string { s.t.Helper(); return s.tmux("capture-pane", "-p") }

// wait until the words are on the screen.
func (s screen) wait(words string) {
	s.t.Helper()
	peers.WaitFor(s.t, fmt.Sprintf("%q on the screen", words), func() bool { return strings.Contains(s.text(), words) })
}

func (s screen) keys(names ...string) {
	s.t.Helper()
	s.tmux(append([]string{"send-keys"}, names...)...)
}

// typed answers the question whose title is on the screen; an empty answer
// takes what is there. It waits until the question has gone.
func (s screen) typed(question, answer string) {
	s.t.Helper()
	title := regexp.MustCompile(`(?m)^.{28}` + question + `$`) // right of the rail
	peers.WaitFor(s.t, "the question "+question, func() bool { return title.MatchString(s.text()) })
	if answer != "" {
		s.keys("C-u")
		s.tmux("send-keys", "-l", answer)
	}
	before := s.text()
	s.keys("Enter")
	peers.WaitFor(s.t, "the screen after "+question, func() bool { return s.text() != before })
}
