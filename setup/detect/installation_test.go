package detect

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/internal/atomicfile"
	"bitgate/setup"
)

// TestInstallation: a program that units cannot start from where it lies is to be
// installed, unless that would take away what is somebody else's.
func TestInstallation(t *testing.T) {
	self, err := os.Executable() // of another package
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		there func(path string) error
		why   string // it is not installed
	}{
		"nothing there": {there: func(string) error { return nil }},
		"the same":      {there: func(path string) error { return os.WriteFile(path, []byte("program"), 0o755) }},
		"the same, not executable": {
			func(path string) error { return os.WriteFile(path, []byte("program"), 0o600) }, "(mode 0600)",
		},
		"a script":        {func(path string) error { return os.WriteFile(path, []byte("#!/bin/sh"), 0o755) }, "another program has that name"},
		"another program": {func(path string) error { return os.Link(self, path) }, "another program has that name"},
		"a link":          {func(path string) error { return os.Symlink(self, path) }, "that is a link to " + self},
		"a folder":        {func(path string) error { return os.Mkdir(path, 0o755) }, "a folder"},
		"its folder is open to all": {
			func(path string) error { return os.Chmod(filepath.Dir(path), fs.ModePerm) }, "can be changed",
		},
		"anybody can change the program": {
			func(path string) error {
				return os.Chmod(filepath.Join(strings.TrimSuffix(path, setup.InstalledPath), "tmp", "bitgate"), fs.ModePerm)
			}, "somebody else can change",
		},
	} {
		t.Run(name, func(t *testing.T) {
			root, err := os.MkdirTemp("/var/lib", "bitgate-test-") // which units see
			if err != nil {
				t.Skip("NOT TESTED: needs a folder in /var/lib: ", err)
			}
			t.Cleanup(func() { os.RemoveAll(root) })
			if err := os.Chmod(root, 0o755); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(root, setup.InstalledPath)
			program := filepath.Join(root, "tmp", "bitgate")
			for _, dir := range []string{filepath.Dir(path), filepath.Dir(program)} {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(program, []byte("program"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := c.there(path); err != nil {
				t.Skip(err) // a link over the border of a file system
			}
			f := facts{Facts: setup.Facts{Root: root, Systemd: true, ProgramPath: program}}
			if err := f.findProgram(Probe{Root: root, Program: program, StateDir: t.TempDir()}); err != nil {
				t.Fatal(err)
			}
			in := f.Installation
			if c.why != "" {
				if in != nil || f.ProgramFault == nil || f.RenewFault == nil || !strings.Contains(f.ProgramFault.Why, c.why) {
					t.Errorf("%v, %v", in, f.ProgramFault)
				}
				return
			}
			if in == nil || f.ProgramFault != nil || f.RenewFault != nil || f.ProgramPath != path || f.RunsFrom() != program ||
				in.After != atomicfile.Digest([]byte("program")) || in.Ours {
				t.Errorf("%+v, %v", in, f.ProgramFault)
			}
		})
	}
}
