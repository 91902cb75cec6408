// Package freeport picks TCP ports for servers that are started a while later, or
// again and again, and can be given neither a listener nor port 0.
package freeport

import (
	"fmt"
	"sync"
	"syscall"
)

// Hold picks a port on which nobody listens. Until release it is given to nobody
// else: a socket bound to it that does not listen keeps the system from choosing it
// for port 0 or for an outgoing connection, but not a program from listening there
// with SO_REUSEADDR, as servers do (socket(7)). The end of the process releases it, too.
func Hold() (port int, release func(), err error) {
	syscall.ForkLock.RLock() // or a program started now would inherit it
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return 0, nil, fmt.Errorf("no free port can be held: %w", err)
	}
	release = sync.OnceFunc(func() { syscall.Close(fd) }) // once: the descriptor may be another file's afterwards
	if port, err = bind(fd); err != nil {
		release()
		return 0, nil, fmt.Errorf("no free port can be held: %w", err)
	}
	return port, release, nil
}

// bind is to all addresses, loopback ones other than 127.0.0.1 among them.
func bind(fd int) (port int, err error) {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{}); err != nil {
		return 0, err
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	return name.(*syscall.SockaddrInet4).Port, nil
}
