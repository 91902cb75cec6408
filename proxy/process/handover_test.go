package process

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/proxy"
	"bitgate/proxy/config"

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

// handing offers the sockets of a process that serves, and ends that with the test. What
// is logged goes to logged.
func handing(t *testing.T, logged chan<- string) (c config.Config, retired func() bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c = config.Config{Listen: []string{l.Addr().String()}, Handover: filepath.Join(t.TempDir(), "handover.sock")}
	o, err := offer(c.Handover)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	t.Cleanup(func() {
		o.Close()
		<-over
		l.Close()
	})
	var stops atomic.Bool
	go func() {
		defer close(over)
		handOver(func(format string, _ ...any) { logged <- format }, o, proxy.Listeners{HTTPS: []net.Listener{l}}, time.Second, func() { stops.Store(true) })
	}()
	return c, stops.Load
}

// asks is the next process.
func asks(t *testing.T, c config.Config) *predecessor {
	t.Helper()
	p, err := takeOver(c)
	if err != nil || p == nil || len(p.sockets) != 1 || p.watchdog != time.Second {
		t.Fatalf("%+v, %v", p, err)
	}
	t.Cleanup(func() {
		p.conn.Close()
		p.sockets.close()
	})
	return p
}

// TestProcessThatIsTooSlowEnds: the one before serves on once it has waited for long
// enough. A next process that comes later ends, and the service manager is not told that
// it is the main one: two would serve for ever.
func TestProcessThatIsTooSlowEnds(t *testing.T) {
	usual := handoverTime
	t.Cleanup(func() { handoverTime = usual }) // after handing's
	handoverTime = 2 * time.Second
	logged := make(chan string, 10)
	c, retired := handing(t, logged)
	slow := asks(t, c)
	select {
	case said := <-logged:
		if !strings.Contains(said, "did not start") {
			t.Fatal(said)
		}
	case <-time.After(time.Minute):
		t.Fatal("it waits on")
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	replace := os.NewFile(uintptr(pair[0]), "replace")
	told := make(chan string, 1)
	go func() { // Replace tells the service manager at the first word
		word := make([]byte, len(handoverGo))
		n, _ := replace.Read(word)
		replace.Close()
		told <- string(word[:n])
	}()
	err = serve(t.Context(), config.Config{}, nil, proxy.Listeners{}, slow, nil, nil, nil, Surroundings{ReplaceFD: pair[1]})
	if err == nil || !strings.Contains(err.Error(), "waits for this one no longer") {
		t.Errorf("it serves: %v", err)
	}
	unix.Close(pair[1]) // as its end does
	if word := <-told; word != "" || retired() {
		t.Errorf("it has said %q to who tells the service manager; the one before stops: %v", word, retired())
	}
}

// One that comes in time is waited for anew, each time that it asks.
func TestProcessThatAsksIsWaitedFor(t *testing.T) {
	c, retired := handing(t, make(chan string, 10))
	p := asks(t, c)
	for range 3 {
		if err := p.stillWaits(); err != nil || retired() {
			t.Fatalf("%v, it stops: %v", err, retired())
		}
	}
	if err := p.retire(); err != nil || !retired() {
		t.Errorf("%v, it stops: %v", err, retired())
	}
}

// TestPredecessorThatCannotBeAsked is one of before it could be: it takes any word for
// the one to stop.
func TestPredecessorThatCannotBeAsked(t *testing.T) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "handover.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	heard := make(chan string)
	go func() {
		conn, err := l.AcceptUnix()
		if err != nil {
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		fds, _ := copies([]net.Listener{socket})
		_, _, _ = conn.WriteMsgUnix([]byte(handoverHello+watchdogLine(time.Second)), unix.UnixRights(fds...), nil)
		for _, fd := range fds {
			unix.Close(fd)
		}
		word := make([]byte, len(handoverGo))
		_, _ = io.ReadFull(conn, word)
		_, _ = io.WriteString(conn, handoverGo)
		heard <- string(word)
	}()
	p := asks(t, config.Config{Listen: []string{socket.Addr().String()}, Handover: l.Addr().String()})
	if err := p.stillWaits(); err != nil {
		t.Error(err)
	}
	if err := p.retire(); err != nil {
		t.Error(err)
	}
	if word := <-heard; word != handoverGo {
		t.Errorf("it heard %q", word)
	}
}
