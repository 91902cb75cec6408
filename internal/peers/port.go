package peers

import (
	"net"
	"strconv"
	"testing"

	"bitgate/internal/freeport"
)

// FreeAddress returns a loopback "host:port" that nobody listens on. Use it
// only for programs that cannot be handed a listener or port 0.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(FreePort(t)))
}

// FreePort is the port of FreeAddress, held until the test ends.
func FreePort(t testing.TB) int {
	t.Helper()
	port, release, err := freeport.Hold()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return port
}
