package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"bitgate/internal/problem"
	"bitgate/internal/trusted"
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

// Look returns a run ("" = the last that stands) for reading.
func Look(stateDir, id string) (*Run, error) {
	if id == "" {
		var err error
		if id, err = LastCommitted(stateDir); err != nil {
			return nil, err
		}
	}
	return Load(Disk{}, stateDir, id, time.Now)
}

// Plan returns the plan of a run ("" = the last that stands), for a preview.
func Plan(stateDir, id string) (setup.Plan, error) {
	r, err := Look(stateDir, id)
	if err != nil {
		return setup.Plan{}, err
	}
	return r.Plan, nil
}

// keepRuns is how many settled runs keep their backups.
const keepRuns = 10

// Names in the folder of runs. What carries a prefix is on its way in or out;
// a crash may leave it, and nobody needs it.
const (
	journalName = "journal.jsonl"
	newPrefix   = ".new-"
	oldPrefix   = ".old-"
)

func runsDir(stateDir string) string { return filepath.Join(stateDir, "runs") }

// maxRecord is more than any file of a run has, in bytes.
const maxRecord = 256 << 20

// trustedState refuses a state folder that others can write to: what lies there
// is done without another look when a run is taken back. The folder of runs is
// judged with it, even an empty one: the next run's backups go there.
func trustedState(stateDir string) error {
	return trusted.Folder("the state folder", runsDir(stateDir))
}

// ids lists the runs, oldest first.
func ids(stateDir string) ([]string, error) {
	if err := trustedState(stateDir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(runsDir(stateDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
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

// nextID is the day and a number. It always sorts behind every other run, also
// when the clock was set back.
func nextID(stateDir string, now time.Time) (string, error) {
	all, err := ids(stateDir)
	if err != nil {
		return "", err
	}
	day, n := now.UTC().Format("20060102"), 0
	if len(all) > 0 {
		if lastDay, last := splitID(all[len(all)-1]); lastDay >= day {
			day, n = lastDay, last
		}
	}
	return day + "-" + strconv.Itoa(n+1), nil
}

// Sweep removes what a crash left: run folders on their way in or out, and
// temporary files of what stands beside them (answers, draft).
func Sweep(d Disk, stateDir string) error {
	if _, err := d.Writer.Sweep(filepath.Join(stateDir, "runs")); err != nil {
		return err
	}
	entries, err := os.ReadDir(runsDir(stateDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), newPrefix) || strings.HasPrefix(e.Name(), oldPrefix) {
			if err := d.removeAll(filepath.Join(runsDir(stateDir), e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// discard removes a run's folder: at once by its name, then its content.
func discard(d Disk, dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	old := filepath.Join(filepath.Dir(dir), oldPrefix+filepath.Base(dir))
	if err := d.rename(dir, old); err != nil {
		return err
	}
	return d.removeAll(old)
}

// Prune removes the oldest settled runs beyond the kept ones.
func Prune(d Disk, stateDir string) error {
	all, err := ids(stateDir)
	if err != nil {
		return err
	}
	for ; len(all) > keepRuns; all = all[1:] {
		r, err := Load(d, stateDir, all[0], time.Now)
		if err != nil || !r.State().Settled() {
			continue // never throw away what somebody may still need
		}
		if err := discard(d, r.Dir); err != nil {
			return err
		}
	}
	return nil
}

// Newer is the newest run that stands and has changed a file of r's after it, "" for
// none.
func Newer(stateDir string, r *Run) (string, error) {
	all, err := ids(stateDir)
	if err != nil {
		return "", err
	}
	mine := r.Plan.TouchedPaths()
	for _, id := range slices.Backward(all) {
		if id == r.ID {
			break
		}
		later, err := Load(Disk{}, stateDir, id, time.Now)
		if err != nil {
			return "", err
		}
		both := slices.ContainsFunc(later.Plan.TouchedPaths(), func(path string) bool { return slices.Contains(mine, path) })
		if both && later.State() == setup.RunCommitted {
			return id, nil
		}
	}
	return "", nil
}
