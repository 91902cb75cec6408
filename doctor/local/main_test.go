package local

import (
	"testing"

	"bitgate/internal/peers"
)

func TestMain(m *testing.M) { peers.Suite{Jobs: map[string]func(string){"look": lookSquashed}}.Main(m) }
