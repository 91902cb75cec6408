package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCompletePath(t *testing.T) {
	dir := t.TempDir() + "/"
	for _, name := range []string{"git.key", "git.pem", ".hidden", "live/git/privkey.pem"} {
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
		{"", "", "git.key git.pem live/"},
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
