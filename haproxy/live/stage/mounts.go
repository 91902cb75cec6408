package stage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"bitgate/haproxy/rehearsal"
)

// newRoot is where the root directory is put together: no configuration lies in it.
const newRoot = "/sys"

// systemDirs are bound for the program, its libraries and what they read.
var systemDirs = []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/usr", "/etc", "/opt", "/nix/store", "/gnu/store"}

// buildRoot makes the root directory of the stage and enters it.
func buildRoot(s Setup) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := memory(newRoot); err != nil {
		return err
	}
	for _, dir := range []string{"/run", "/tmp", "/dev", "/proc", "/var/lib", "/var/run", "/var/log", "/old", rehearsal.Chroot} {
		if err := os.MkdirAll(newRoot+dir, 0o755); err != nil {
			return err
		}
	}
	for _, path := range slices.Concat(systemDirs, []string{"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"}, outermost(s.Bound)) {
		if err := show(path, newRoot+path); err != nil {
			return err
		}
	}
	if s.Proc {
		if err := unix.Mount("proc", newRoot+"/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
			return fmt.Errorf("show processes at /proc: %w", err)
		}
	}
	if err := fill(s); err != nil {
		return err
	}
	if err := unix.PivotRoot(newRoot, newRoot+"/old"); err != nil {
		return fmt.Errorf("change the root directory: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/old", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the machine's files: %w", err)
	}
	return nil
}

// originals is where the directories lie on the stage in whose places memory is.
const originals = "/originals"

// fill puts memory in the place of directories, so that files in them may be
// written. What lies there already is seen by links, for there may be thousands of
// certificates.
func fill(s Setup) error {
	dirs := withBetween(s.Memory)
	for i, dir := range dirs {
		if !below(dir, dirs[:i]) {
			if err := show(dir, newRoot+originals+dir); err != nil {
				return err
			}
		}
		if err := os.MkdirAll(newRoot+dir, 0o755); err != nil {
			return err
		}
		if err := memory(newRoot + dir); err != nil {
			return err
		}
		if err := link(dir, dirs); err != nil {
			return err
		}
	}
	if _, err := os.Lstat(newRoot + s.Dir); err == nil {
		return nil
	}
	return os.MkdirAll(newRoot+s.Dir, 0o755)
}

// withBetween are directories, and those on the way to them from another, or from
// one that is there: those above first.
func withBetween(dirs []string) []string {
	var out []string
	for _, dir := range dirs {
		out = append(out, dir)
		for at := dir; at != "/" && (absent(at) || below(filepath.Dir(at), dirs)); {
			at = filepath.Dir(at)
			out = append(out, at)
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(dir string) bool { return dir == "/" }) // that is memory
}

func absent(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// link makes the entries of a directory, except for those that are made themselves.
func link(dir string, made []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		to := originals + path
		switch {
		case slices.Contains(made, path):
			continue
		case e.Type()&fs.ModeSymlink != 0:
			if to, err = os.Readlink(path); err != nil {
				continue // gone meanwhile
			}
		case !e.IsDir() && !e.Type().IsRegular():
			continue
		}
		if err := os.Symlink(to, newRoot+path); err != nil {
			return err
		}
	}
	return nil
}

func memory(dir string) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=256m"); err != nil {
		return fmt.Errorf("memory at %s: %w", strings.TrimPrefix(dir, newRoot), err)
	}
	return nil
}

// outermost leaves out paths that lie below others, or below system directories.
func outermost(paths []string) []string {
	var out []string
	for _, p := range slices.Sorted(slices.Values(paths)) {
		if filepath.IsAbs(p) && !below(p, out) && !below(p, systemDirs) {
			out = append(out, filepath.Clean(p))
		}
	}
	return out
}

func below(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool { return path == d || strings.HasPrefix(path, d+"/") })
}

// show binds a file or directory of the machine to a path in the new root, its own
// mostly, read-only. What is absent stays absent, and what is neither, a socket, is not
// shown.
func show(path, at string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 && below(path, systemDirs) {
		to, err := os.Readlink(path)
		if err != nil {
			return err
		}
		return os.Symlink(to, at)
	}
	if info, err = os.Stat(path); err != nil {
		return nil //nolint:nilerr // a link to nothing is nothing
	}
	return bind(path, at, info)
}

func bind(path, at string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
	case info.Mode().IsRegular() || strings.HasPrefix(path, "/dev/"):
		if err := os.WriteFile(at, nil, 0o600); err != nil {
			return err
		}
	default:
		return nil
	}
	if err := unix.Mount(path, at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("show %s: %w", path, err)
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID}
	if !strings.HasPrefix(path, "/dev/") {
		attr.Attr_set |= unix.MOUNT_ATTR_NODEV
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, at, unix.AT_RECURSIVE, &attr); err != nil {
		return fmt.Errorf("show %s read-only (Linux 5.12 or newer does): %w", path, err)
	}
	return nil
}
