package journal

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bitgate/internal/atomicfile"
	"bitgate/internal/splice"
	"bitgate/setup"
)

func testPlan(path string, before, after string) setup.Plan {
	return setup.Plan{Format: setup.PlanFormat, Steps: []setup.Step{{ID: setup.StepContextPath, Changes: []setup.Change{{
		Phase: setup.PhaseUpstreamFiles, What: "edit",
		File: &setup.FileEdit{
			Path: path, Before: atomicfile.Digest([]byte(before)), After: atomicfile.Digest([]byte(after)),
			Splices: []splice.Splice{{Offset: 0, Old: before, New: after}},
		},
	}}}}}
}

func TestTornJournalLineIsIgnored(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	r, err := Create(Disk{}, dir, testPlan(path, "old", "new"), nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write(Record{Kind: Doing, Change: 0}); err != nil {
		t.Fatal(err)
	}
	r.journal.f.WriteAt([]byte(`{"kind":"done","cha`), r.journal.size)
	r.Close()
	back, err := Load(Disk{}, dir, r.ID, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if p := back.Progress()[0]; !p.Begun || p.Done {
		t.Errorf("got %+v, want begun and not done", p)
	}
	if id, err := OpenRun(dir); err != nil || id != r.ID {
		t.Errorf("openRun = %q, %v", id, err)
	}
	if err := RefuseOpen(dir); err == nil || !strings.Contains(err.Error(), r.ID) {
		t.Errorf("an open run does not stop the next one by name: %v", err)
	}
}

func TestBackupIsPrivateAndRestores(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := Create(Disk{}, dir, testPlan(path, "old", "new"), nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	info, err := os.Stat(filepath.Join(r.Dir, "backups", r.Files[0].Backup))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("backup: %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Restore(path, false); err != nil {
		t.Fatal(err)
	}
	data, _ := os.ReadFile(path)
	info, _ = os.Stat(path)
	if string(data) != "old" || info.Mode().Perm() != 0o644 {
		t.Errorf("restored %q with %v", data, info.Mode())
	}
	if err := os.WriteFile(path, []byte("by hand"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.Restore(path, false); err == nil {
		t.Error("a foreign edit was thrown away without force")
	}
	if err := r.Restore(path, true); err != nil {
		t.Error(err)
	}
}

func TestLockSaysWhoHoldsIt(t *testing.T) {
	dir := t.TempDir()
	l, err := TakeLock(Disk{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	l.Sign(Disk{}, time.Now())
	if _, err := TakeLock(Disk{}, dir); err == nil || !strings.Contains(err.Error(), "process") {
		t.Errorf("second lock: %v", err)
	}
	l.Release()
	l, err = TakeLock(Disk{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	l.Release()
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte("{\"format\":1,\"kind\":\"begin\",\"change\":-1}\n{\"kind\":\"done\",\"change\":0}\n"))
	f.Add([]byte("{\"format\":2}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		recs, err := parseJournal(data)
		if err != nil {
			return
		}
		if len(recs) == 0 {
			return
		}
		r := Run{Records: recs, Plan: testPlan("/f", "a", "b")}
		r.State()
		r.Progress()
	})
}

// TestLongLine: what a run wrote can be read back, however long it is.
func TestLongLine(t *testing.T) {
	long := strings.Repeat("&", 400_000) // six bytes each in JSON
	begin, _ := json.Marshal(Record{Format: JournalFormat, Kind: Begin, Change: -1})
	line, _ := json.Marshal(Record{Kind: Doing, OldURL: long})
	got, err := parseJournal(slices.Concat(begin, []byte("\n"), line, []byte("\n")))
	if err != nil || len(got) != 2 || got[1].OldURL != long {
		t.Errorf("%d records, %v", len(got), err)
	}
}
