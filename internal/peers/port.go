package peers

import (
	"net"
	"strconv"
	"syscall"
	"testing"
)

// FreeAddress returns a loopback "host:port" that nobody listens on. Use it
// only for programs that cannot be handed a listener or port 0.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(FreePort(t)))
}

// FreePort is the port of FreeAddress. Until the test ends it is given to nobody
// else: a socket bound to it that does not listen keeps the system from choosing
// it for port 0 or for an outgoing connection, but not a program from listening
// there with SO_REUSEADDR, as servers do (socket(7)).
func FreePort(t testing.TB) int {
	t.Helper()
	syscall.ForkLock.RLock() // or a program started now would inherit it
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return name.(*syscall.SockaddrInet4).Port
}
