package peers

import (
	"fmt"
	"os/exec"
	"runtime"
	"testing"
)

// recorder is a testing.TB that remembers how a helper ended its test.
type recorder struct {
	testing.TB
	failed, skipped bool
	text            string
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failed, r.text = true, fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skipf(format string, args ...any) {
	r.skipped, r.text = true, fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func shell(command string) ([]byte, error) {
	return exec.Command("/bin/sh", "-c", command).CombinedOutput()
}
