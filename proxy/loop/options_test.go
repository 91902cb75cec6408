package loop

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A client that came before the loop listened gets its answers at once as well,
// not only when it has acknowledged the one before (Nagle).
func TestWhoCameBeforeTheLoopListenedIsNotDelayed(t *testing.T) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	client, err := net.Dial("tcp", socket.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	go l.Run()
	defer l.Close()
	options := make(chan [2]int, 1)
	l.Post(func() {
		err := l.Listen(socket, func() bool { return true }, func(a Accepted) {
			if c, err := l.Add(a); err != nil {
				t.Error(err)
			} else {
				noDelay, _ := unix.GetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY)
				keepAlive, _ := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
				options <- [2]int{noDelay, keepAlive}
			}
		}, func(err error) { t.Error(err) })
		if err != nil {
			t.Error(err)
		}
	})
	select {
	case got := <-options:
		if got != [2]int{1, 1} {
			t.Errorf("TCP_NODELAY, SO_KEEPALIVE: %v, want [1 1]", got)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the connection is not accepted")
	}
}
