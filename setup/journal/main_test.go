package journal

import (
	"testing"

	"bitgate/internal/peers"
)

func TestMain(m *testing.M) { peers.Suite{Jobs: map[string]func(string){"takeback": takeBack}}.Main(m) }
