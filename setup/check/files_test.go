package check

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/internal/trusted"
	"bitgate/setup"
)

func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"good": "x", "linked": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	open := filepath.Join(dir, "open")
	err := os.Mkdir(open, 0o777)
	if err == nil {
		err = os.Chmod(open, 0o777)
	}
	if err == nil {
		err = os.Link(filepath.Join(dir, "linked"), filepath.Join(dir, "second"))
	}
	if err == nil {
		err = os.Symlink("nowhere", filepath.Join(dir, "dangling"))
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, words := range map[string][]string{
		"good":               nil,
		"to-be-made":         nil,
		"new/folder/f":       nil,
		"linked":             {"2 hard links"},
		"dangling":           {"symbolic link"},
		"dangling/f":         {"symbolic link"},
		"good/f":             {"not a directory"},
		"open/new/folder/f":  {"everybody"},
		"open/bundle.pem":    {"everybody"},
		"linked dangling":    {"2 hard links", "symbolic link"},
		"dangling dangling ": {"symbolic link"},
	} {
		var p setup.Plan
		for path := range strings.FieldsSeq(name) {
			change := setup.Change{Phase: setup.PhaseFrontFiles, File: &setup.FileEdit{Path: filepath.Join(dir, path)}}
			if strings.HasSuffix(path, ".pem") {
				change = setup.Change{Phase: setup.PhaseFrontFiles, Certificate: &setup.CertificateChange{Path: filepath.Join(dir, path)}}
			}
			p.Steps = append(p.Steps, setup.Step{Changes: []setup.Change{change}})
		}
		found := checkFiles(setup.Facts{}, p)
		if len(found) != len(words) {
			t.Errorf("%s: %+v, want %q", name, found, words)
			continue
		}
		for i, f := range found {
			if f.Level != problem.Fail || !strings.Contains(f.Found, words[i]) || f.Why == "" || f.Do == "" {
				t.Errorf("%s: %+v, want %q", name, f, words[i])
			}
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 5 {
		t.Errorf("the check made something: %v, %v", entries, err)
	}
}

// TestNoFolderOfBitbucket: none is made for it, by whoever runs bitgate.
func TestNoFolderOfBitbucket(t *testing.T) {
	dir := t.TempDir()
	err := os.Mkdir(filepath.Join(dir, "fresh"), 0o755)
	for name, to := range map[string]string{"unmounted": "nowhere", "moved": "fresh"} {
		err = errors.Join(err, os.Symlink(to, filepath.Join(dir, name)))
	}
	if err != nil {
		t.Fatal(err)
	}
	for home, want := range map[string][]string{
		"mistyped":        {"Bitbucket's home HOME does not exist", "--home"},
		"mistyped/too/":   {"Bitbucket's home HOME does not exist", "--home"},
		"fresh":           {"the folder HOME/shared does not exist", "install -d -o OWNER -g 1 -m 0750 HOME/shared"},
		"moved":           {"the folder HOME/shared does not exist", "install -d -o OWNER -g 1 -m 0750 HOME/shared"},
		"unmounted":       {"is a symbolic link", "link"},
		"unmounted/below": {"is a symbolic link", "link"},
	} {
		home = dir + "/" + home
		in := bitbucket.Install{Home: home, UID: 1, GID: 1}
		change := setup.Change{Phase: setup.PhaseUpstreamFiles, File: &setup.FileEdit{Path: filepath.Join(home, "shared", "bitbucket.properties")}}
		found := checkFiles(setup.Facts{Bitbucket: in}, setup.Plan{Steps: []setup.Step{{Changes: []setup.Change{change}}}})
		if len(found) != 1 || found[0].Level != problem.Fail || found[0].Why == "" {
			t.Errorf("%s: %+v", home, found)
			continue
		}
		for i, text := range []string{found[0].Found, found[0].Do} {
			if !strings.Contains(text, strings.NewReplacer("HOME", home, "OWNER", trusted.UserName(1)).Replace(want[i])) {
				t.Errorf("%s: %q, want %q", home, text, want[i])
			}
		}
	}
}
