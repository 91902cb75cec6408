package setup

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
)

// JournalFormat is the version of the run folder's format.
const JournalFormat = 1

// recordKind is what a journal line says.
type recordKind string

const (
	recBegin      recordKind = "begin"      // plan and backups are on disk
	recDoing      recordKind = "doing"      // change N is about to be done
	recDone       recordKind = "done"       // change N was done
	recCommit     recordKind = "commit"     // the run stands
	recUndoBegin  recordKind = "undo-begin" // everything is being taken back
	recUndone     recordKind = "undone"     // change N was taken back
	recIncomplete recordKind = "incomplete" // taking back stopped; Text says why
	recClosed     recordKind = "closed"     // settled; State says how
)

// record is one line of journal.jsonl. It never holds a secret.
type record struct {
	Format int        `json:"format,omitempty"`
	At     time.Time  `json:"at"`
	Kind   recordKind `json:"kind"`
	Change int        `json:"change"` // index in Plan.Ordered(), -1 for none
	State  RunState   `json:"state,omitempty"`
	Text   string     `json:"text,omitempty"`
	OldURL string     `json:"old-url,omitempty"` // base URL before change N
	OldSSH string     `json:"old-ssh,omitempty"`
	Forced bool       `json:"forced,omitempty"`
}

// run is one run's folder: plan.json, files.json, backups/, journal.jsonl.
type run struct {
	ID      string
	Dir     string
	Plan    Plan
	Files   []savedFile
	Records []record
	journal *os.File
	now     func() time.Time
}

// savedFile is a file as it was before the run.
type savedFile struct {
	Path     string      `json:"path"`
	Backup   string      `json:"backup,omitempty"` // name in backups/, "" when Absent
	Digest   string      `json:"digest"`           // or Absent
	Mode     fs.FileMode `json:"mode,omitempty"`
	UID      int         `json:"uid"`
	GID      int         `json:"gid"`
	MadeDirs []string    `json:"made-dirs,omitempty"` // folders the run creates for it, outermost first
}

func runsDir(stateDir string) string { return filepath.Join(stateDir, "runs") }

// newRun makes the run's folder: plan, backups, first journal line, all synced
// before the first change is done.
func newRun(stateDir string, p Plan, now func() time.Time) (*run, error) {
	base := runsDir(stateDir)
	if err := os.MkdirAll(base, 0o700); err != nil {
		return nil, err
	}
	r := &run{Plan: p, now: now}
	day := now().UTC().Format("20060102")
	for n := 1; ; n++ {
		r.ID = day + "-" + strconv.Itoa(n)
		r.Dir = filepath.Join(base, r.ID)
		err := os.Mkdir(r.Dir, 0o700)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	if err := r.save(); err != nil {
		os.RemoveAll(r.Dir) // nothing has been changed yet
		return nil, err
	}
	return r, nil
}

func (r *run) save() error {
	if err := os.Mkdir(filepath.Join(r.Dir, "backups"), 0o700); err != nil {
		return err
	}
	for _, path := range r.Plan.touchedPaths() {
		saved, err := r.backup(path)
		if err != nil {
			return err
		}
		r.Files = append(r.Files, saved)
	}
	for name, v := range map[string]any{"plan.json": r.Plan, "files.json": r.Files} {
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		if err := createSynced(filepath.Join(r.Dir, name), append(text, '\n')); err != nil {
			return err
		}
	}
	if err := r.openJournal(); err != nil {
		return err
	}
	if err := r.write(record{Format: JournalFormat, Kind: recBegin, Change: -1}); err != nil {
		return err
	}
	return syncDirs(filepath.Join(r.Dir, "backups"), r.Dir, filepath.Dir(r.Dir))
}

// backup copies a file as it is now, readable by root alone, and notes owner
// and mode for the way back.
func (r *run) backup(path string) (savedFile, error) {
	f, err := atomicfile.Read(path)
	if err != nil {
		return savedFile{}, err
	}
	if f.Absent {
		return savedFile{Path: path, Digest: Absent, MadeDirs: missingDirs(filepath.Dir(path))}, nil
	}
	name := fmt.Sprintf("%02d-%s", len(r.Files)+1, filepath.Base(path))
	err = createSynced(filepath.Join(r.Dir, "backups", name), f.Data)
	return savedFile{Path: path, Backup: name, Digest: f.Digest, Mode: f.Mode, UID: f.UID, GID: f.GID}, err
}

func missingDirs(dir string) []string {
	var out []string
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return out
		}
		out = append([]string{dir}, out...)
		dir = filepath.Dir(dir)
	}
}

func createSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDirs(dirs ...string) error {
	for _, dir := range dirs {
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) openJournal() (err error) {
	r.journal, err = os.OpenFile(filepath.Join(r.Dir, "journal.jsonl"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	return err
}

// write appends one line and syncs it: what follows may rely on it.
func (r *run) write(rec record) error {
	rec.At = r.now().UTC()
	line, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	if _, err := r.journal.Write(append(line, '\n')); err != nil {
		return problem.Wrap(err, "the journal "+r.journal.Name()+" cannot be written", "without it a crash could not be taken back", "free some space on that file system")
	}
	if err := r.journal.Sync(); err != nil {
		return err
	}
	r.Records = append(r.Records, rec)
	return nil
}

func (r *run) close() { r.journal.Close() }

// loadRun reads a run's folder back. A torn last journal line (a crash while
// writing it) is ignored: what it announced had not begun.
func loadRun(stateDir, id string, now func() time.Time) (*run, error) {
	r := &run{ID: id, Dir: filepath.Join(runsDir(stateDir), id), now: now}
	if id == "" || strings.ContainsAny(id, "/\\") {
		return nil, problem.New(fmt.Sprintf("%q is not a run", id), "", "see bitgate history")
	}
	for name, v := range map[string]any{"plan.json": &r.Plan, "files.json": &r.Files} {
		data, err := os.ReadFile(filepath.Join(r.Dir, name))
		if errors.Is(err, fs.ErrNotExist) && name == "plan.json" {
			if _, serr := os.Stat(r.Dir); serr != nil {
				return nil, problem.New("there is no run "+id, "", "see bitgate history")
			}
		}
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, v); err != nil {
			return nil, problem.Wrap(err, filepath.Join(r.Dir, name)+" cannot be read", "", "the backups beside it are intact")
		}
	}
	data, err := os.ReadFile(filepath.Join(r.Dir, "journal.jsonl"))
	if err != nil {
		return nil, err
	}
	r.Records, err = parseJournal(data)
	return r, err
}

func parseJournal(data []byte) ([]record, error) {
	var out []record
	complete := data[:bytes.LastIndexByte(data, '\n')+1]
	sc := bufio.NewScanner(bytes.NewReader(complete))
	for n := 1; sc.Scan(); n++ {
		var rec record
		if err := json.Unmarshal(sc.Bytes(), &rec); err != nil {
			return nil, fmt.Errorf("journal line %d: %w", n, err)
		}
		if n == 1 && rec.Format != JournalFormat {
			return nil, fmt.Errorf("journal format %d is not known to this version of bitgate", rec.Format)
		}
		out = append(out, rec)
	}
	return out, sc.Err()
}
