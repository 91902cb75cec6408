package main

import (
	"bytes"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// quietly is what every command is run with here: what it does without asking.
// A command that is missing in it fails the test.
var quietly = map[string][][]string{
	"bitgate":                       {{"--help"}},
	"bitgate setup":                 {{"setup", "--help"}},
	"bitgate plan":                  {{"plan"}, {"plan", "--json"}},
	"bitgate apply":                 {{"apply", "--yes", "--base-url-method", "skip", "--restart", "never"}},
	"bitgate verify":                {{"verify"}},
	"bitgate undo":                  {{"undo", "--yes"}},
	"bitgate recover":               {{"recover", "--yes"}},
	"bitgate history":               {{"history"}, {"history", "--json"}},
	"bitgate report":                {{"report", "--file", "-"}},
	"bitgate proxy":                 {{"proxy", "--config", "/nowhere"}},
	"bitgate render":                {{"render", "haproxy"}, {"render", "nonsense"}},
	"bitgate rehearse":              {{"rehearse", "--haproxy-cfg", "/nowhere", "--url", "https://git.example.com"}},
	"bitgate cert":                  {{"cert"}},
	"bitgate cert inspect":          {{"cert", "inspect", "/nowhere"}},
	"bitgate cert bundle":           {{"cert", "bundle", "/nowhere"}},
	"bitgate cert dev":              {{"cert", "dev", "--help"}},
	"bitgate cert import":           {{"cert", "import", "/nowhere"}},
	"bitgate cert request":          {{"cert", "request"}},
	"bitgate cert trust":            {{"cert", "trust", "/nowhere"}},
	"bitgate cert renew":            {{"cert", "renew", "--state-dir", "/nowhere"}},
	"bitgate cert status":           {{"cert", "status"}, {"cert", "status", "--json"}},
	"bitgate cert deploy":           {{"cert", "deploy", "--state-dir", "/nowhere"}},
	"bitgate demo":                  {{"demo", "--help"}},
	"bitgate man":                   {{"man"}},
	"bitgate version":               {{"version"}, {"--version"}},
	"bitgate completion":            {{"completion"}},
	"bitgate completion bash":       {{"completion", "bash"}},
	"bitgate completion fish":       {{"completion", "fish"}},
	"bitgate completion zsh":        {{"completion", "zsh"}},
	"bitgate completion powershell": {{"completion", "powershell"}},
	"bitgate help":                  {{"help"}, {"nonsense"}},
}

var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// No command that asks nothing sends the terminal a question or moves its
// cursor; where there is no terminal it sends no escape sequence at all.
func TestNoEscapeSequences(t *testing.T) {
	m := newMachine(t)
	root := newRoot(&process{})
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	for path := range commands(root) {
		runs, known := quietly[path]
		if !known {
			t.Errorf("%s is not in the list", path)
		}
		for _, args := range runs {
			if slices.Contains([]string{"plan", "apply", "verify", "undo", "recover"}, args[0]) {
				args = append(slices.Clone(args), m.args...)
			}
			if out := onPipe(t, m, args); strings.Contains(out, "\x1b") {
				t.Errorf("%v writes an escape sequence into a pipe: %q", args[:1], out)
			}
			out := onTerminal(t, m, args)
			if rest := colour.ReplaceAllString(out, ""); strings.ContainsAny(rest, "\x1b\x05") {
				t.Errorf("%v writes more than colours to a terminal: %q", args, out)
			}
			if out == "" {
				t.Errorf("%v writes nothing", args)
			}
		}
	}
}

func command(t *testing.T, m machine, args []string) *exec.Cmd {
	cmd, _, _ := bitgate(t, args...)
	cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool {
		return strings.HasPrefix(v, "NO_COLOR=") || strings.HasPrefix(v, "TERM=") || strings.HasPrefix(v, "CI=")
	})
	cmd.Env = append(append(cmd.Env, "TERM=xterm-256color"), m.env...)
	cmd.Dir = m.dir
	return cmd
}

func onPipe(t *testing.T, m machine, args []string) string {
	t.Helper()
	var out bytes.Buffer
	cmd := command(t, m, args)
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run() // some of them have to fail
	return out.String()
}

// onTerminal has output and errors on a terminal that answers nothing.
func onTerminal(t *testing.T, m machine, args []string) string {
	t.Helper()
	terminal, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	cmd := command(t, m, args)
	cmd.Stdout, cmd.Stderr = tty, tty
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close()
	out, _ := io.ReadAll(terminal) // ends with EIO when the last writer is gone
	_ = cmd.Wait()
	return string(out)
}
