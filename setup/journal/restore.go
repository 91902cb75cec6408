package journal

import (
	"errors"
	"os"
	"path/filepath"
	"slices"

	"bitgate/certs/renewal"
	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// Restore puts one file back: its bytes with owner and mode, or its absence.
func (r *Run) Restore(path string, force bool) error {
	i := slices.IndexFunc(r.Files, func(s savedFile) bool { return s.Path == path })
	if i < 0 {
		return problem.New("the run has no backup of "+path, "", "")
	}
	saved := r.Files[i]
	now, err := atomicfile.ReadProgram(path)
	if err != nil {
		return err
	}
	if why, err := r.stays(saved, now.DigestOrAbsent()); why != "" || err != nil {
		return err
	}
	if now.DigestOrAbsent() != saved.Digest {
		if err := r.swapBack(saved, now, force); err != nil {
			return err
		}
	} else if err := r.syncFolderOf(now); err != nil {
		return err
	}
	if d := r.Plan.Deployment; d != nil && d.Bundle == path && saved.Digest == setup.Absent {
		if err := r.disk.remove(renewal.ReportFile(path)); err != nil {
			return err
		}
	}
	return r.removeDirs(saved.MadeDirs)
}

// Restorable looks whether Restore could put the file back, and changes nothing.
func (r *Run) Restorable(path string) error {
	i := slices.IndexFunc(r.Files, func(s savedFile) bool { return s.Path == path })
	if i < 0 {
		return problem.New("the run has no backup of "+path, "", "")
	}
	saved, now := r.Files[i], DigestOf(path)
	if why, err := r.stays(saved, now); why != "" || err != nil || now == saved.Digest {
		return err
	}
	if saved.Digest != setup.Absent {
		if _, err := r.saved(saved); err != nil {
			return err
		}
	}
	if missing := MissingDirs(filepath.Dir(path)); len(missing) > 0 {
		if !r.Plan.MakesFolderOf(path) {
			return problem.New("the folder "+missing[0]+" does not exist", path+" is to be put back there", "check whether something is not mounted")
		}
		path = missing[0]
	}
	var all []error
	for _, f := range atomicfile.ExamineBack(path, saved.Digest == setup.Absent) {
		all = append(all, f.Err())
	}
	return errors.Join(all...)
}

// saved reads the backup of a file.
func (r *Run) saved(f savedFile) ([]byte, error) {
	path := filepath.Join(r.Backups(), f.Backup)
	data, err := os.ReadFile(path)
	switch {
	case err != nil:
		return nil, problem.Wrap(err, "the backup of "+f.Path+" cannot be read", "without it the file cannot be put back", "put "+f.Path+" back by hand, as it was before the run")
	case atomicfile.Digest(data) != f.Digest:
		return nil, problem.New("the backup of "+f.Path+" is damaged", "its checksum does not fit", "compare "+path+" by hand")
	}
	return data, nil
}

// Stays says why a file of the run is left as it is when the run is taken back, "" where it
// is put back.
func (r *Run) Stays(path string) (string, error) {
	i := slices.IndexFunc(r.Files, func(s savedFile) bool { return s.Path == path })
	if i < 0 {
		return "", nil
	}
	return r.stays(r.Files[i], DigestOf(path))
}

func (r *Run) stays(saved savedFile, now string) (string, error) {
	if now != saved.Digest && r.wiped(saved) {
		return "its old key was wiped", nil
	}
	return r.programStays(saved, now)
}

// syncFolderOf: who finds a file as it should be, after a crash, does not know
// whether the rename that made it so is on the disk yet.
func (r *Run) syncFolderOf(f atomicfile.File) error {
	dir := filepath.Dir(f.Target)
	if len(MissingDirs(dir)) > 0 {
		return nil
	}
	return r.disk.SyncDir(dir)
}

func (r *Run) swapBack(saved savedFile, now atomicfile.File, force bool) error {
	if !r.made(saved.Path, now.DigestOrAbsent()) {
		if !force {
			return r.foreign(saved)
		}
		if err := r.keepReplaced(saved, now); err != nil {
			return err
		}
	}
	w := r.disk.Writer
	if saved.Digest == setup.Absent {
		return w.Remove(now)
	}
	data, err := r.saved(saved)
	if err != nil {
		return err
	}
	if now.Absent && r.Plan.MakesFolderOf(saved.Path) {
		if err := r.disk.Mkdirs(filepath.Dir(saved.Path), 0o755); err != nil {
			return err
		}
	}
	if now.Absent {
		return w.Create(saved.Path, data, saved.Mode, saved.UID, saved.GID)
	}
	now.Mode, now.UID, now.GID = saved.Mode, saved.UID, saved.GID
	return w.Replace(now, data)
}

// keepReplaced saves a foreign edit that a forced undo is about to throw away.
// Its name has its digest: doing it twice, after a crash, saves it once.
func (r *Run) keepReplaced(saved savedFile, now atomicfile.File) error {
	if now.Absent {
		return nil
	}
	dir := filepath.Join(r.Dir, "replaced")
	path := filepath.Join(dir, now.Digest[:12]+"-"+filepath.Base(saved.Path))
	if DigestOf(path) == now.Digest {
		return nil
	}
	if err := r.disk.Mkdirs(dir, 0o700); err != nil {
		return err
	}
	if err := r.disk.remove(path); err != nil { // half of one, after a crash
		return err
	}
	if err := r.disk.create(path, now.Data); err != nil {
		return err
	}
	return r.disk.SyncDir(dir)
}

// digests lists what this run made of a file, step by step.
func (r *Run) digests(path string) []string {
	var out []string
	for _, c := range r.Plan.Changes() {
		if written, before, after := c.Writes(); written == path {
			out = append(out, before, after)
		}
	}
	return out
}

// removeDirs removes the folders that the run made, unless somebody uses them now.
func (r *Run) removeDirs(dirs []string) error {
	for _, dir := range slices.Backward(dirs) {
		entries, err := os.ReadDir(dir)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil || len(entries) > 0 {
			return err
		}
		if err := r.disk.remove(dir); err != nil {
			return err
		}
		if err := r.disk.SyncDir(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	return nil
}

// FrontCreated reports whether this run made the built-in proxy's configuration.
func (r *Run) FrontCreated() bool {
	return slices.ContainsFunc(r.Files, func(f savedFile) bool { return f.Path == r.Plan.Answers.ProxyConfig && f.Digest == setup.Absent })
}

// Created reports whether this run made the file with that name.
func (r *Run) Created(name string) bool {
	return slices.ContainsFunc(r.Files, func(f savedFile) bool { return filepath.Base(f.Path) == name && f.Digest == setup.Absent })
}

// ForeignEdits shows what was done since to the files of a run ("" = the last
// that stands), by whoever: an undo would throw it away. Secrets are masked,
// and a certificate bundle is never shown.
func ForeignEdits(stateDir, id string) ([]setup.FileDiff, error) {
	r, err := Look(stateDir, id)
	if err != nil {
		return nil, err
	}
	var out []setup.FileDiff
	for _, saved := range r.Files {
		if r.isForeign(saved) {
			out = append(out, setup.FileDiff{Path: saved.Path, Unified: r.foreignDiff(saved)})
		}
	}
	return out, nil
}

// isForeign: the file is neither as it was before the run nor as the run made it.
func (r *Run) isForeign(saved savedFile) bool {
	if r.isProgram(saved.Path) || r.wiped(saved) {
		return false // nothing is taken away of who has installed another one since, or of what stays
	}
	now := DigestOf(saved.Path)
	return now != saved.Digest && !r.made(saved.Path, now)
}

// made: this run, or a renewal since, left the file with that digest.
func (r *Run) made(path, digest string) bool {
	return slices.Contains(r.digests(path), digest) || slices.Contains(r.renewed(path), digest)
}

// ForeignEdits refuses when a file is not what this run left.
func (r *Run) ForeignEdits() error {
	var all []error
	for _, saved := range r.Files {
		if r.isForeign(saved) {
			all = append(all, r.foreign(saved))
		}
	}
	return errors.Join(all...)
}

func (r *Run) foreign(saved savedFile) error {
	return problem.New(saved.Path+" was changed after this run:\n"+r.foreignDiff(saved), "taking the run back would throw that change away",
		"take that change out again, or let it be thrown away: bitgate undo "+r.ID+" --force")
}

// foreignDiff compares what the run left with what is there.
func (r *Run) foreignDiff(saved savedFile) string {
	if !slices.Contains(r.Plan.EditedPaths(), saved.Path) {
		return "(another certificate bundle; it is not shown)\n"
	}
	now, err := atomicfile.Read(saved.Path)
	if err != nil {
		return "(" + err.Error() + ")\n"
	}
	var before []byte
	if saved.Backup != "" {
		if before, err = os.ReadFile(filepath.Join(r.Backups(), saved.Backup)); err != nil {
			return "(" + err.Error() + ")\n"
		}
	}
	after, err := r.Plan.Applied(saved.Path, before)
	if err != nil {
		return "(" + err.Error() + ")\n"
	}
	return r.Plan.Unified(saved.Path, after, now.Data)
}
