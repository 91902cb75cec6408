package main

import (
	"bytes"
	"os"
	"syscall"
	"testing"
)

// TestSecondSignal: it ends what only looks, at once; a run ends whole.
func TestSecondSignal(t *testing.T) {
	for _, changing := range []bool{false, true} {
		signals := make(chan os.Signal, 2)
		abandoned := -1
		var screen bytes.Buffer
		p := process{Signals: signals, Abandon: func(code int) { abandoned = code }, Out: &screen, Err: &screen, In: &screen}
		p.start()
		p.changing.Store(changing)
		signals <- syscall.SIGINT
		signals <- syscall.SIGINT
		close(signals)
		stopped := 0
		cancelOnSignal(p, func() { stopped++ })
		if stopped == 0 || changing != (abandoned < 0) || !changing && abandoned != 130 {
			t.Errorf("changing %v: stopped %d times, abandoned with %d", changing, stopped, abandoned)
		}
	}
}
