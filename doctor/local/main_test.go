package local

import (
	"testing"

	"bitgate/internal/peers"
)

func TestMain(m *testing.M) { peers.Suite{}.Main(m) }
