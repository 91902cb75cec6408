// Package record is one line of the access log: HAProxy's "option httplog"
// field by field, or the same as JSON. It has no place for what must not be
// logged (Authorization, Cookie, the query's values), and whatever a peer sent is
// escaped, so that no peer can forge a line or a field. Pure.
package record

import (
	"cmp"
	"net/netip"
	"strings"
	"time"
)

// Record of one exchange. Names in parentheses are HAProxy's log variables
// (configuration manual, 8.2.4 "Custom log format").
type Record struct {
	Client   netip.AddrPort // (ci:cp)
	Frontend string         // (f) ours, trusted
	Backend  string         // (b)
	Server   string         // (s), "" where none was chosen: <NOSRV>

	Marks     Marks
	Status    int   // (ST) sent to the client, 0 for none: -1 in the log
	BytesSent int64 // (B) to the client, head included
	BytesRead int64 // (U) from the client; JSON only

	End    Cause        // who ended it
	Cookie CookieState  // what the client's stickiness cookie was
	Insert CookieInsert // what was done about it

	// Requests or connections at the end of this one, itself included.
	ActiveConns   int // (ac) client connections of the process
	FrontendConns int // (fc) of the listener
	BackendConns  int // (bc) requests at all servers
	ServerConns   int // (sc) requests at its server
	Retries       int // (rc)
	Redispatched  bool
	ServerQueue   int // (sq) requests that stood before it
	BackendQueue  int // (bq)

	Method, Target, Protocol string // (r) as the client sent them
	Host                     string // it asked for; told with Reason only
	Own                      bool   // the answer is this proxy's
	Reason                   string // why this proxy refused or gave up, "" where it did not
	Agent                    string // captured header User-Agent (hr)
}

// Challenge is the Backend of what an authority asked to see whose name it is
// (http-01, tls-alpn-01).
const Challenge = "acme"

// Marks are the moments of an exchange; the zero time is "not reached".
type Marks struct {
	First     time.Time // the request's first byte (or the connection, for one that sent none)
	Head      time.Time // its head was complete
	Dequeued  time.Time // it was its turn
	Connected time.Time // the connection to the server stood
	Answered  time.Time // the server's head was complete
	Finished  time.Time // the server's answer was complete
	End       time.Time // the last byte went to the client, or all was over
}

// Timers in milliseconds, -1 for what was not reached (manual, 8.4).
type Timers struct {
	Request  int64 // TR: the head, from its first byte
	Queue    int64 // Tw: in queues
	Connect  int64 // Tc: connection to the server, retries included
	Response int64 // Tr: until the server's head
	Active   int64 // Ta: all of it
}

// Timers between the marks.
func (m Marks) Timers() Timers {
	return Timers{
		Request:  between(m.First, m.Head),
		Queue:    between(m.Head, m.Dequeued),
		Connect:  between(m.Dequeued, m.Connected),
		Response: between(m.Connected, m.Answered),
		Active:   max(between(m.First, m.End), 0),
	}
}

func between(from, to time.Time) int64 {
	if from.IsZero() || to.IsZero() {
		return -1
	}
	return max(to.Sub(from).Milliseconds(), 0)
}

// Cause is the first letter of the termination state: who ended the exchange
// early (manual, 8.5).
type Cause byte

const (
	Normal        Cause = '-'
	Client        Cause = 'C' // the client went away
	ClientTimeout Cause = 'c' // it did not go on in time
	Server        Cause = 'S' // the server refused or broke off
	ServerTimeout Cause = 's' // it did not go on in time; also the queue's limit
	Refused       Cause = 'P' // this proxy refused the request, or the server's answer (PH, PD)
	Resource      Cause = 'R' // a limit of this proxy
	Local         Cause = 'L' // this proxy answered by itself: a redirect
	Killed        Cause = 'K' // cut when the proxy stopped
)

// CookieState is the third letter.
type CookieState byte

const (
	CookieUnused  CookieState = '-' // no stickiness
	CookieNone    CookieState = 'N' // the client sent none
	CookieInvalid CookieState = 'I' // it names no server
	CookieDown    CookieState = 'D' // its server is down
	CookieValid   CookieState = 'V'
)

// CookieInsert is the fourth letter.
type CookieInsert byte

const (
	InsertUnused CookieInsert = '-' // no stickiness
	InsertNone   CookieInsert = 'N' // nothing was inserted
	Inserted     CookieInsert = 'I'
)

// Termination is HAProxy's four letters (tsc): who, in which phase, and the
// cookie's two.
func (r *Record) Termination() string {
	or := func(b byte) byte { return cmp.Or(b, '-') }
	return string([]byte{or(byte(r.End)), r.phase(), or(byte(r.Cookie)), or(byte(r.Insert))})
}

// phase is the second letter: R request, Q queue, C connect, H the server's
// head, D data, L the last data after the server was done.
func (r *Record) phase() byte {
	switch m := r.Marks; {
	case r.End == Normal || r.End == 0:
		return '-'
	case m.Head.IsZero() || r.End == Local || r.End == Refused && m.Connected.IsZero():
		return 'R'
	case m.Dequeued.IsZero():
		if r.End == Server { // HAProxy's SC: no server to connect to
			return 'C'
		}
		return 'Q'
	case m.Connected.IsZero():
		return 'C'
	case m.Answered.IsZero():
		return 'H'
	case m.Finished.IsZero():
		return 'D'
	}
	return 'L'
}

// target is the request target without what may be a secret: the query, of
// which only git's own is kept, for it tells a clone from a push; user and
// password of an absolute form; a fragment.
func (r *Record) target() string {
	t, _, _ := strings.Cut(r.Target, "#")
	path, query, has := strings.Cut(t, "?")
	if scheme, rest, ok := strings.Cut(path, "://"); ok && !strings.HasPrefix(path, "/") {
		authority, tail, slash := strings.Cut(rest, "/")
		authority = authority[strings.LastIndexByte(authority, '@')+1:]
		path = scheme + "://" + authority
		if slash {
			path += "/" + tail
		}
	}
	switch {
	case query == "service=git-upload-pack" || query == "service=git-receive-pack":
		return path + "?" + query
	case has:
		return path + "?..."
	}
	return path
}
