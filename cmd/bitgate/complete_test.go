package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestCompletePath(t *testing.T) {
	dir := t.TempDir() + "/"
	for _, name := range []string{"git.key", "git.pem", ".hidden", "live/git/privkey.pem", "z-ä1", "z-ö1", "z-ö2"} {
		if err := os.MkdirAll(filepath.Dir(dir+name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ typed, longer, choices string }{
		{"g", "git.", "git.key git.pem"},
		{"git.p", "git.pem", "git.pem"},
		{"git.pem", "git.pem", "git.pem"},
		{"l", "live/", "live/"},
		{"live/", "live/git/", "git/"},
		{"", "", "git.key git.pem live/ z-ä1 z-ö1 z-ö2"},
		{"z", "z-", "z-ä1 z-ö1 z-ö2"},
		{"z-ö", "z-ö", "z-ö1 z-ö2"},
		{".", ".hidden", ".hidden"},
		{"x", "x", ""},
		{"none/x", "none/x", ""},
	} {
		longer, choices := completePath(dir + tt.typed)
		if longer != dir+tt.longer || strings.Join(choices, " ") != tt.choices {
			t.Errorf("%q becomes %q, choices %q", tt.typed, strings.TrimPrefix(longer, dir), choices)
		}
	}
}

// TestCompletion: shells are told the values of flags and arguments, and no flag but
// one of files is left to file names.
func TestCompletion(t *testing.T) {
	for _, tt := range []struct{ typed, want string }{
		{"setup --front ", "haproxy builtin tomcat"},
		{"apply --restart ", "manual never auto"},
		{"plan --base-url-method ", "auto manual skip confapi form"},
		{"plan --http-redirect ", "auto always never"},
		{"apply --on-failure ", "back keep"},
		{"verify --skip ", "context-path base-url connector haproxy ssh"},

		{"proxy --access-log-format ", "httplog json"},
		{"demo --front ", "haproxy builtin"},
		{"render ", "haproxy systemd server.xml properties"},

		{"man cert ", "bundle deploy dev import inspect renew request status trust"},
	} {
		words := strings.Split(tt.typed, " ")
		_, out, _ := inProcess(t, nil, "", append([]string{"__completeNoDesc"}, words...)...)
		said, directive, _ := strings.Cut(out, ":")
		if got := strings.Join(strings.Fields(said), " "); got != tt.want || !strings.HasPrefix(directive, "4") && !strings.HasPrefix(directive, "36") {
			t.Errorf("%q: %q (directive %s)", tt.typed, got, directive)
		}
	}
	for path, c := range commands(newRoot(&process{})) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() == "bool" || f.NoOptDefVal != "" {
				return
			}
			arg, _ := pflag.UnquoteUsage(f)
			_, out, _ := inProcess(t, nil, "", append(append([]string{"__complete"}, strings.Fields(path)[1:]...), "--"+f.Name, "")...)
			if files := strings.HasSuffix(strings.TrimSpace(out), ":0"); files != (arg == "FILE") {
				t.Errorf("%s --%s %s: files are offered: %v\n%s", path, f.Name, arg, files, out)
			}
		})
	}
}
