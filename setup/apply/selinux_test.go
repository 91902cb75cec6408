package apply

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/internal/splice"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// With SELinux a new file gets the type that the policy has for its path, or it is told
// which command sets it; one that is replaced keeps its own, and without SELinux nothing
// is asked.
func TestNewFilesAreLabelled(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "haproxy.cfg")
	program := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "restorecon"), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program("echo \"$@\" >>" + dir + "/labelled")
	if err := os.WriteFile(filepath.Join(dir, "enforce"), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	edit := func(selinux, before, after string) *Applier {
		t.Helper()
		a := &Applier{SELinux: selinux}
		e := &setup.FileEdit{Path: path, Before: before, After: journal.DigestOf(after), Mode: 0o644, UID: -1, GID: -1}
		data, err := os.ReadFile(after)
		if err != nil {
			t.Fatal(err)
		}
		old, _ := os.ReadFile(path) // none where it is new
		e.Splices = []splice.Splice{{Old: string(old), New: string(data)}}
		if err := a.editFile(t.Context(), &journal.Run{}, 0, e); err != nil {
			t.Fatal(err)
		}
		return a
	}
	labelled := func() string {
		data, _ := os.ReadFile(filepath.Join(dir, "labelled")) // none yet
		return strings.TrimSpace(string(data))
	}
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	for file, text := range map[string]string{one: "one\n", two: "two\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if edit(filepath.Join(dir, "none"), setup.Absent, one); labelled() != "" {
		t.Errorf("without SELinux: %s", labelled())
	}
	if edit(dir, journal.DigestOf(one), two); labelled() != "" {
		t.Errorf("a file that was there: %s", labelled())
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if a := edit(dir, setup.Absent, one); labelled() != path || len(a.noticed) > 0 {
		t.Errorf("a new file: %q, %+v", labelled(), a.noticed)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	program("echo no policy >&2; exit 255")
	if a := edit(dir, setup.Absent, one); len(a.noticed) != 1 || a.noticed[0].Do != "restorecon -v "+path {
		t.Errorf("it cannot be set: %+v", a.noticed)
	}
}
