package main

import (
	"fmt"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"bitgate/interview"
	"bitgate/setup"
)

// commands lists every command people can see, by its path.
func commands(c *cobra.Command) map[string]*cobra.Command {
	all := map[string]*cobra.Command{c.CommandPath(): c}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			for path, s := range commands(sub) {
				all[path] = s
			}
		}
	}
	return all
}

// TestHelp compares the help of each command with its golden file (-update).
func TestHelp(t *testing.T) {
	for path := range commands(newRoot(&process{})) {
		t.Run(path, func(t *testing.T) {
			args := append(strings.Fields(path)[1:], "--help")
			code, got, errText := inProcess(t, nil, "", args...)
			if code != 0 || errText != "" {
				t.Fatalf("exit code %d, %s", code, errText)
			}
			file := filepath.Join("testdata", "help", strings.ReplaceAll(path, " ", "_")+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestManPages: each command has a page that names its flags and every exit code,
// and each file one that names its keys. mandb and groff take them all.
func TestManPages(t *testing.T) {
	dir := t.TempDir()
	if code, _, errText := inProcess(t, nil, "", "man", "--dir", dir); code != 0 {
		t.Fatal(errText)
	}
	page := func(section int, name string) string {
		t.Helper()
		file := fmt.Sprintf("%s/man%d/%s.%d", dir, section, name, section)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
		}
		if groff, err := exec.LookPath("groff"); err == nil {
			if out, err := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z", file).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("groff: %v\n%s", err, out)
			}
		}
		return string(text)
	}
	root := newRoot(&process{})
	main := page(1, "bitgate")
	for path, c := range commands(root) {
		if c.HasAvailableSubCommands() || c.Name() == "help" {
			continue
		}
		name := strings.ReplaceAll(path, " ", "-")
		text := page(1, name)
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && f.Name != "help" && !strings.Contains(text, `.B \-\-`+strings.ReplaceAll(f.Name, "-", `\-`)) {
				t.Errorf("%s: no --%s", name, f.Name)
			}
		})
		if !strings.Contains(text, ".B 130") || !strings.Contains(main, ".BR "+strings.ReplaceAll(name, "-", `\-`)+" (1)") {
			t.Errorf("%s: no exit codes, or not in bitgate(1)", name)
		}
	}
	for _, q := range interview.Questions() {
		if !q.Virtual && !strings.Contains(page(5, "bitgate-answers.yaml"), "\n.B "+strings.ReplaceAll(q.ID, "-", `\-`)+":") {
			t.Errorf("bitgate-answers.yaml(5) does not explain %s", q.ID)
		}
	}
	if !strings.Contains(page(5, "bitgate-proxy.yaml"), `\fBhttp\-keep\-alive\-timeout\fR`) {
		t.Error("bitgate-proxy.yaml(5) has no settings")
	}
	code, text, _ := inProcess(t, nil, "", "man", "cert", "inspect")
	if file := page(1, "bitgate-cert-inspect"); code != 0 || text != file {
		t.Errorf("bitgate man prints another page than it writes: %d", code)
	}
}

// TestFlags holds flags, environment and answers file to the same list.
func TestFlags(t *testing.T) {
	samples := map[string]string{
		"acme-terms": "https://ca.example.com/terms",
		"url":        "https://git.example.com/bitbucket", "upstream": "http://127.0.0.1:7777", "listen": "127.0.0.1:8443",
		"ssh-listen": "127.0.0.1:7998", "ssh-upstream": "127.0.0.1:7999", "maxconn": "77", "restart-timeout": "2m",
		"redirect-old-path": "/stash", "skip": "ssh", "accept": "rehearsal-1f3a9c20", "no-ssh": "yes", "local-only": "yes", "node": "one=10.0.0.1:7990", "partial-service": "yes",
		"trusted-proxy": "10.0.0.0/8", "proxy-protocol": "yes", "keep-alive": "2m", "redirect-host": "stash.example.com", "serve-host": "code.example.com", "allow": "/admin=10.0.0.0/8", "deny": "/=10.0.0.1",
		"response-header": "X-A:b", "hsts": "24h", "max-header": "16384", "health-listen": ":8080", "plain-listen": ":8080", "upstream-ca": "/ca.pem", "upstream-name": "bitbucket.internal",
	}
	for _, q := range interview.Questions() {
		if q.Virtual {
			continue
		}
		text := samples[q.ID]
		if text == "" {
			switch q.Kind {
			case interview.Choice:
				text = q.Options[0].Value
			case interview.Path:
				text = "/some/" + q.ID
			default:
				text = "some-text"
			}
		}
		file := filepath.Join(t.TempDir(), "answers.yaml")
		if err := os.WriteFile(file, []byte(q.ID+": "+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, way := range []struct {
			from setup.Origin
			env  map[string]string
			args []string
		}{
			{setup.FromFlag, nil, []string{"--" + q.ID + "=" + text}},
			{setup.FromEnv, map[string]string{envName(q.ID): text}, nil},
			{setup.FromFile, nil, []string{"--answers", file}},
			{setup.FromFile, map[string]string{"BITGATE_ANSWERS": file}, nil},
		} {
			a, src := parseShared(t, way.env, way.args)
			if got := q.Get(a); got != text || src[q.ID].From != way.from {
				t.Errorf("%s by %s: %q from %q", q.ID, way.from, got, src[q.ID].From)
			}
			if len(src) != 1 {
				t.Errorf("%s by %s: also set %v", q.ID, way.from, src)
			}
		}
	}
}

// parseShared parses the shared flags as a command does.
func parseShared(t *testing.T, env map[string]string, args []string) (setup.Answers, setup.Sources) {
	t.Helper()
	c := &cobra.Command{}
	s := addShared(c)
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	a, src, err := s.input(&process{Env: func(n string) (string, bool) { v, set := env[n]; return v, set }})
	if err != nil {
		t.Fatal(err)
	}
	return a, src
}

// TestSharedFlagsEverywhere: the six commands that share flags share all of them.
func TestSharedFlagsEverywhere(t *testing.T) {
	all := commands(newRoot(&process{}))
	for _, name := range []string{"setup", "plan", "apply", "verify", "undo", "recover"} {
		for _, q := range interview.Questions() {
			if !q.Virtual && all["bitgate "+name].Flags().Lookup(q.ID) == nil {
				t.Errorf("bitgate %s lacks --%s", name, q.ID)
			}
		}
	}
}

// TestConsentHasNoEnvironment: nobody consents by a forgotten variable.
func TestConsentHasNoEnvironment(t *testing.T) {
	env := map[string]string{"BITGATE_YES": "yes", "BITGATE_FORCE": "yes"}
	code, _, text := inProcess(t, env, "", "apply", "--state-dir", t.TempDir())
	if code != 2 || !strings.Contains(text, "--yes") {
		t.Errorf("exit code %d: %s", code, text)
	}
}

// TestNoPasswordFlag: a password on a command line is in the process list.
func TestNoPasswordFlag(t *testing.T) {
	for path, c := range commands(newRoot(&process{})) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if strings.Contains(f.Name, "password") && !strings.HasSuffix(f.Name, "-file") {
				t.Errorf("%s --%s takes a secret", path, f.Name)
			}
		})
	}
}

// TestHelpPlaceholders: pflag takes the back-quoted word for the value's name,
// so that a word of the explanation in quotes reads as if it were the only value.
func TestHelpPlaceholders(t *testing.T) {
	for path, c := range commands(newRoot(&process{})) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			name, _ := pflag.UnquoteUsage(f)
			if !f.Hidden && name != "" && name != strings.ToUpper(name) && !strings.Contains(name, "|") {
				t.Errorf("%s --%s %s: a placeholder is in capitals, or a choice a|b", path, f.Name, name)
			}
		})
	}
}

// TestHelpFitsTheTerminal: the flags and what they say keep to its columns, and no
// word of them is lost or broken.
func TestHelpFitsTheTerminal(t *testing.T) {
	for path, c := range commands(newRoot(&process{})) {
		narrow := flagGroups(c, 80)
		for line := range strings.Lines(narrow) {
			if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 80 {
				t.Errorf("%s: %q has more than 80 columns", path, line)
			}
		}
		if got, want := strings.Fields(narrow), strings.Fields(flagGroups(c, 0)); !slices.Equal(got, want) {
			t.Errorf("%s: in 80 columns its flags are\n%s", path, narrow)
		}
	}
}

// TestFlagsInTextsExist: what an error or a help text tells people to type is a
// flag of bitgate, or of the other program that is named.
func TestFlagsInTextsExist(t *testing.T) {
	known := map[string]bool{}
	for _, c := range commands(newRoot(&process{})) {
		c.Flags().VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
	}
	for _, foreign := range []string{
		"help", "public", // of every command; of the hidden stand-in
		"quiet", "bare", "stdin", "global", "system", "no-create-home", "shell", "state", "query-port", "query-service", "add-port", "permanent", "env-add", "install-cert", "reloadcmd", "standalone", "httpport", "cert-name", "remove", "now", // git, useradd, firewall-cmd, docker, acme.sh, systemctl
	} {
		known[foreign] = true
	}
	word := regexp.MustCompile(`(?:^|[\s("'` + "`" + `])--([a-z][a-z0-9-]*)`)
	literals(t, func(at token.Position, text string) {
		if !strings.Contains(text, " ") {
			return // an argument for another program
		}
		for _, m := range word.FindAllStringSubmatch(text, -1) {
			if !known[m[1]] {
				t.Errorf("%s: --%s is no flag of bitgate", at, m[1])
			}
		}
	})
}
