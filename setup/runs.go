package setup

import (
	"path/filepath"
	"time"

	"bitgate/internal/problem"
)

// openRun returns the id of the unfinished run, "" for none.
func openRun(stateDir string) (string, error) {
	all, err := ids(stateDir)
	for _, id := range all {
		r, lerr := loadRun(disk{}, stateDir, id, time.Now)
		if lerr != nil {
			return "", lerr
		}
		if !r.state().settled() {
			return id, nil
		}
	}
	return "", err
}

// unfinished is openRun for those who do not hold the lock: while another
// bitgate is at work, that is the error, and not that its journal is open.
func unfinished(stateDir string) (string, error) {
	id, err := openRun(stateDir)
	if err != nil || id == "" {
		return "", err
	}
	if err := refuseLocked(stateDir); err != nil {
		return "", err
	}
	return openRun(stateDir) // it may have ended between the two looks
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
		r, err := loadRun(disk{}, stateDir, all[i], time.Now)
		if err != nil {
			return "", err
		}
		if r.state() == RunCommitted {
			return all[i], nil
		}
	}
	return "", problem.New("there is no run to take back", "", "see bitgate history")
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
		r, err := loadRun(disk{}, stateDir, all[i], time.Now)
		if err != nil {
			return nil, err
		}
		out = append(out, RunInfo{
			ID: r.ID, Started: r.Records[0].At, State: r.state(),
			URL: r.Plan.Answers.URL.BaseURL(), Changes: len(r.Plan.Ordered()), Backups: filepath.Join(r.Dir, "backups"),
		})
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
	r, err := loadRun(disk{}, stateDir, id, time.Now)
	if err != nil {
		return Plan{}, err
	}
	return r.Plan, nil
}
