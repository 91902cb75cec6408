package torture

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// canFail says that this processor's registers are known here.
const canFail = true

// skipCall keeps the kernel from doing the call that the thread is entering.
func skipCall(tid int) {
	var regs unix.PtraceRegs
	if unix.PtraceGetRegs(tid, &regs) == nil {
		regs.Orig_rax = ^uint64(0)
		_ = unix.PtraceSetRegs(tid, &regs) // a thread that is gone needs no error
	}
}

// failCall makes the call that the thread is leaving return errno.
func failCall(tid int, errno syscall.Errno) {
	var regs unix.PtraceRegs
	if unix.PtraceGetRegs(tid, &regs) == nil {
		regs.Rax = -uint64(errno)
		_ = unix.PtraceSetRegs(tid, &regs)
	}
}
