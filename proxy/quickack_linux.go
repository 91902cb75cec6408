package proxy

import (
	"net"

	"golang.org/x/sys/unix"
)

// quickAck has the end of a TLS handshake acknowledged at once (tcp(7),
// TCP_QUICKACK): a client that waits for that before it asks (Nagle) would wait
// for 40 ms.
func quickAck(conn net.Conn) {
	if g, ok := conn.(*guardedConn); ok {
		conn = g.Conn
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return // closed meanwhile
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) // slower without it, not broken
	})
}
