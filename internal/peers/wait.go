package peers

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait; it only decides how long a broken test takes to
// say so, never whether a working one passes.
const patience = 60 * time.Second

// WaitFor polls until ok returns true and fails the test, saying what was
// waited for, when that does not happen.
func WaitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	if !poll(patience, ok) {
		t.Fatalf("waited %v in vain for %s", patience, what)
	}
}

func poll(limit time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(limit); ; {
		if ok() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Accepts reports whether somebody accepts TCP connections on address.
func Accepts(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// FreeAddress returns a loopback "host:port" that nobody listens on. Use it
// only for programs that cannot be handed a listener or port 0.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(FreePort(t)))
}

// ports are those that this process has given out.
var ports sync.Map

// FreePort is the port of FreeAddress. It lies below the range that systems
// take ports for outgoing connections from (32768 and up on Linux), so that it
// stays free until the program listens, and while it restarts.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 12000 + rand.IntN(20000)
		if _, given := ports.LoadOrStore(port, true); given {
			continue // to another test, which may not listen yet
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port found in 12000-32000")
	return 0
}
