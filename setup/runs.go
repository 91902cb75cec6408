package setup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"bitgate/internal/problem"
)

// keepRuns is how many settled runs keep their backups.
const keepRuns = 10

// state reads how a run stands from its journal.
func (r *run) state() RunState {
	if len(r.Records) == 0 {
		return RunTakenBack // it died before its first change
	}
	state := RunOpen
	for _, rec := range r.Records {
		switch rec.Kind {
		case recCommit:
			state = RunCommitted
		case recUndoBegin:
			state = RunOpen
		case recIncomplete:
			state = RunIncomplete
		case recClosed:
			state = rec.State
		}
	}
	return state
}

// settled reports whether no recover is needed.
func (s RunState) settled() bool { return s != RunOpen && s != RunIncomplete }

// undoing reports whether the run was being taken back.
func (r *run) undoing() bool {
	for _, rec := range r.Records {
		if rec.Kind == recUndoBegin {
			return true
		}
	}
	return false
}

// committed reports whether the run once stood.
func (r *run) committed() bool {
	for _, rec := range r.Records {
		if rec.Kind == recCommit {
			return true
		}
	}
	return false
}

// progress says of each change whether it was begun, done and taken back.
type progress struct {
	begun, done, undone bool
	oldURL, oldSSH      string
}

func (r *run) progress() []progress {
	out := make([]progress, len(r.Plan.Ordered()))
	for _, rec := range r.Records {
		if rec.Change < 0 || rec.Change >= len(out) {
			continue
		}
		p := &out[rec.Change]
		switch rec.Kind {
		case recDoing:
			p.begun = true
			if rec.OldURL != "" {
				p.oldURL, p.oldSSH = rec.OldURL, rec.OldSSH
			}
		case recDone:
			p.done = true
		case recUndone:
			p.undone = true
		}
	}
	return out
}

// ids lists the run folders, oldest first.
func ids(stateDir string) ([]string, error) {
	entries, err := os.ReadDir(runsDir(stateDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if _, err := os.Stat(filepath.Join(runsDir(stateDir), e.Name(), "journal.jsonl")); err == nil {
			out = append(out, e.Name())
		}
	}
	sort.Slice(out, func(i, j int) bool {
		di, ni := splitID(out[i])
		dj, nj := splitID(out[j])
		if di != dj {
			return di < dj
		}
		return ni < nj
	})
	return out, nil
}

func splitID(id string) (day string, n int) {
	day, num, _ := strings.Cut(id, "-")
	n, _ = strconv.Atoi(num)
	return day, n
}

// openRun returns the id of the unfinished run, "" for none.
func openRun(stateDir string) (string, error) {
	all, err := ids(stateDir)
	for _, id := range all {
		r, lerr := loadRun(stateDir, id, time.Now)
		if lerr != nil {
			return "", lerr
		}
		if !r.state().settled() {
			return id, nil
		}
	}
	return "", err
}

func refuseOpen(stateDir string) error {
	id, err := openRun(stateDir)
	if err != nil || id == "" {
		return err
	}
	return problem.New("run "+id+" is not finished", "another change on top of it could not be taken back cleanly",
		"settle it first: bitgate recover")
}

// lastCommitted is the newest run that stands.
func lastCommitted(stateDir string) (string, error) {
	all, err := ids(stateDir)
	if err != nil {
		return "", err
	}
	for i := len(all) - 1; i >= 0; i-- {
		r, err := loadRun(stateDir, all[i], time.Now)
		if err != nil {
			return "", err
		}
		if r.state() == RunCommitted {
			return all[i], nil
		}
	}
	return "", problem.New("there is no run to take back", "", "see bitgate history")
}

// prune removes the oldest settled runs beyond the kept ones.
func prune(stateDir string) error {
	all, err := ids(stateDir)
	if err != nil {
		return err
	}
	for ; len(all) > keepRuns; all = all[1:] {
		r, err := loadRun(stateDir, all[0], time.Now)
		if err != nil || !r.state().settled() {
			continue // never throw away what somebody may still need
		}
		if err := os.RemoveAll(r.Dir); err != nil {
			return err
		}
	}
	return nil
}

// RunInfo is a line of `bitgate history`.
type RunInfo struct {
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
	State   RunState  `json:"state"`
	URL     string    `json:"url"`
	Changes int       `json:"changes"`
	Backups string    `json:"backups"`
}

// History lists the kept runs, the newest first.
func History(stateDir string) ([]RunInfo, error) {
	all, err := ids(stateDir)
	if err != nil {
		return nil, err
	}
	out := make([]RunInfo, 0, len(all))
	for i := len(all) - 1; i >= 0; i-- {
		r, err := loadRun(stateDir, all[i], time.Now)
		if err != nil {
			return nil, err
		}
		if len(r.Records) == 0 {
			continue
		}
		out = append(out, RunInfo{ID: r.ID, Started: r.Records[0].At, State: r.state(),
			URL: r.Plan.Answers.URL.BaseURL(), Changes: len(r.Plan.Ordered()), Backups: filepath.Join(r.Dir, "backups")})
	}
	return out, nil
}

// RunPlan returns the plan of a run ("" = the last that stands), for a preview.
func RunPlan(stateDir, id string) (Plan, error) {
	if id == "" {
		var err error
		if id, err = lastCommitted(stateDir); err != nil {
			return Plan{}, err
		}
	}
	r, err := loadRun(stateDir, id, time.Now)
	if err != nil {
		return Plan{}, err
	}
	return r.Plan, nil
}
