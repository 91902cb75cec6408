package process

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"bitgate/proxy"

	"golang.org/x/sys/unix"
)

// Without systemd nobody makes the folder of the socket before the proxy starts.
func TestFolderOfTheHandoverIsMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitgate", "handover.sock")
	for range 2 { // the second start finds the folder, and the socket of the first
		l, err := offer(path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	if _, err := offer(filepath.Join(t.TempDir(), "no", "such", "folder", "handover.sock")); err == nil {
		t.Error("a path of which most is missing was made")
	}
}

// TestGivenSocketsStayNonBlocking: while a next process has the sockets and does not
// serve yet, this one accepts on, in a loop that must never wait in accept(2).
func TestGivenSocketsStayNonBlocking(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fds, err := copies([]net.Listener{l})
	for _, fd := range fds {
		defer unix.Close(fd)
	}
	if err != nil || len(fds) != 1 {
		t.Fatalf("%v, %v", fds, err)
	}
	flags, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFL, 0) // of the open file, which both share
	if err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("its flags are %#o, %v: the socket blocks", flags, err)
	}
	if own, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFD, 0); err != nil || own&unix.FD_CLOEXEC == 0 {
		t.Errorf("children inherit it: %#o, %v", own, err)
	}
}

// TestPlaceOfTheHandoverIsTakenBack: a next process that fails when it has put its own
// socket in the place of the running one's leaves no place at which nobody answers.
func TestPlaceOfTheHandoverIsTakenBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "handover.sock")
	o, err := offer(path)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		handOver(t.Logf, o, proxy.Listeners{}, 0, func() {})
	}()
	asks, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	its, err := offer(path)
	if err != nil {
		t.Fatal(err)
	}
	its.Close()
	asks.Close()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		next, err := net.Dial("unix", path)
		if err == nil {
			next.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	o.Close()
	<-over
}
