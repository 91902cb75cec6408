package torture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A tracer runs a program and stops it before and after every system call that
// changes a file. strace can kill or fail a call too (and does, in
// strace_test.go), but it counts `when=` per thread, and Go's threads share one
// job as they like; and its -P wants a path that is known beforehand, which the
// name of a temporary file is not. Here all threads are counted together, so
// "the second fsync of .bitgate-*" is one point, the same in every run.
type tracer struct {
	// Below limits the points to files below this folder.
	Below string
	// Enter is asked before the call is done; nil lets everything pass.
	Enter func(point) deed
	// Leave is told after the call was done, while its thread stands still.
	Leave func(point)

	pid     int
	threads map[int]*thread
	seen    map[point]int // how often a call on a path was met; N is 0 in the key
}

// point is one moment in a run: the N-th time (from 1) that Call is about to be
// done on Path, whose random parts are shown as *.
type point struct {
	Call, Path string
	N          int
}

func (p point) String() string { return fmt.Sprintf("%s(%s) #%d", p.Call, p.Path, p.N) }

// deed is what happens to a call.
type deed struct {
	Kill bool
	Fail syscall.Errno // 0: nothing
}

// thread is where one thread stands.
type thread struct {
	started bool
	point   *point // of the call it is in, nil for one that is of no interest
	fail    syscall.Errno
}

const (
	ptraceGetSyscallInfo = 0x420e // linux/ptrace.h, since Linux 5.3, on every architecture
	syscallInfoEntry     = 1
	syscallInfoExit      = 2
)

// run starts the program and stays until it has ended. Both streams go to files.
func (tr *tracer) run(m *machine, args []string) (outcome, error) {
	out, err := os.CreateTemp(m.Out, "out")
	if err != nil {
		return outcome{}, err
	}
	defer out.Close()
	errOut, err := os.CreateTemp(m.Out, "err")
	if err != nil {
		return outcome{}, err
	}
	defer errOut.Close()
	code, err := tr.trace(append([]string{program}, args...), m.env(), out, errOut)
	if err != nil {
		return outcome{}, err
	}
	text, err1 := os.ReadFile(out.Name())
	errText, err2 := os.ReadFile(errOut.Name())
	return outcome{code, string(text), string(errText)}, errors.Join(err1, err2)
}

func (tr *tracer) trace(line, env []string, out, errOut *os.File) (int, error) {
	// ptrace(2): every request must come from the thread that is the tracer. It
	// waits for the program's process group alone: other children of this
	// process are left to those who started them.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	child, err := os.StartProcess(line[0], line, &os.ProcAttr{
		Env: env, Files: []*os.File{null, out, errOut},
		Sys: &syscall.SysProcAttr{Ptrace: true, Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return 0, err
	}
	tr.pid = child.Pid
	if err := child.Release(); err != nil {
		return 0, err
	}
	tr.threads, tr.seen = map[int]*thread{}, map[point]int{}
	var ws unix.WaitStatus
	if _, err := unix.Wait4(tr.pid, &ws, unix.WALL|unix.WNOTHREAD, nil); err != nil {
		return 0, err
	}
	// Only threads are followed: what bitgate starts is not under test.
	const follow = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(tr.pid, follow); err != nil {
		return 0, err
	}
	tr.threads[tr.pid] = &thread{started: true}
	if err := unix.PtraceSyscall(tr.pid, 0); err != nil {
		return 0, err
	}
	return tr.loop()
}

func (tr *tracer) loop() (int, error) {
	for {
		var ws unix.WaitStatus
		tid, err := unix.Wait4(-tr.pid, &ws, unix.WALL|unix.WNOTHREAD, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("wait: %w", err)
		}
		if ws.Exited() || ws.Signaled() {
			delete(tr.threads, tid)
			if tid != tr.pid {
				continue
			}
			if ws.Signaled() {
				return -1, nil
			}
			return ws.ExitStatus(), nil
		}
		// ESRCH: the thread was killed meanwhile; its end is reported next.
		if err := unix.PtraceSyscall(tid, tr.stopped(tid, ws)); err != nil && !errors.Is(err, unix.ESRCH) {
			return 0, fmt.Errorf("ptrace: %w", err)
		}
	}
}

// stopped handles one stop and returns the signal to pass on.
func (tr *tracer) stopped(tid int, ws unix.WaitStatus) int {
	th := tr.threads[tid]
	if th == nil {
		th = &thread{}
		tr.threads[tid] = th
	}
	switch sig := ws.StopSignal(); {
	case sig == unix.SIGTRAP|0x80:
		tr.syscall(tid, th)
	case sig == unix.SIGTRAP && ws.TrapCause() > 0: // a thread was started
	case sig == unix.SIGSTOP && !th.started: // the new thread itself
		th.started = true
	default:
		return int(sig)
	}
	return 0
}

func (tr *tracer) syscall(tid int, th *thread) {
	info, err := syscallInfo(tid)
	if err != nil {
		return // killed
	}
	switch info.op {
	case syscallInfoEntry:
		th.point, th.fail = nil, 0
		call, path, writes := tr.writing(tid, info)
		if !writes {
			return
		}
		p := point{Call: call, Path: path}
		tr.seen[p]++
		p.N = tr.seen[p]
		th.point = &p
		if tr.Enter == nil {
			return
		}
		d := tr.Enter(p)
		if d.Kill {
			_ = unix.Kill(tr.pid, unix.SIGKILL) // the call is not done any more: signal(7), ptrace(2)
		}
		if th.fail = d.Fail; th.fail != 0 {
			skipCall(tid)
		}
	case syscallInfoExit:
		if th.fail != 0 {
			failCall(tid, th.fail)
		}
		if th.point != nil && tr.Leave != nil {
			tr.Leave(*th.point)
		}
		th.point, th.fail = nil, 0
	}
}

// callInfo is struct ptrace_syscall_info.
type callInfo struct {
	op   byte
	nr   uint64
	args [6]uint64
}

func syscallInfo(tid int) (callInfo, error) {
	var raw [88]byte
	n, _, errno := unix.Syscall6(unix.SYS_PTRACE, ptraceGetSyscallInfo, uintptr(tid), uintptr(len(raw)), uintptr(unsafe.Pointer(&raw[0])), 0, 0)
	if errno != 0 {
		return callInfo{}, errno
	}
	info := callInfo{op: raw[0]}
	if info.op == syscallInfoEntry && n >= 80 {
		info.nr = binary.NativeEndian.Uint64(raw[24:])
		for i := range info.args {
			info.args[i] = binary.NativeEndian.Uint64(raw[32+8*i:])
		}
	}
	return info, nil
}

// text reads a string of the program's memory.
func (tr *tracer) text(address uint64) string {
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", tr.pid))
	if err != nil {
		return ""
	}
	defer mem.Close()
	buf := make([]byte, unix.PathMax)
	n, _ := mem.ReadAt(buf, int64(address)) // a short read ends at the end of a mapping
	if end := bytes.IndexByte(buf[:n], 0); end >= 0 {
		return string(buf[:end])
	}
	return ""
}

// file is the path behind a descriptor.
func (tr *tracer) file(fd uint64) string {
	if int32(fd) == unix.AT_FDCWD {
		path, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", tr.pid))
		return path
	}
	path, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tr.pid, int32(fd)))
	return path
}

func (tr *tracer) at(dir, name uint64) string {
	path := tr.text(name)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(tr.file(dir), path)
}
