package bitbuckettest

import (
	"net"
	"syscall"
)

// listen is net.Listen for TCP with a Close after which the port is free.
func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return shutListener{l.(*net.TCPListener)}, nil
}

// shutListener ends the listening itself before it closes the descriptor: a
// program that this process starts holds copies of all descriptors until its
// exec, and closing ours alone would leave the port in use until then.
type shutListener struct{ *net.TCPListener }

func (l shutListener) Close() error {
	if raw, err := l.SyscallConn(); err == nil {
		// Where a system cannot do this to a listener, closing has to do.
		_ = raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
	}
	return l.TCPListener.Close()
}
