package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/internal/trusted"
	"bitgate/setup"
)

// Run is one run's folder: plan.json, files.json, backups/, journal.jsonl, made/ with
// what no plan may hold until it is in place, and replaced/ with the foreign edits that
// a forced undo has thrown away.
type Run struct {
	ID      string
	Dir     string
	Plan    setup.Plan
	Files   []savedFile
	Records []Record
	disk    Disk
	journal *journal
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

// Create makes the run's folder: plan, backups, first journal line. It is built
// under a temporary name and renamed when all of it is on disk, so that nobody
// ever sees a part of it; nothing is changed before that.
// made are the bytes of changes whose plan leaves them open, by their number.
func Create(d Disk, stateDir string, p setup.Plan, made map[int][]byte, now func() time.Time) (*Run, error) {
	base := runsDir(stateDir)
	if err := d.Mkdirs(base, 0o700); err != nil {
		return nil, err
	}
	if err := Sweep(d, stateDir); err != nil {
		return nil, err
	}
	id, err := nextID(stateDir, now())
	if err != nil {
		return nil, err
	}
	r := &Run{ID: id, Dir: filepath.Join(base, newPrefix+id), Plan: p, disk: d, now: now}
	if err := r.save(made); err != nil {
		return nil, errors.Join(err, d.removeAll(r.Dir))
	}
	final := filepath.Join(base, id)
	if err := d.rename(r.Dir, final); err != nil {
		return nil, errors.Join(err, d.removeAll(r.Dir), discard(d, final))
	}
	r.Dir = final
	if err := r.Open(); err != nil {
		return nil, errors.Join(err, discard(d, final))
	}
	return r, nil
}

// save writes the folder's content and syncs it.
func (r *Run) save(made map[int][]byte) error {
	if err := r.saveMade(made); err != nil {
		return err
	}
	backups := filepath.Join(r.Dir, "backups")
	if err := r.disk.Mkdirs(backups, 0o700); err != nil {
		return err
	}
	for _, path := range r.Plan.TouchedPaths() {
		saved, err := r.backup(path)
		if err != nil {
			return err
		}
		r.Files = append(r.Files, saved)
	}
	begin := Record{Format: JournalFormat, At: r.now().UTC(), Kind: Begin, Change: -1, Boot: bootID(), By: trusted.Invoker()}
	r.Records = []Record{begin}
	line, err := json.Marshal(begin)
	if err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		v    any
	}{{"plan.json", r.Plan}, {"files.json", r.Files}} {
		text, err := json.MarshalIndent(part.v, "", "  ")
		if err != nil {
			return err
		}
		if err := r.disk.create(filepath.Join(r.Dir, part.name), append(text, '\n')); err != nil {
			return err
		}
	}
	if err := r.disk.create(filepath.Join(r.Dir, journalName), append(line, '\n')); err != nil {
		return err
	}
	return errors.Join(r.disk.SyncDir(backups), r.disk.SyncDir(r.Dir))
}

// backup copies a file as it is now, readable by root alone, and notes owner
// and mode for the way back.
func (r *Run) backup(path string) (savedFile, error) {
	f, err := atomicfile.ReadProgram(path)
	if err != nil {
		return savedFile{}, err
	}
	if f.Absent {
		saved := savedFile{Path: path, Digest: setup.Absent}
		if r.Plan.MakesFolderOf(path) {
			saved.MadeDirs = MissingDirs(filepath.Dir(path))
		}
		return saved, nil
	}
	name := fmt.Sprintf("%02d-%s", len(r.Files)+1, filepath.Base(path))
	err = r.disk.create(filepath.Join(r.Dir, "backups", name), f.Data)
	return savedFile{Path: path, Backup: name, Digest: f.Digest, Mode: f.Mode, UID: f.UID, GID: f.GID}, err
}

// Open opens the journal for the lines to come.
func (r *Run) Open() (err error) {
	r.journal, err = openJournal(r.disk, filepath.Join(r.Dir, journalName))
	return err
}

// Torn reports whether the last line could neither be written nor cut off again.
func (r *Run) Torn() bool { return r.journal.torn }

func (r *Run) Close() { r.journal.f.Close() }

// Write journals one line; what follows may rely on it.
func (r *Run) Write(rec Record) error {
	rec.At = r.now().UTC()
	if err := r.journal.append(rec); err != nil {
		return err
	}
	r.Records = append(r.Records, rec)
	r.note(rec)
	return nil
}

// note has the plan name the certificate that was issued: it could not before.
func (r *Run) note(rec Record) {
	if rec.Kind == Issued {
		r.Plan = r.Plan.WithIssued(rec.Text, rec.Digest, rec.Bundle)
	}
}

// Load reads a run's folder back.
func Load(d Disk, stateDir, id string, now func() time.Time) (*Run, error) {
	r := &Run{ID: id, Dir: filepath.Join(runsDir(stateDir), id), disk: d, now: now}
	if id == "" || strings.ContainsAny(id, "/\\") || strings.HasPrefix(id, ".") {
		return nil, problem.New(fmt.Sprintf("%q is not a run", id), "", "see bitgate history")
	}
	if _, err := os.Stat(r.Dir); err != nil {
		return nil, problem.New("there is no run "+id, "", "see bitgate history")
	}
	for name, v := range map[string]any{"plan.json": &r.Plan, "files.json": &r.Files} {
		data, err := r.read(name)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, v); err != nil {
			return nil, problem.Wrap(err, filepath.Join(r.Dir, name)+" cannot be read", "", "the backups beside it are intact")
		}
	}
	data, err := r.read(journalName)
	if err != nil {
		return nil, err
	}
	if r.Records, err = parseJournal(data); err == nil && len(r.Records) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, problem.Wrap(err, filepath.Join(r.Dir, journalName)+" cannot be read", "", "compare the files with the backups beside it by hand, then move that folder away")
	}
	for _, rec := range r.Records {
		r.note(rec)
	}
	return r, nil
}

// read reads a file of the run's folder, of which nobody else may have a part.
func (r *Run) read(name string) ([]byte, error) {
	return trusted.ReadFile("the journal of run "+r.ID, filepath.Join(r.Dir, name), maxRecord)
}

// bootID is new after every start of the machine (proc(5)); "" where unknown.
func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}

// stateDir is the folder in whose runs this one is.
func (r *Run) stateDir() string { return filepath.Dir(filepath.Dir(r.Dir)) }

func (r *Run) Backups() string { return filepath.Join(r.Dir, "backups") }

// State reads how a run stands from its journal. One that ended before its
// first change needs no recover.
func (r *Run) State() setup.RunState {
	if !r.Begun() {
		return setup.RunTakenBack
	}
	state := setup.RunOpen
	for _, rec := range r.Records {
		switch rec.Kind {
		case Commit:
			state = setup.RunCommitted
		case UndoBegin:
			state = setup.RunOpen
		case Incomplete:
			state = setup.RunIncomplete
		case Closed:
			state = rec.State
		}
	}
	return state
}

// Has reports whether the journal has a line of this kind.
func (r *Run) Has(kinds ...recordKind) bool {
	return slices.ContainsFunc(r.Records, func(rec Record) bool { return slices.Contains(kinds, rec.Kind) })
}

// GoingBack reports whether the run was already being taken back: then it can
// only go on in that direction.
func (r *Run) GoingBack() bool { return r.Has(UndoBegin, Undone, Incomplete) }

// Forced reports whether foreign edits may be thrown away.
func (r *Run) Forced() bool {
	return slices.ContainsFunc(r.Records, func(rec Record) bool { return rec.Forced })
}

// Begun reports whether any change was begun.
func (r *Run) Begun() bool { return r.Has(Doing) }

// Rebooted reports whether the machine was started anew since the run began.
func (r *Run) Rebooted() bool {
	was, is := r.Records[0].Boot, bootID()
	return was != "" && is != "" && was != is
}

// Progress says of each change whether it was begun, done and taken back.
type Progress struct {
	Begun, Done, Undone bool
	OldURL, OldSSH      string
	SSHField            *string // see Record
}

func (r *Run) Progress() []Progress {
	out := make([]Progress, len(r.Plan.Ordered()))
	for _, rec := range r.Records {
		if rec.Change < 0 || rec.Change >= len(out) {
			continue
		}
		p := &out[rec.Change]
		switch rec.Kind {
		case Doing:
			p.Begun = true
			if rec.OldURL != "" || rec.OldSSH != "" {
				p.OldURL, p.OldSSH, p.SSHField = rec.OldURL, rec.OldSSH, rec.SSHField
			}
		case Done:
			p.Done = true
		case Undone:
			p.Undone = true
		}
	}
	return out
}

// AsJournalled refuses to go forward from files that are not as the done
// changes left them: a run whose journal could not be written any more was
// taken back without a line about it.
func (r *Run) AsJournalled() error {
	left, changes := map[string][]string{}, r.Plan.Changes()
	for i, p := range r.Progress() {
		path, before, after := changes[i].Writes()
		switch {
		case path == "":
		case p.Done:
			left[path] = []string{after}
		case p.Begun:
			left[path] = []string{before, after}
		}
	}
	for path, digests := range left {
		if !slices.Contains(digests, DigestOf(path)) {
			return problem.New(path+" is not as run "+r.ID+" left it", "the run cannot go on from there", "take it back: bitgate recover")
		}
	}
	return nil
}

// DigestOf is the digest of a file now, Absent when it is not there, and the
// error text when it cannot be read (which equals no digest).
func DigestOf(path string) string {
	f, err := atomicfile.ReadProgram(path)
	if err != nil {
		return err.Error()
	}
	return f.DigestOrAbsent()
}
