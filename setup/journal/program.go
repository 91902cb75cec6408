package journal

import (
	"slices"

	"bitgate/setup"
)

func (r *Run) isProgram(path string) bool {
	c := r.Plan.ProgramOf()
	return c != nil && c.Path == path
}

// programStays: somebody has installed another one since, or another run that stands
// has services start what was not there before this one.
func (r *Run) programStays(saved savedFile, now string) (string, error) {
	switch {
	case !r.isProgram(saved.Path) || now == saved.Digest:
		return "", nil
	case !slices.Contains(r.digests(saved.Path), now):
		return "it is another one by now", nil
	case saved.Digest != setup.Absent:
		return "", nil
	}
	id, err := findRun(r.stateDir(), func(other *Run) bool {
		return other.ID != r.ID && other.State() != setup.RunUndone && other.State() != setup.RunTakenBack && other.Plan.Starts(saved.Path)
	})
	if id == "" || err != nil {
		return "", err
	}
	return "run " + id + " needs it", nil
}

// Installed reports whether a run that stands has installed the program with that
// digest there.
func Installed(stateDir, path, digest string) (bool, error) {
	id, err := findRun(stateDir, func(r *Run) bool {
		c := r.Plan.ProgramOf()
		return c != nil && c.Path == path && c.After == digest && r.State() == setup.RunCommitted
	})
	return id != "", err
}

// findRun is the newest run that is wanted, "" for none.
func findRun(stateDir string, wanted func(*Run) bool) (string, error) {
	for r, err := range newestFirst(stateDir) {
		if err != nil {
			return "", err
		}
		if wanted(r) {
			return r.ID, nil
		}
	}
	return "", nil
}
