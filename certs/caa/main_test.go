package caa_test

import (
	"testing"

	"bitgate/internal/peers"
)

func TestMain(m *testing.M) { peers.Suite{}.Main(m) }
