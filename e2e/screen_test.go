package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// screen is a terminal in tmux.
type screen struct {
	t      *testing.T
	socket string
	w, h   int
}

// startScreen runs a command in a terminal of its own, gone when the test ends.
func startScreen(t *testing.T, dir string, w, h int, command []string) screen {
	t.Helper()
	s := screen{t: t, socket: filepath.Join(t.TempDir(), "tmux"), w: w, h: h}
	quoted := make([]string, len(command))
	for i, arg := range command {
		quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}
	s.tmux("-f", "/dev/null", "new-session", "-d", "-x", strconv.Itoa(w), "-y", strconv.Itoa(h), "-c", dir, strings.Join(quoted, " ")+"; cat")
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
	s.until(fmt.Sprintf("%q on the screen", words), func() bool { return strings.Contains(s.text(), words) })
}

func (s screen) keys(names ...string) {
	s.t.Helper()
	s.tmux(append([]string{"send-keys"}, names...)...)
}

// until waits half a minute; longer no person would.
func (s screen) until(what string, ok func() bool) {
	s.t.Helper()
	if !within(30*time.Second, ok) {
		s.t.Fatalf("waited in vain for %s", what)
	}
}

// within polls until ok, or until the time is over.
func within(limit time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return ok()
}

// asks waits for the question with the title: right of the rail, or alone.
func (s screen) asks(question string) {
	s.t.Helper()
	title := regexp.MustCompile(`(?m)^(.{28}|.{38}| )` + question + `(  |$)`)
	s.until("the question "+question, func() bool { return title.MatchString(s.text()) })
}

// typed answers the question whose title is on the screen; an empty answer
// takes what is there. It waits until the question has gone.
func (s screen) typed(question, answer string) {
	s.t.Helper()
	s.asks(question)
	if answer != "" {
		s.keys("C-u")
		s.tmux("send-keys", "-l", answer)
	}
	before := s.text()
	s.keys("Enter")
	s.until("the screen after "+question, func() bool { return s.text() != before })
}
