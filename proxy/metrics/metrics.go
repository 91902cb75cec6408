// Package metrics counts what the proxy did and writes it in Prometheus's text
// format (https://prometheus.io/docs/instrumenting/exposition_formats/, version
// 0.0.4) and as a small page for people. Metrics are named bitgate_..., counted
// like those of HAProxy's exporter. Pure: it writes to whatever it is given.
//
// The text is written by hand: client_golang makes the program 3.2 MB larger and
// its start 0.7 ms longer; VictoriaMetrics/metrics costs next to nothing, but writes
// no help texts and leaves labels to its caller, which is most of what is here.
package metrics

import (
	"fmt"
	"sync/atomic"
	"time"

	"bitgate/proxy/record"
)

// bounds of the histograms, in milliseconds: from a cached page to a clone.
var bounds = [...]int64{5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 900_000}

// Counters of everything since the start. Observe and Connection may be called
// from any goroutine.
type Counters struct {
	answers       [6]atomic.Uint64 // by the status's first digit; 0 is none
	early         [256]atomic.Uint64
	bytesSent     atomic.Uint64
	bytesReceived atomic.Uint64
	retries       atomic.Uint64
	redispatches  atomic.Uint64
	connections   atomic.Uint64
	limited       atomic.Uint64
	faults        atomic.Uint64
	own           [600]atomic.Uint64 // answers in the proxy's name, by status
	turnedAway    [len(away)]atomic.Uint64
	total, queue  histogram
}

type histogram struct {
	buckets [len(bounds) + 1]atomic.Uint64
	sum     atomic.Uint64 // milliseconds
}

func (h *histogram) observe(ms int64) {
	i := 0
	for i < len(bounds) && ms > bounds[i] {
		i++
	}
	h.buckets[i].Add(1)
	h.sum.Add(uint64(max(ms, 0)))
}

// Observe counts one finished exchange.
func (c *Counters) Observe(r *record.Record) {
	class := r.Status / 100
	if class < 0 || class > 5 {
		class = 0
	}
	c.answers[class].Add(1)
	if r.Own && r.Status > 0 && r.Status < len(c.own) {
		c.own[r.Status].Add(1)
	}
	if r.End != 0 && r.End != record.Normal {
		c.early[r.End].Add(1)
	}
	c.bytesSent.Add(uint64(max(r.BytesSent, 0)))
	c.bytesReceived.Add(uint64(max(r.BytesRead, 0)))
	c.retries.Add(uint64(max(r.Retries, 0)))
	if r.Redispatched {
		c.redispatches.Add(1)
	}
	t := r.Marks.Timers()
	c.total.observe(t.Active)
	if t.Queue >= 0 {
		c.queue.observe(t.Queue)
	}
}

// Connection counts a client's connection; limited is one that was refused
// because its client has too many.
func (c *Counters) Connection(limited bool) {
	c.connections.Add(1)
	if limited {
		c.TurnedAway(Crowd)
		c.limited.Add(1)
	}
}

// Away is why a connection ended before it had a request.
type Away int

// Reasons.
const (
	Handshake     Away = iota // the TLS handshake failed
	PlainHTTP                 // HTTP without TLS
	ProxyProtocol             // a trusted proxy did not begin with its header
	Crowd                     // its client has too many
)

// away are the labels of Away.
var away = [...]string{"tls_handshake", "plain_http", "proxy_protocol", "limit_connections"}

// TurnedAway counts one.
func (c *Counters) TurnedAway(why Away) { c.turnedAway[why].Add(1) }

// Limited counts a request that its client's rate limit refused.
func (c *Counters) Limited() { c.limited.Add(1) }

// Fault counts a connection that was ended by a fault in bitgate itself.
func (c *Counters) Fault() { c.faults.Add(1) }

// State is what is true at this moment.
type State struct {
	Version     string
	URL         string
	Uptime      float64 // seconds
	Draining    bool
	Connections int // of clients
	Open        int // requests, tunnels and SSH connections
	SSH         int // of these, SSH connections
	Queued      int // waiting for any server
	MaxConn     int // of each server
	Servers     []Server
	Certs       []Certificate
	Renewal     *Renewal // nil where nobody has looked yet
	Oldest      []Open   // of what is open
}

// Open is a request, tunnel or SSH connection that is under way.
type Open struct {
	Client         string // its address
	What           string // method and path, without the query
	Age            time.Duration
	Sent, Received int64 // bytes to and from the client
}

// String is o in one line.
func (o Open) String() string {
	return fmt.Sprintf("%s %s, for %s, sent=%d received=%d", o.Client, o.What, o.Age.Round(time.Second), o.Sent, o.Received)
}

// Server of the pool.
type Server struct {
	Name   string
	Up     bool
	Active int
	Queued int // waiting for this one
}

// Certificate that is served.
type Certificate struct {
	Names   string
	Key     string // "ECDSA P-256"
	Expires int64  // Unix seconds
}

// Renewal is how a certificate's renewals go.
type Renewal struct {
	Host     string
	Failures int   // attempts since the last success
	LastGood int64 // Unix seconds, 0 for never
}

// End is when a certificate ends that is in a file ("file") or shown at an address.
type End struct {
	Source string
	At     int64 // Unix seconds
}
