package server

import (
	"crypto/tls"
	"io"
	"testing"
	"time"

	"bitgate/proxy/accesslog"
	"bitgate/proxy/config"
	"bitgate/proxy/exchange"
)

// The service manager's watchdog goes by Turn: one loop that hangs is enough.
func TestTurnNeedsEachLoop(t *testing.T) {
	s, err := New(exchange.NewCommon(config.Config{}.WithDefaults(), nil, accesslog.New(io.Discard, ""), 100), &tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Wait()
	defer s.Cut()
	s.Turn()
	hangs, release, had := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s.all[len(s.all)-1].Post(func() { close(hangs); <-release })
	<-hangs
	go func() { s.Turn(); close(had) }()
	select {
	case <-had:
		t.Error("a loop hangs, and nobody knows")
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	<-had
	s.Cut()
	s.Wait()
	s.Turn() // and once all have ended
}
