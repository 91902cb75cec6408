package loop

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Dial connects to address; it gives up at until (zero: when the system does).
func (l *Loop) Dial(address netip.AddrPort, until time.Time) (*Conn, error) {
	family, sa := sockaddr(address)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	connecting := unix.Connect(fd, sa)
	if connecting != nil && !errors.Is(connecting, unix.EINPROGRESS) && !errors.Is(connecting, unix.EINTR) {
		unix.Close(fd)
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(address), Err: os.NewSyscallError("connect", connecting)}
	}
	c, err := l.newConn(fd, address)
	if err != nil {
		return nil, err
	}
	if connecting != nil {
		if err := c.connected(until); err != nil {
			c.Close()
			return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: c.RemoteAddr(), Err: err}
		}
	}
	return c, nil
}

// connected waits until the connection is made or refused.
func (c *Conn) connected(until time.Time) error {
	moment := c.l.moment(until)
	for {
		// Writable before the answer came is what a socket says that does not
		// even try yet; an error or a peer means that it is through.
		if c.closed {
			return net.ErrClosed
		}
		if code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
			return os.NewSyscallError("connect", unix.Errno(code))
		}
		if _, err := unix.Getpeername(c.fd); err == nil {
			return nil
		}
		if c.l.passed(moment) || !c.writer.wait(moment) {
			return os.ErrDeadlineExceeded
		}
	}
}

// prepare sets what every connection has (as net does): data goes out at once,
// and a peer that vanished is noticed. Set on a listener, it would not reach the
// connections that came before it was set.
func prepare(fd int) {
	for _, o := range [][3]int{
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
	} {
		_ = setOption(fd, o[0], o[1], o[2]) // works without
	}
}

func sockaddr(address netip.AddrPort) (family int, sa unix.Sockaddr) {
	ip := address.Addr().Unmap()
	if ip.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(address.Port()), Addr: ip.As4()}
	}
	zone := uint32(0)
	if i, err := net.InterfaceByName(ip.Zone()); err == nil {
		zone = uint32(i.Index)
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(address.Port()), Addr: ip.As16(), ZoneId: zone}
}
