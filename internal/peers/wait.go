package peers

import (
	"net"
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
	if !Within(patience, ok) {
		t.Fatalf("waited %v in vain for %s", patience, what)
	}
}

// Within polls until ok returns true, or the time is over.
func Within(limit time.Duration, ok func() bool) bool {
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
