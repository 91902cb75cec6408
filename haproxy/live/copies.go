package live

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bitgate/haproxy"

	"golang.org/x/sys/unix"
)

// copies are files for one program to read under /proc/self/fd/N (proc(5)). They
// have no name, so that they and the key in them end with those who hold them open.
type copies struct {
	files []*os.File
	real  []string // the path that each stands for
	tree  string   // a folder of named copies, "" where none is needed
}

// add makes a copy of every file and returns the arguments that load the set in
// order.
func (c *copies) add(set, extra []Candidate) (args []string, err error) {
	moved := map[string]string{}
	for _, e := range extra {
		if moved[e.Path], err = c.one(e.Path, e.Data); err != nil {
			return nil, err
		}
	}
	copyOf := c.one
	if slices.ContainsFunc(set, func(s Candidate) bool { return besideItself(s.Data) }) {
		copyOf = c.named
		if err := c.plant(set); err != nil {
			return nil, err
		}
	}
	for _, s := range set {
		name, err := copyOf(s.Path, repoint(s.Data, moved))
		if err != nil {
			return nil, err
		}
		args = append(args, "-f", name)
	}
	return args, nil
}

func (c *copies) one(path string, data []byte) (name string, err error) {
	f, err := nameless()
	if err != nil {
		return "", err
	}
	c.files, c.real = append(c.files, f), append(c.real, path)
	_, err = f.Write(data)
	return descriptor(len(c.files) - 1), err
}

// besideItself reports "default-path config" or "parent": relative names begin at
// the configuration file's folder or the one above (manual, 3.1), which a file
// without a name has not.
func besideItself(data []byte) bool {
	if !bytes.Contains(data, []byte("default-path")) {
		return false
	}
	return slices.ContainsFunc(haproxy.Parse(data).Lines, func(l haproxy.Line) bool {
		return len(l.Words) > 1 && l.Words[0].Text == "default-path" && (l.Words[1].Text == "config" || l.Words[1].Text == "parent")
	})
}

// plant makes a folder that only we may enter, and in it the folders of the set and
// those above them, with links to everything that lies there but the set.
func (c *copies) plant(set []Candidate) (err error) {
	if c.tree, err = os.MkdirTemp("", "bitgate-check-"); err != nil {
		return err
	}
	keep := map[string]bool{} // folders that are made, files that are copied
	for _, s := range set {
		dir := filepath.Dir(s.Path)
		keep[s.Path], keep[dir], keep[filepath.Dir(dir)] = true, true, true
	}
	for _, s := range set {
		for _, dir := range []string{filepath.Dir(filepath.Dir(s.Path)), filepath.Dir(s.Path)} {
			if err := os.MkdirAll(c.tree+dir, 0o700); err != nil {
				return err
			}
			entries, err := os.ReadDir(dir)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			for _, e := range entries {
				path := filepath.Join(dir, e.Name())
				if keep[path] {
					continue
				}
				if err := os.Symlink(path, c.tree+path); err != nil && !errors.Is(err, fs.ErrExist) {
					return err
				}
			}
		}
	}
	return nil
}

func (c *copies) named(path string, data []byte) (name string, err error) {
	name = c.tree + path
	return name, os.WriteFile(name, data, 0o600)
}

// descriptor is how the program opens the i-th file. It gets them from 3 on.
func descriptor(i int) string { return fmt.Sprintf("/proc/self/fd/%d", 3+i) }

// nameless is memory (memfd_create(2)), and before Linux 3.17, which has none, a
// file of which nothing is written before its name is gone.
func nameless() (*os.File, error) {
	if fd, err := unix.MemfdCreate("bitgate-check", unix.MFD_CLOEXEC); err == nil {
		return os.NewFile(uintptr(fd), "bitgate-check"), nil
	}
	f, err := os.CreateTemp("", "bitgate-check-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// realNames puts the real paths into what the program says. The last descriptor
// goes first: the name of the first may be the beginning of its.
func (c *copies) realNames(text string) string {
	var names []string
	for i, path := range slices.Backward(c.real) {
		names = append(names, descriptor(i), path)
	}
	if c.tree != "" {
		names = append(names, c.tree, "")
	}
	return strings.NewReplacer(names...).Replace(text)
}

func (c *copies) close() {
	for _, f := range c.files {
		f.Close()
	}
	if c.tree != "" {
		_ = os.RemoveAll(c.tree)
	}
}
