package loop

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxAccepts = 16 // in a row, before others have their turn
	// After an error (too many open files, say), and where there is no room for
	// more: others may end meanwhile.
	acceptPause = 100 * time.Millisecond
)

// listener accepts on one loop what connects to a socket. Several loops may
// listen on the same one: the kernel wakes one of them for each connection.
type listener struct {
	l      *Loop
	fd     int
	closed bool
	room   func() bool
	accept func(Accepted)
	failed func(error)
}

// Accepted is a new connection that is not on any loop yet.
type Accepted struct {
	fd     int
	Remote netip.AddrPort
}

// Listen has accept called for each connection to socket, and failed for each
// error; accepting goes on after it. While room says no, clients that connect wait in the
// kernel. None of them may wait. socket stays the caller's. On the loop only;
// StopListening ends it.
func (l *Loop) Listen(socket net.Listener, room func() bool, accept func(Accepted), failed func(error)) error {
	if l.closed {
		return net.ErrClosed
	}
	tcp, ok := socket.(syscall.Conn)
	if !ok {
		return fmt.Errorf("%T has no descriptor that an event loop could watch", socket)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	fd := -1
	controlled := raw.Control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(controlled, err); err != nil {
		return err
	}
	a := &listener{l: l, fd: fd, room: room, accept: accept, failed: failed}
	if err := a.start(); err != nil {
		unix.Close(fd)
		return err
	}
	l.sockets[a] = struct{}{}
	return nil
}

func (a *listener) start() error { return a.l.watch(a.fd, a, unix.EPOLLIN|unix.EPOLLEXCLUSIVE) }

// event accepts; what is left is told again (level-triggered).
func (a *listener) event(uint32) {
	for range maxAccepts {
		if !a.room() {
			a.pause()
			return
		}
		fd, remote, err := accept(a.fd)
		switch {
		case err == nil:
			a.accept(Accepted{fd: fd, Remote: remote})
		case errors.Is(err, unix.EAGAIN):
			return
		case errors.Is(err, unix.ECONNABORTED) || errors.Is(err, unix.EINTR):
		default:
			a.failed(os.NewSyscallError("accept", err))
			a.pause()
			return
		}
		if a.closed {
			return
		}
	}
}

// pause accepts nothing for a while.
func (a *listener) pause() {
	a.l.unwatch(a.fd)
	a.l.Go(a.again)
}

func (a *listener) again() {
	a.l.Sleep(acceptPause)
	if a.closed {
		return
	}
	if err := a.start(); err != nil {
		a.failed(err)
		a.l.Go(a.again)
	}
}

func (a *listener) close() {
	a.closed = true
	delete(a.l.sockets, a)
	a.l.unwatch(a.fd)
	_ = closeSocket(a.fd)
}

// Add takes over a connection; the caller need not be on the loop that accepted
// it, but on l.
func (l *Loop) Add(a Accepted) (*Conn, error) { return l.newConn(a.fd, a.Remote) }

// Refuse closes it.
func (a Accepted) Refuse() { _ = closeSocket(a.fd) }

// Adopt takes over a connection that goroutines made. On the loop only.
func (l *Loop) Adopt(conn *net.TCPConn) (*Conn, error) {
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	controlled := raw.Control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(controlled, err); err != nil {
		return nil, err
	}
	remote, _ := netip.ParseAddrPort(conn.RemoteAddr().String()) // always valid for TCP
	return l.newConn(fd, remote)
}
