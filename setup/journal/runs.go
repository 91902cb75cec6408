package journal

import (
	"path/filepath"
	"time"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// OpenRun returns the id of the unfinished run, "" for none.
func OpenRun(stateDir string) (string, error) {
	all, err := ids(stateDir)
	for _, id := range all {
		r, lerr := Load(Disk{}, stateDir, id, time.Now)
		if lerr != nil {
			return "", lerr
		}
		if !r.State().Settled() {
			return id, nil
		}
	}
	return "", err
}

// Unfinished is openRun for those who do not hold the lock: while another
// bitgate is at work, that is the error, and not that its journal is open.
func Unfinished(stateDir string) (string, error) {
	id, err := OpenRun(stateDir)
	if err != nil || id == "" {
		return "", err
	}
	if err := refuseLocked(stateDir); err != nil {
		return "", err
	}
	return OpenRun(stateDir) // it may have ended between the two looks
}

func RefuseOpen(stateDir string) error {
	id, err := OpenRun(stateDir)
	if err != nil || id == "" {
		return err
	}
	return problem.New("run "+id+" is not finished", "another change on top of it could not be taken back cleanly",
		"settle it first: bitgate recover")
}

// LastCommitted is the newest run that stands.
func LastCommitted(stateDir string) (string, error) {
	all, err := ids(stateDir)
	if err != nil {
		return "", err
	}
	for i := len(all) - 1; i >= 0; i-- {
		r, err := Load(Disk{}, stateDir, all[i], time.Now)
		if err != nil {
			return "", err
		}
		if r.State() == setup.RunCommitted {
			return all[i], nil
		}
	}
	return "", problem.New("there is no run to take back", "", "see bitgate history")
}

// RunInfo is a line of `bitgate history`.
type RunInfo struct {
	ID      string         `json:"id"`
	Started time.Time      `json:"started"`
	State   setup.RunState `json:"state"`
	URL     string         `json:"url"`
	Changes int            `json:"changes"`
	Backups string         `json:"backups"`
}

// History lists the kept runs, the newest first.
func History(stateDir string) ([]RunInfo, error) {
	all, err := ids(stateDir)
	if err != nil {
		return nil, err
	}
	out := make([]RunInfo, 0, len(all))
	for i := len(all) - 1; i >= 0; i-- {
		r, err := Load(Disk{}, stateDir, all[i], time.Now)
		if err != nil {
			return nil, err
		}
		out = append(out, RunInfo{
			ID: r.ID, Started: r.Records[0].At, State: r.State(),
			URL: r.Plan.Answers.URL.BaseURL(), Changes: len(r.Plan.Ordered()), Backups: filepath.Join(r.Dir, "backups"),
		})
	}
	return out, nil
}

// Plan returns the plan of a run ("" = the last that stands), for a preview.
func Plan(stateDir, id string) (setup.Plan, error) {
	if id == "" {
		var err error
		if id, err = LastCommitted(stateDir); err != nil {
			return setup.Plan{}, err
		}
	}
	r, err := Load(Disk{}, stateDir, id, time.Now)
	if err != nil {
		return setup.Plan{}, err
	}
	return r.Plan, nil
}
