package server

import (
	"bytes"
	"crypto/tls"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"bitgate/proxy/accesslog"
	"bitgate/proxy/config"
	"bitgate/proxy/exchange"
	"bitgate/proxy/h2"
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

// A fault of our own that ended a connection is told with all that helps to find it.
func TestFaultIsTold(t *testing.T) {
	var log bytes.Buffer
	common := exchange.NewCommon(config.Config{}.WithDefaults(), nil, accesslog.New(&log, ""), 100_000)
	c := &loopConn{host: &loopHost{p: &Server{Common: common}}, h2: &h2session{core: &h2.Conn{}}}
	c.tellFault()
	err := c.h2.core.Receive([]byte(http2.ClientPreface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"+"\x00\x00\x00\x01\x05\x00\x00\x00\x01"), time.Now()) // a Conn that nobody made has no decoder
	if err == nil || log.Len() > 0 {
		t.Fatalf("%v, %s", err, &log)
	}
	c.tellFault()
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "a fault in bitgate itself") || !strings.Contains(text, "nil pointer dereference; ") || !strings.Contains(text, "h2.(*Conn).headers(") {
		t.Errorf("the log: %s", text)
	}
}
