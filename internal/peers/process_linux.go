package peers

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// dieWithParent keeps a test binary that is killed (go test -timeout panics,
// which runs no cleanup) from leaving its peers behind.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}

// catches reports whether the process has a handler for sig and does not block
// it. HAProxy's workers accept a moment before its master does; a signal sent
// in between is lost.
func catches(pid int, sig syscall.Signal) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	mask := func(name string) uint64 {
		for line := range strings.Lines(string(status)) {
			if hex, ok := strings.CutPrefix(line, name+":"); ok {
				bits, _ := strconv.ParseUint(strings.TrimSpace(hex), 16, 64) // 0 = none
				return bits
			}
		}
		return 0
	}
	bit := uint64(1) << (sig - 1)
	return mask("SigCgt")&bit != 0 && mask("SigBlk")&bit == 0
}
