package journal

import (
	"os"
	"path/filepath"
	"strconv"
	"time"

	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
)

// made is the folder of what is made when a run begins: passwords and key stores. It
// lasts until they are in place, so that a run whose process has ended goes on with the
// same ones.
const madeDir = "made"

func (r *Run) madePath(change int) string { return filepath.Join(r.Dir, madeDir, strconv.Itoa(change)) }

func (r *Run) saveMade(made map[int][]byte) error {
	if len(made) == 0 {
		return nil
	}
	dir := filepath.Join(r.Dir, madeDir)
	if err := r.disk.Mkdirs(dir, 0o700); err != nil {
		return err
	}
	for change, data := range made {
		if err := r.disk.create(r.madePath(change), data); err != nil {
			return err
		}
	}
	return r.disk.SyncDir(dir)
}

// Made is what was made for a change, whose digest the plan says. Secret bytes.
func (r *Run) Made(change int, digest string) ([]byte, error) {
	data, err := r.read(filepath.Join(madeDir, strconv.Itoa(change)))
	if err != nil {
		return nil, err
	}
	if atomicfile.Digest(data) != digest {
		return nil, problem.New(r.madePath(change)+" is damaged", "its checksum does not fit", "take the run back: bitgate recover")
	}
	return data, nil
}

// forgetAllMade removes what runs have left that are settled: their process may have ended
// just before it did.
func forgetAllMade(d Disk, stateDir string) error {
	all, err := ids(stateDir)
	if err != nil {
		return err
	}
	for _, id := range all {
		if _, err := os.Lstat(filepath.Join(runsDir(stateDir), id, madeDir)); err != nil {
			continue
		}
		r, err := Load(d, stateDir, id, time.Now)
		if err != nil || !r.State().Settled() {
			continue // what may still be needed
		}
		if err := r.ForgetMade(); err != nil {
			return err
		}
	}
	return nil
}

// ForgetMade removes it.
func (r *Run) ForgetMade() error {
	dir := filepath.Join(r.Dir, madeDir)
	if _, err := os.Lstat(dir); err != nil {
		return nil //nolint:nilerr // there is none
	}
	return r.disk.removeAll(dir)
}
