package limit

import (
	"net/netip"
	"testing"
	"time"
)

var (
	start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	one   = netip.MustParseAddr("192.0.2.1")
	two   = netip.MustParseAddr("192.0.2.2")
)

func TestConnections(t *testing.T) {
	l := New(Options{Connections: 2})
	connect := func(addr netip.Addr, want bool) {
		t.Helper()
		if l.Connect(addr, start) != want {
			t.Errorf("%s: %v", addr, !want)
		}
	}
	connect(one, true)
	connect(one, true)
	connect(one, false)
	connect(netip.MustParseAddr("::ffff:192.0.2.1"), false) // the same client
	connect(two, true)
	l.Disconnect(one)
	connect(one, true)
	connect(one, false)
}

func TestOneNetworkOfIPv6IsOneClient(t *testing.T) {
	l := New(Options{Connections: 1})
	for addr, want := range map[string]bool{"2001:db8::1": true, "2001:db8:0:1::1": true} {
		if l.Connect(netip.MustParseAddr(addr), start) != want {
			t.Error(addr)
		}
	}
	for _, addr := range []string{"2001:db8::2", "2001:db8::ffff:1%eth0"} {
		if l.Connect(netip.MustParseAddr(addr), start) {
			t.Error(addr, "counts for itself")
		}
	}
}

func TestRate(t *testing.T) {
	l := New(Options{Rate: 2, Burst: 3})
	for i, tt := range []struct {
		after time.Duration
		ok    bool
		wait  time.Duration
	}{
		{0, true, 0},
		{0, true, 0},
		{0, true, 0},
		{0, false, 500 * time.Millisecond},
		{400 * time.Millisecond, false, 100 * time.Millisecond},
		{500 * time.Millisecond, true, 0},
		{500 * time.Millisecond, false, 500 * time.Millisecond},
		{400 * time.Millisecond, false, 500 * time.Millisecond}, // the clock went back
		{time.Hour, true, 0},
		{time.Hour, true, 0},
		{time.Hour, true, 0},
		{time.Hour, false, 500 * time.Millisecond},
	} {
		ok, wait := l.Request(one, start.Add(tt.after))
		if ok != tt.ok || wait != tt.wait {
			t.Errorf("%d: %v %v, want %v %v", i, ok, wait, tt.ok, tt.wait)
		}
	}
	if ok, _ := l.Request(two, start); !ok {
		t.Error("one client's use counts for another")
	}
}

func TestNoLimit(t *testing.T) {
	l := New(Options{})
	for range 1000 {
		if ok, _ := l.Request(one, start); !ok || !l.Connect(one, start) {
			t.Fatal("limited")
		}
	}
	if l.Clients() != 0 {
		t.Error("clients are remembered for nothing")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	l := New(Options{Connections: 5, Rate: 1, Burst: 1})
	l.max = 100
	l.Connect(one, start)
	addr := netip.MustParseAddr("10.0.0.0")
	for i := range 10_000 {
		addr = addr.Next()
		if ok, _ := l.Request(addr, start.Add(time.Duration(i)*time.Millisecond)); !ok {
			t.Fatalf("client %d refused", i)
		}
		if n := l.Clients(); n > 100 || l.recent.Len() != n {
			t.Fatalf("%d clients remembered, %d in the list", n, l.recent.Len())
		}
	}
	if c := l.clients[Key(one)]; c == nil || c.conns != 1 {
		t.Error("a client with an open connection was forgotten")
	}
}

func TestFullOfOpenConnectionsRefusesStrangers(t *testing.T) {
	l := New(Options{Connections: 1, Rate: 1})
	l.max = 10
	addr := netip.MustParseAddr("10.0.0.0")
	for range 10 {
		addr = addr.Next()
		l.Connect(addr, start)
	}
	if l.Connect(one, start) {
		t.Error("let in")
	}
	if ok, _ := l.Request(one, start); ok {
		t.Error("answered")
	}
	l.Disconnect(addr)
	l.Connect(one, start) // looks at a few of the remembered only
	if !l.Connect(one, start) && l.clients[Key(one)] == nil {
		t.Error("refused though there is room")
	}
}
