// Package rules is what the proxy decides about one request and its answer, as
// functions without input or output: who asks, whether the request is answered,
// redirected or forwarded, which fields travel, what the proxy says in its own
// name and what is told about a failure. The driver moves the bytes and asks
// here. Pure.
package rules

import (
	"bytes"
	"net/netip"
	"strings"
	"time"

	"bitgate/proxy/h1"
)

// Request is what a client asked for, whichever HTTP version it spoke. Its
// slices are views that live as long as the exchange.
type Request struct {
	Method    []byte
	Target    []byte // origin-form, in the client's bytes
	Path      string
	Host      string // as the client wrote it, "" in HTTP/1.0
	Authority string // of a target in absolute-form
	Proto     string // for the log
	Server    string // whom an HTTP/2 connection was made for (SNI); "" in HTTP/1.1, where each name has connections of its own
	Fields    []h1.Field
	Kind      h1.Kind        // of the body
	Length    int64          // with h1.Length
	Explicit  bool           // the client said how long an empty body is
	Expect    bool           // it waits for 100 (Continue)
	WebSocket bool           // it asks for a tunnel
	Plain     bool           // a trusted proxy has taken TLS off, if there was any
	Remote    netip.AddrPort // of the connection; an IPv4 address as such
	Client    netip.Addr
	Identity  []h1.Field // what the client's certificate says, see IdentityFields
	Agent     string
	Accept    string
	Started   time.Time
}

// FromHead describes an HTTP/1.1 head that was read from remote; started is
// when its first byte came.
func FromHead(h *h1.Request, remote netip.AddrPort, started time.Time) Request {
	r := Request{
		Method: h.Method, Target: h.Target, Host: string(h.Host), Authority: string(h.Authority), Fields: h.Fields,
		Kind: h.Kind, Length: h.Length, Explicit: h.Kind == h1.None && h.HasLength(), Expect: h.Expect, Proto: "HTTP/1.1", Remote: remote, Started: started,
	}
	if h.Minor == 0 {
		r.Proto = "HTTP/1.0"
	}
	r.WebSocket = h1.Lists(h.Upgrade, "websocket") && string(h.Method) == "GET" && h.Kind == h1.None
	r.Split()
	return r
}

// Split copies what is needed after the head is gone from the buffer.
func (r *Request) Split() {
	path, _, _ := bytes.Cut(r.Target, []byte("?"))
	r.Path = string(path)
	for _, f := range r.Fields {
		switch {
		case h1.Is(f.Name, "user-agent"):
			r.Agent = string(f.Value)
		case h1.Is(f.Name, "accept"):
			r.Accept = string(f.Value)
		}
	}
}

// Query is the part from "?" on, "" without one.
func (r *Request) Query() string {
	if i := bytes.IndexByte(r.Target, '?'); i >= 0 {
		return string(r.Target[i:])
	}
	return ""
}

// Repeatable reports whether the request can be sent again without harm when
// the server closed a kept connection just then (RFC 9110, 9.2.1 and 9.2.2).
func (r *Request) Repeatable() bool {
	switch string(r.Method) {
	case "GET", "HEAD", "OPTIONS":
		return r.Kind == h1.None && !r.WebSocket
	}
	return false
}

// Verb is the method; those that are asked every day cost no memory.
func (r *Request) Verb() string {
	switch string(r.Method) {
	case "GET":
		return "GET"
	case "POST":
		return "POST"
	case "HEAD":
		return "HEAD"
	}
	return string(r.Method)
}

// IsHEAD reports whether the answer has no body whatever its head says.
func (r *Request) IsHEAD() bool { return string(r.Method) == "HEAD" }

// ForGit recognises git's smart HTTP protocol.
func (r *Request) ForGit() bool {
	return strings.HasPrefix(r.Agent, "git/") || strings.HasPrefix(r.Agent, "JGit/") || strings.HasSuffix(r.Path, "/info/refs") ||
		strings.HasSuffix(r.Path, "/git-upload-pack") || strings.HasSuffix(r.Path, "/git-receive-pack")
}
