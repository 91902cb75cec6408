package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"bitgate/setup"
)

// CertificateOnly reports whether the run only renewed or deployed a certificate.
func (r *Run) CertificateOnly() bool { return r.Plan.Kind == setup.KindCertificate }

// holdsKey: it is a bundle or a key store.
func (r *Run) holdsKey(path string) bool {
	return !slices.Contains(r.Plan.EditedPaths(), path) && !r.isProgram(path)
}

// bundles are the saved files that hold a private key and have a backup.
func (r *Run) bundles() []savedFile {
	var out []savedFile
	for _, f := range r.Files {
		if f.Backup != "" && r.holdsKey(f.Path) {
			out = append(out, f)
		}
	}
	return out
}

// keys is how many private keys are left in the run's backups.
func (r *Run) keys() int {
	n := 0
	for _, f := range r.bundles() {
		if _, err := os.Lstat(filepath.Join(r.Backups(), f.Backup)); err == nil {
			n++
		}
	}
	return n
}

// wipeKeys keeps the first of the run's old keys and wipes the others: their names
// go, then their bytes, for file systems that write in place. What was wiped is not
// put back by an undo, which leaves the certificate of now and says so (Stays).
func (r *Run) wipeKeys(keep int) error {
	for i, f := range r.bundles() {
		if i < keep {
			continue
		}
		if err := r.wipe(filepath.Join(r.Backups(), f.Backup)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) wipe(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := r.disk.remove(path); err != nil {
		return err
	}
	if _, err := f.WriteAt(make([]byte, info.Size()), 0); err != nil {
		return err
	}
	return r.disk.sync(f)
}

// wiped reports whether a saved file was an old key that is gone by now.
func (r *Run) wiped(saved savedFile) bool {
	if saved.Backup == "" || !r.holdsKey(saved.Path) {
		return false
	}
	_, err := os.Lstat(filepath.Join(r.Backups(), saved.Backup))
	return errors.Is(err, fs.ErrNotExist)
}

// renewed are the digests that certificate-only runs have found or made of a bundle since
// this run: such a change is no foreign one, whether they stand or not (one that does not
// has put back what another made, whose journal may be gone). Of a run that is itself one
// there are none.
func (r *Run) renewed(path string) []string {
	if r.CertificateOnly() {
		return nil
	}
	var out []string
	for later, err := range newestFirst(r.stateDir()) {
		if err == nil && later.ID == r.ID {
			break
		}
		if err == nil && later.CertificateOnly() {
			out = append(out, later.digests(path)...)
		}
	}
	return out
}
