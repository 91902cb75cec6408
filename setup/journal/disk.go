package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"bitgate/internal/atomicfile"
)

// Operations of a run besides those that atomicfile names.
const (
	opMkdir     atomicfile.Op = "mkdir"
	opAppend    atomicfile.Op = "append"
	opTruncate  atomicfile.Op = "truncate"
	opRemoveAll atomicfile.Op = "removeall"
)

// Disk does what a run does to the file system besides swapping files. Every
// operation asks the Writer's Fault first, so that a test can fail a run, or
// end it, at each single one.
type Disk struct{ Writer atomicfile.Writer }

func (d Disk) ask(op atomicfile.Op, path string) error {
	if d.Writer.Fault == nil {
		return nil
	}
	if err := d.Writer.Fault(op, path); err != nil {
		return &fs.PathError{Op: string(op), Path: path, Err: err}
	}
	return nil
}

// Mkdirs makes a folder and those above it that are missing, each of them
// synced into the one that holds it.
func (d Disk) Mkdirs(path string, mode fs.FileMode) error {
	for _, dir := range MissingDirs(path) {
		if err := d.ask(opMkdir, dir); err != nil {
			return err
		}
		if err := os.Mkdir(dir, mode); err != nil {
			return err
		}
		if err := d.SyncDir(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	return nil
}

// MissingDirs lists the folders on the way to dir that do not exist, outermost first.
func MissingDirs(dir string) []string {
	var out []string
	for {
		// What root may not see (on NFS) is there all the same.
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return out
		}
		out = append([]string{dir}, out...)
		dir = filepath.Dir(dir)
	}
}

// create writes a new file that only root may read, and syncs it.
func (d Disk) create(path string, data []byte) error {
	if err := d.ask(atomicfile.OpCreate, path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := d.ask(atomicfile.OpWrite, path); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return d.sync(f)
}

func (d Disk) sync(f *os.File) error {
	if err := d.ask(atomicfile.OpSync, f.Name()); err != nil {
		return err
	}
	return f.Sync()
}

func (d Disk) SyncDir(path string) error {
	if err := d.ask(atomicfile.OpSyncDir, path); err != nil {
		return err
	}
	return atomicfile.SyncDir(path)
}

// rename moves a folder beside itself, and syncs the one that holds it.
func (d Disk) rename(from, to string) error {
	if err := d.ask(atomicfile.OpRename, to); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(to))
}

// remove deletes a file or an empty folder. One that is not there is no error.
func (d Disk) remove(path string) error {
	if err := d.ask(atomicfile.OpRemove, path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d Disk) removeAll(path string) error {
	if err := d.ask(opRemoveAll, path); err != nil {
		return err
	}
	return os.RemoveAll(path)
}
