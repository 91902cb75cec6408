package freeport_test

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"bitgate/internal/freeport"
)

func hold(t *testing.T) (int, func()) {
	t.Helper()
	port, release, err := freeport.Hold()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return port, release
}

// Nobody is given the port by chance, and a server that names it can listen, again
// and again.
func TestHeldPort(t *testing.T) {
	port, release := hold(t)
	bind := func() error {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(fd)
		return syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	}
	if err := bind(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a program without SO_REUSEADDR got the port: %v", err)
	}
	for _, host := range []string{"127.0.0.1", "127.0.0.2", "", "127.0.0.1"} {
		l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", host, port))
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
	release()
	release()
	if err := bind(); err != nil {
		t.Errorf("after its release: %v", err)
	}
}

// Two who pick never get one port.
func TestEachHasAPortOfItsOwn(t *testing.T) {
	owner := map[int]int{}
	for i := range 500 {
		port, _ := hold(t)
		if other, taken := owner[port]; taken {
			t.Fatalf("pick %d and pick %d got port %d", other, i, port)
		}
		owner[port] = i
	}
}
