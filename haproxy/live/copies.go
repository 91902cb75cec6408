package live

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// copies are files for one program to read under /proc/self/fd/N (proc(5)). They
// have no name, so that they and the key in them end with those who hold them open.
type copies struct {
	files []*os.File
	real  []string // the path that each stands for
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
	for _, s := range set {
		name, err := c.one(s.Path, repoint(s.Data, moved))
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
	return strings.NewReplacer(names...).Replace(text)
}

func (c *copies) close() {
	for _, f := range c.files {
		f.Close()
	}
}
