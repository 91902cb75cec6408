package store

import (
	"os"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
)

// overwrite puts zeros in the place of a file's bytes.
func overwrite(path string, size int) error {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return problem.Wrap(err, "an old private key cannot be wiped", "", "remove it by hand")
	}
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, size), 0); err != nil {
		return problem.Wrap(err, "an old private key cannot be wiped", "", "remove it by hand")
	}
	return f.Sync()
}
