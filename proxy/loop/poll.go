package loop

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const maxEvents = 256

// poller is an epoll instance. To wait, it is handed to Go's own poller as a file
// (an epoll descriptor is readable when it has events, epoll(7)): a thread that
// sat in epoll_wait would hold a processor of Go's scheduler back from all other
// goroutines, for up to ten milliseconds.
type poller struct {
	fd     int
	file   *os.File
	raw    syscall.RawConn
	events [maxEvents]unix.EpollEvent
	n      int       // of events
	limit  time.Time // the file's deadline
	try    func(uintptr) bool
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that os.File waits with Go's poller
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &poller{fd: fd, file: os.NewFile(uintptr(fd), "epoll")}
	p.try = func(uintptr) bool { return len(p.look()) > 0 }
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(time.Time{}) // fails if it cannot be waited for
	}
	if err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
}

// look returns the events that are there, without waiting. They are valid until
// the next call.
func (p *poller) look() []unix.EpollEvent {
	n, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events)), maxEvents, 0, 0, 0)
	if p.n = int(n); e != 0 {
		p.n = 0 // interrupted
	}
	return p.events[:p.n]
}

// wait returns the next events, or at the limit those that are there (zero: it waits
// forever).
func (p *poller) wait(limit time.Time) []unix.EpollEvent {
	if !limit.Equal(p.limit) {
		p.limit = limit
		_ = p.file.SetReadDeadline(limit) // the file is open
	}
	p.n = 0
	if p.raw.Read(p.try) != nil { // the limit has passed, perhaps while the machine stood still
		return p.look()
	}
	return p.events[:p.n]
}

func (p *poller) close() { p.file.Close() }
