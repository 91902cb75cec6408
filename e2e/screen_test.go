package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// screen is a terminal in tmux.
type screen struct {
	t      testing.TB
	where  string // the command runs
	socket string
	w, h   int
}

// startScreen runs a command in a terminal of its own, with an environment of
// its own, and ends both with the test.
func startScreen(t testing.TB, dir string, w, h int, command []string) screen {
	t.Helper()
	short, err := os.MkdirTemp("", "tmux") // a socket's path has some 100 bytes at most
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(short) })
	s := screen{t: t, where: dir, socket: filepath.Join(short, "s"), w: w, h: h}
	quoted := make([]string, len(command))
	for i, arg := range command {
		quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}
	s.tmux("-f", "/dev/null", "new-session", "-d", "-x", strconv.Itoa(w), "-y", strconv.Itoa(h), "-c", dir, s.watch()+strings.Join(quoted, " ")+"; cat")
	shell, err := strconv.Atoi(strings.TrimSpace(s.tmux("display-message", "-p", "#{pane_pid}")))
	must(t, err)
	t.Cleanup(func() { s.end(shell) })
	return s
}

// watch is a command that ends the terminal after the test's process, which
// may be killed or run out of time and then cleans nothing up.
func (s screen) watch() string {
	return fmt.Sprintf("(while kill -0 %d; do sleep 2; done; tmux -S %s kill-server) >/dev/null 2>&1 & ", os.Getpid(), s.socket)
}

// end closes the terminal, and ends by force what does not end with it.
func (s screen) end(shell int) {
	if s.t.Failed() {
		s.t.Logf("the last screen:\n%s", s.text())
	}
	_, _ = s.try("kill-server")
	gone := func() bool { // the shell leads a process group
		_, _ = syscall.Wait4(-shell, nil, syscall.WNOHANG, nil) // where this process is everybody's parent
		return syscall.Kill(-shell, 0) != nil
	}
	if !peers.Within(time.Minute, gone) {
		s.t.Errorf("process group %d is still there a minute after its terminal has gone", shell)
		_ = syscall.Kill(-shell, syscall.SIGKILL)
	}
}

func (s screen) tmux(args ...string) string {
	s.t.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.t.Fatalf("tmux %s: %v\n%s", args[0], err, out)
	}
	return out
}

// try gives a tmux command twenty seconds; it needs some milliseconds.
func (s screen) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "tmux", append([]string{"-u", "-S", s.socket}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(s.socket), "LC_ALL=C.UTF-8", "SHELL=/bin/sh", "PAGER=cat >" + filepath.Join(s.where, "pager.txt")}
	out, err := cmd.CombinedOutput()
	return string(out), err
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

// types sends text as it is.
func (s screen) types(text string) { s.t.Helper(); s.tmux("send-keys", "-l", text) }

// until waits as long as a machine may take that is busy with other things.
func (s screen) until(what string, ok func() bool) {
	s.t.Helper()
	peers.WaitFor(s.t, what, ok)
}

// asks waits for the question with the title: right of the rail, or alone. One
// that is answered has "ok" before its title, and stays on the screen.
func (s screen) asks(question string) {
	s.t.Helper()
	title := regexp.MustCompile(`(?m)^(.{28}|.{32}| )` + regexp.QuoteMeta(question) + `(  |$)`)
	s.until("the question "+question, func() bool {
		for _, found := range title.FindAllStringSubmatch(s.text(), -1) {
			if !strings.HasSuffix(found[1], "ok  ") {
				return true
			}
		}
		return false
	})
}

// typed answers the question whose title is on the screen; an empty answer
// takes what is there. It waits until the question has gone.
func (s screen) typed(question, answer string) {
	s.t.Helper()
	s.asks(question)
	if answer != "" {
		s.keys("C-u")
		s.types(answer)
	}
	before := s.text()
	s.keys("Enter")
	s.until("the screen after "+question, func() bool { return s.text() != before })
}

// resized shows the window too small, large, and as it was: then the same is
// on the screen as before.
func (s screen) resized() {
	s.t.Helper()
	before := s.settled(s.text)
	s.tmux("resize-window", "-x", "50", "-y", "10")
	s.wait("this window has 50x10")
	s.tmux("resize-window", "-x", "200", "-y", "60")
	s.until("a large window", func() bool { return !strings.Contains(s.text(), "50x10") })
	s.tmux("resize-window", "-x", strconv.Itoa(s.w), "-y", strconv.Itoa(s.h))
	s.until("the screen as it was:\n"+before, func() bool { return s.text() == before })
}

// settled waits until nothing moves in what look sees: no check is under way.
func (s screen) settled(look func() string) string {
	s.t.Helper()
	last, since := look(), time.Now()
	s.until("a screen that keeps still", func() bool {
		now := look()
		if now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	})
	return last
}
