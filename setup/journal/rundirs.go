package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"
)

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

// ids lists the runs, oldest first.
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
