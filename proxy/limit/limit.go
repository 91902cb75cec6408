// Package limit bounds what one client may have: connections at a time and
// requests per second (a token bucket). It is HAProxy's stick table with conn_cur
// and http_req_rate, in bounded memory, as a state machine that is given the
// time. Pure; not for use from two goroutines at once.
package limit

import (
	"cmp"
	"container/list"
	"net/netip"
	"time"
)

// maxClients is how many clients are remembered, about 200 bytes each.
const maxClients = 100_000

// Options of a Limiter; what is 0 is not limited.
type Options struct {
	Connections int     // of one client at a time (HAProxy: conn_cur)
	Rate        float64 // requests per second and client (http_req_rate)
	Burst       int     // requests at once before Rate holds; 0 is one second's
}

// Limiter of all clients.
type Limiter struct {
	o       Options
	max     int
	clients map[netip.Prefix]*client
	recent  list.List // of *client, the one seen last in front
}

type client struct {
	key     netip.Prefix
	conns   int
	tokens  float64
	filled  time.Time // when tokens was right
	element *list.Element
}

// New makes a Limiter.
func New(o Options) *Limiter {
	o.Burst = cmp.Or(o.Burst, max(1, int(o.Rate)))
	return &Limiter{o: o, max: maxClients, clients: map[netip.Prefix]*client{}}
}

// Connect counts a new connection; false when the client has too many. Only
// after true the caller calls Disconnect once.
func (l *Limiter) Connect(addr netip.Addr, now time.Time) bool {
	if l.o.Connections == 0 {
		return true
	}
	c := l.client(addr, now)
	if c == nil || c.conns >= l.o.Connections {
		return false
	}
	c.conns++
	return true
}

// Disconnect ends a connection that Connect let in.
func (l *Limiter) Disconnect(addr netip.Addr) {
	if c := l.clients[Key(addr)]; c != nil && c.conns > 0 {
		c.conns--
	}
}

// Request takes one token; where there is none it returns how long to wait for
// the next (429, Retry-After).
func (l *Limiter) Request(addr netip.Addr, now time.Time) (ok bool, wait time.Duration) {
	if l.o.Rate == 0 {
		return true, 0
	}
	c := l.client(addr, now)
	if c == nil {
		return false, time.Second
	}
	if c.tokens < 1 {
		wait = time.Duration((1 - c.tokens) / l.o.Rate * float64(time.Second))
		return false, wait.Round(time.Millisecond)
	}
	c.tokens--
	return true, 0
}

// Clients is how many are remembered.
func (l *Limiter) Clients() int { return len(l.clients) }

// client returns the account of addr, its bucket filled until now. Where there
// is no room it forgets who was seen longest ago and has no connection; nil when
// there is nobody to forget.
func (l *Limiter) client(addr netip.Addr, now time.Time) *client {
	k := Key(addr)
	c := l.clients[k]
	if c == nil {
		if len(l.clients) >= l.max && !l.forget() {
			return nil
		}
		c = &client{key: k, tokens: float64(l.o.Burst), filled: now}
		c.element = l.recent.PushFront(c)
		l.clients[k] = c
		return c
	}
	l.recent.MoveToFront(c.element)
	if passed := now.Sub(c.filled); passed > 0 {
		c.tokens = min(float64(l.o.Burst), c.tokens+passed.Seconds()*l.o.Rate)
		c.filled = now
	}
	return c
}

// forget looks at a few of the oldest only, so that a crowd of idle connections
// cannot make it slow; those it passes by go to the front.
func (l *Limiter) forget() bool {
	for range 8 {
		c := l.recent.Back().Value.(*client)
		if c.conns == 0 {
			l.recent.Remove(c.element)
			delete(l.clients, c.key)
			return true
		}
		l.recent.MoveToFront(c.element)
	}
	return false
}

// Key is what counts as one client: an IPv4 address, or the /64 that an IPv6
// customer gets at least (RFC 6177) and can fill with addresses at will.
func Key(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	p, _ := addr.Prefix(bits) // fails for the zero Addr only, which is a key as well
	return p
}
