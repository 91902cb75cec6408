package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWhoseStateIsBelieved: what lies in the state folder is done when a run is
// taken back, so nothing of it may be another's, or open to others; and nothing is
// written where somebody else could exchange it.
func TestWhoseStateIsBelieved(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("gives files to another user")
	}
	const other = 54321
	own := func(path string) error { return os.Chown(path, other, 0) }
	open := func(path string) error { return os.Chmod(path, 0o777) }
	// swapped puts another's copy in the place of a folder.
	swapped := func(path string) error {
		if err := os.Rename(path, path+".before"); err != nil {
			return err
		}
		return errors.Join(os.CopyFS(path, os.DirFS(path+".before")), own(path))
	}
	emptied := func(path string) error { return errors.Join(os.RemoveAll(path), os.Mkdir(path, 0o700), own(path)) }
	linked := func(path string) error {
		theirs := filepath.Join(filepath.Dir(filepath.Dir(path)), "theirs")
		return errors.Join(os.Rename(path, theirs), os.Symlink(theirs, path), own(theirs))
	}
	for name, c := range map[string]struct {
		part  string // of the state folder
		spoil func(path string) error
		once  bool // only a run's own reader meets it
	}{
		"the folder is another's":        {"", own, false},
		"the folder is open":             {"", open, false},
		"the folder is a link":           {"", linked, false},
		"the runs are another's":         {"runs", own, false},
		"the runs are open":              {"runs", open, false},
		"the runs are another's copy":    {"runs", swapped, false},
		"the runs are another's, empty":  {"runs", emptied, false},
		"the runs are a link":            {"runs", linked, false},
		"the run is another's":           {"runs/RUN", own, true},
		"the run is another's copy":      {"runs/RUN", swapped, true},
		"the plan is another's":          {"runs/RUN/plan.json", own, true},
		"the plan is open":               {"runs/RUN/plan.json", open, true},
		"the journal is another's":       {"runs/RUN/journal.jsonl", own, true},
		"the list of files is another's": {"runs/RUN/files.json", own, true},
	} {
		t.Run(name, func(t *testing.T) {
			above := t.TempDir()
			dir, path := filepath.Join(above, "state"), filepath.Join(above, "file")
			if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(path, []byte("old"), 0o644)); err != nil {
				t.Fatal(err)
			}
			r, err := Create(Disk{}, dir, testPlan(path, "old", "new"), nil, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(r.Write(Record{Kind: Doing}), r.Write(Record{Kind: Done}), r.Write(Record{Kind: Commit, Change: -1})); err != nil {
				t.Fatal(err)
			}
			r.Close()
			if _, err := Plan(dir, ""); err != nil {
				t.Fatalf("before: %v", err)
			}
			part := filepath.Join(dir, strings.ReplaceAll(c.part, "RUN", r.ID))
			if err := c.spoil(part); err != nil {
				t.Fatal(err)
			}
			_, planErr := Plan(dir, "")
			_, historyErr := History(dir)
			does := map[string]error{"Plan": planErr, "History": historyErr, "OpenRun": second(OpenRun(dir)), "Load": second(Load(Disk{}, dir, r.ID, time.Now))}
			if !c.once {
				does["TakeLock"] = second(TakeLock(Disk{}, dir))
				does["Create"] = second(Create(Disk{}, dir, testPlan(path, "old", "new"), nil, time.Now))
			}
			for what, err := range does {
				if c.part == "runs" && what == "Load" && name == "the runs are another's, empty" {
					continue // there is no such run any more
				}
				if err == nil || !strings.Contains(err.Error(), "cannot be trusted: "+part+" ") && !strings.Contains(err.Error(), "/theirs is another user's") {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }
