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
	"bitgate/internal/publicurl"
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

// TestBitbucketsFolderStays: what it has made since the run began is not the run's.
func TestBitbucketsFolderStays(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "home", "shared", "f")
	r, err := Create(Disk{}, filepath.Join(dir, "state"), testPlan(path, "old", "new"), nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := r.Restore(path, false); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		t.Error(err)
	}
}

func TestLockSaysWhoHoldsIt(t *testing.T) {
	signed := make(chan struct{})
	dir := t.TempDir()
	l, err := TakeLock(Disk{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	go func() { // between the two is a moment
		time.Sleep(150 * time.Millisecond)
		l.Sign(Disk{}, time.Now())
		close(signed)
	}()
	if _, err := TakeLock(Disk{}, dir); err == nil || !strings.Contains(err.Error(), "process") {
		t.Errorf("second lock: %v", err)
	}
	<-signed
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

// made is a run of that kind that ended in that state.
func made(t *testing.T, state string, p setup.Plan, end setup.RunState) *Run {
	t.Helper()
	r, err := Create(Disk{}, state, p, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	records := []Record{{Kind: Doing}, {Kind: Done}, {Kind: Commit, Change: -1}}
	if end != setup.RunCommitted {
		records = append(records, Record{Kind: UndoBegin, Change: -1}, Record{Kind: Closed, Change: -1, State: end})
	}
	for _, rec := range records {
		if err := r.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.State(); got != end {
		t.Fatalf("the run is %s, want %s", got, end)
	}
	if err := Prune(Disk{}, state); err != nil {
		t.Fatal(err)
	}
	return r
}

// What failed, was undone or is about something else costs neither the setup that stands
// nor what renewals go by, however often it was tried.
func TestAttemptsPushOutNoSetup(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	url, err := publicurl.Parse("https://git.example.com")
	if err != nil {
		t.Fatal(err)
	}
	front := testPlan(path, "old", "new")
	front.Answers.URL, front.Answers.Front, front.Answers.PEM = url, setup.FrontBuiltin, "/git.pem"
	other, certificate := testPlan(path, "old", "new"), testPlan(path, "old", "new")
	certificate.Kind = setup.KindCertificate
	stands := func(when string, last string) {
		t.Helper()
		d, found, err := LastDeployment(dir)
		if err != nil || !found || d.PEM != "/git.pem" {
			t.Errorf("%s: the front of the setup is %+v, %v, %v", when, d, found, err)
		}
		if id, err := LastCommitted(dir); err != nil || id != last {
			t.Errorf("%s: the last run is %s, %v; want %s", when, id, err, last)
		}
	}
	first := made(t, dir, front, setup.RunCommitted)
	for range 2 * keepRuns {
		made(t, dir, front, setup.RunTakenBack)
		made(t, dir, front, setup.RunUndone)
		made(t, dir, certificate, setup.RunCommitted)
	}
	stands("after attempts", first.ID)
	var last *Run
	for range 2 * keepRuns {
		last = made(t, dir, other, setup.RunCommitted)
	}
	stands("after runs without a front", last.ID)
	if all, err := ids(dir); err != nil || len(all) != keepRuns+1+keepRuns+keepCertificates {
		t.Errorf("%d runs are kept: %v, %v", len(all), all, err)
	}
}

// A certificate that was renewed for a setup is nothing to take back once that is undone.
func TestRenewalsOfAnUndoneSetup(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	certificate := testPlan(path, "old", "new")
	certificate.Kind = setup.KindCertificate
	renewed := made(t, dir, certificate, setup.RunCommitted)
	if id, err := LastCommitted(dir); err != nil || id != renewed.ID {
		t.Fatalf("alone it is the last run: %q, %v", id, err)
	}
	r, err := Create(Disk{}, dir, testPlan(path, "old", "new"), nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	write := func(records ...Record) {
		t.Helper()
		for _, rec := range records {
			if err := r.Write(rec); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(Record{Kind: Doing}, Record{Kind: Done}, Record{Kind: Commit, Change: -1})
	made(t, dir, certificate, setup.RunCommitted)
	write(Record{Kind: UndoBegin, Change: -1}, Record{Kind: Closed, Change: -1, State: setup.RunUndone})
	if id, err := LastCommitted(dir); err != nil || id != renewed.ID {
		t.Errorf("the last run is %q, %v; want %s, which is older than the setup", id, err, renewed.ID)
	}
}
