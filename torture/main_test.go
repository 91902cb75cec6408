package torture

import (
	"os"
	"testing"

	"bitgate/internal/peers"
)

// program is the binary under test, built once.
var program string

// long says whether the long forms were asked for.
var long = os.Getenv("BITGATE_TORTURE") == "1"

// A run mostly waits for Bitbucket, so more of them than processors are at work.
func TestMain(m *testing.M) { peers.Suite{Parallel: 8, Around: peers.Around(&program)}.Main(m) }

// needRoot skips where the test would prove nothing: bitgate runs as root, and
// tracing, mounting and foreign owners need it. Nothing skips as root.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: needs root, as bitgate does on a server")
	}
	peers.Need(t, "git", "curl", "strace")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
