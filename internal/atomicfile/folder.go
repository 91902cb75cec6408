package atomicfile

import (
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// SyncDir syncs a folder to the disk: what was renamed in it lasts then. The folder is
// found and opened as that of a file is, by its owner where root's rights do not reach
// it; what is no folder by now is refused, and nothing is waited for. Errors are
// *problem.Error.
func SyncDir(path string) error {
	path = filepath.Clean(path)
	err := AsOwner(filepath.Join(path, TempPrefix), func() error {
		abs, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		p, err := walkTo(path, append(names(abs), ".")) // the last name is that of a folder, too
		if err != nil {
			return err
		}
		defer p.close()
		if p.missing != "" {
			return &fs.PathError{Op: "open", Path: p.missing, Err: unix.ENOENT}
		}
		dir, err := p.openDir()
		if err != nil {
			return err
		}
		defer dir.Close()
		return dir.Sync()
	})
	return explain(err, path, "synced")
}
