package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bitgate/setup"
)

// keepRuns is how many runs that stand keep their backups, and how many that were taken
// back or undone; keepCertificates the same of those that only renewed a certificate:
// there are a hundred of them a year. Each kind pushes out its own alone: attempts that
// failed must not cost the setup, or the renewal, that stands. keepKeys is how many old
// private keys stay in backups.
const (
	keepRuns         = 10
	keepCertificates = 3
	keepKeys         = 3
)

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
	return forgetAllMade(d, stateDir)
}

// Leftovers reports whether a crash left something that Sweep removes from the runs.
func Leftovers(stateDir string) bool {
	entries, _ := os.ReadDir(runsDir(stateDir))
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), ".") })
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

// Prune removes the oldest settled runs beyond the kept ones, and wipes old private
// keys from the backups of those that stay. The run that set up the front stays in any
// case: renewals go by it.
func Prune(d Disk, stateDir string) error {
	all, err := ids(stateDir)
	if err != nil {
		return err
	}
	standing, reversed := keepRuns, keepRuns
	renewals, reversedRenewals := keepCertificates, keepCertificates
	keys, front := keepKeys, false
	for _, id := range slices.Backward(all) {
		r, err := Load(d, stateDir, id, time.Now)
		if err != nil || !r.State().Settled() {
			continue // never throw away what somebody may still need
		}
		stands := r.State() == setup.RunCommitted
		left := &reversed
		switch _, setsUp := r.deployment(); {
		case r.CertificateOnly() && stands:
			left = &renewals
		case r.CertificateOnly():
			left = &reversedRenewals
		case stands:
			left = &standing
			if setsUp && !front {
				front, *left = true, max(*left, 1)
			}
		}
		if *left--; *left < 0 {
			if err := r.wipeKeys(0); err != nil {
				return err
			}
			if err := discard(d, r.Dir); err != nil {
				return err
			}
			continue
		}
		keep := 0 // of a run that does not stand they are back in their place
		if stands {
			keep = max(keys, 0)
		}
		if err := r.wipeKeys(keep); err != nil {
			return err
		}
		keys -= r.keys()
	}
	return nil
}
