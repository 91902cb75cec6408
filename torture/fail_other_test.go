//go:build !amd64

package torture

import "syscall"

// canFail: returning an error needs the processor's own registers.
const canFail = false

func skipCall(int) {}

func failCall(int, syscall.Errno) {}
