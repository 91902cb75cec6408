//go:build !linux

package proxy

import (
	"os"

	"bitgate/internal/problem"
)

// DropPrivileges refuses to run as root: only on Linux does it know how to
// become another user for good.
func DropPrivileges(string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return problem.New("the proxy runs as root", "only on Linux can it give that up", "start it as another user, on ports from 1024 on")
}
