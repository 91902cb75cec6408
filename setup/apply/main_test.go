package apply_test

import (
	"testing"

	"bitgate/internal/peers"
)

// A run mostly waits: for Bitbucket, for HAProxy, for the disk. So more of them
// than processors are at work.
func TestMain(m *testing.M) { peers.Suite{Parallel: 8}.Main(m) }
