package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// JournalFormat is the version of the run folder's format.
const JournalFormat = 1

// recordKind is what a journal line says.
type recordKind string

const (
	Begin      recordKind = "begin"      // plan and backups are on disk
	Doing      recordKind = "doing"      // change N is about to be done
	Done       recordKind = "done"       // change N was done
	Issued     recordKind = "issued"     // change N brought the bundle at Text, whose digests Digest and Bundle are
	Commit     recordKind = "commit"     // the run stands
	UndoBegin  recordKind = "undo-begin" // everything is being taken back
	Undone     recordKind = "undone"     // change N was taken back
	Incomplete recordKind = "incomplete" // taking back stopped; Text says why
	Closed     recordKind = "closed"     // settled; State says how
)

// Record is one line of journal.jsonl. It never holds a secret.
type Record struct {
	Format int            `json:"format,omitempty"`
	At     time.Time      `json:"at"`
	Kind   recordKind     `json:"kind"`
	Change int            `json:"change"` // index in Plan.Ordered(), -1 for none
	State  setup.RunState `json:"state,omitempty"`
	Text   string         `json:"text,omitempty"`
	Digest string         `json:"digest,omitempty"`  // SHA-256 of the file at Text
	Bundle string         `json:"bundle,omitempty"`  // and of the bundle that is made of it
	OldURL string         `json:"old-url,omitempty"` // base URL before change N
	OldSSH string         `json:"old-ssh,omitempty"` // effective SSH base URL before it
	// SSHField is what the form's field for that held, "" where it was empty and OldSSH was
	// made up; nil where nobody was signed in, and in journals of before.
	SSHField *string `json:"ssh-field,omitempty"`
	Forced   bool    `json:"forced,omitempty"`
	Boot     string  `json:"boot,omitempty"` // the machine's boot id when the run began
	By       string  `json:"by,omitempty"`   // who began the run
}

// journal is the open journal.jsonl of a run.
type journal struct {
	d    Disk
	f    *os.File
	size int64 // bytes of whole lines; what follows is a torn one
	torn bool
}

func openJournal(d Disk, path string) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	whole := wholeLines(data)
	return &journal{d: d, f: f, size: int64(len(whole)), torn: len(whole) < len(data)}, nil
}

// wholeLines leaves out a torn last line (a crash while writing it): what it
// announced had not begun.
func wholeLines(data []byte) []byte { return data[:bytes.LastIndexByte(data, '\n')+1] }

// append writes one line and syncs it: what follows may rely on it. A line that
// could not be written or synced is cut off again, at the latest before the next.
func (j *journal) append(rec Record) error {
	line, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	if err := j.repair(); err != nil {
		return err
	}
	line = append(line, '\n')
	if err := j.put(line); err != nil {
		j.torn = true
		if cut := j.repair(); cut != nil {
			err = errors.Join(err, cut)
		}
		return problem.Wrap(err, "the journal "+j.f.Name()+" cannot be written", "without it a crash could not be taken back", "free some space on that file system")
	}
	j.size += int64(len(line))
	return nil
}

func (j *journal) put(line []byte) error {
	if err := j.d.ask(opAppend, j.f.Name()); err != nil {
		return err
	}
	if _, err := j.f.WriteAt(line, j.size); err != nil {
		return err
	}
	return j.d.sync(j.f)
}

func (j *journal) repair() error {
	if !j.torn {
		return nil
	}
	if err := j.d.ask(opTruncate, j.f.Name()); err != nil {
		return err
	}
	if err := j.f.Truncate(j.size); err != nil {
		return err
	}
	j.torn = false
	return nil
}

func parseJournal(data []byte) ([]Record, error) {
	var out []Record
	n := 0
	for line := range bytes.Lines(wholeLines(data)) { // however long: what was written can be read
		n++
		var rec Record
		if err := json.Unmarshal(line, &rec); err != nil {
			return nil, fmt.Errorf("journal line %d: %w", n, err)
		}
		if n == 1 && rec.Format != JournalFormat {
			return nil, fmt.Errorf("journal format %d is not known to this version of bitgate", rec.Format)
		}
		out = append(out, rec)
	}
	return out, nil
}
