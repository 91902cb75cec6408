package peers

import (
	"fmt"
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
