package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/internal/problem"
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
		found := checkFiles(p)
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
