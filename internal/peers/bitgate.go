package peers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// BuildBitgate builds the program under test into dir and returns its path. It
// has no race detector, and no version control stamp, which would fail in a clone
// of another user.
func BuildBitgate(dir string) (string, error) {
	program := filepath.Join(dir, "bitgate")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, "bitgate/cmd/bitgate").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
}

// Around is Suite.Around for a package that tests the built program: its path is
// in *program while the tests run.
func Around(program *string) func(run func() int) int {
	return func(run func() int) int {
		dir, err := os.MkdirTemp("", "bitgate-built")
		if err == nil {
			defer os.RemoveAll(dir)
			*program, err = BuildBitgate(dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return run()
	}
}
