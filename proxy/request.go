package proxy

import (
	"bytes"
	"net/netip"
	"strings"
	"time"

	"bitgate/proxy/h1"
)

// request is what a client asked for, whichever HTTP version it spoke. Its
// slices are views that live as long as the exchange.
type request struct {
	method    []byte
	target    []byte // origin-form, in the client's bytes
	path      string
	host      string // as the client wrote it, "" in HTTP/1.0
	authority string // of a target in absolute-form
	proto     string // for the log
	fields    []h1.Field
	kind      h1.Kind // of the body
	length    int64   // with h1.Length
	explicit  bool    // the client said how long an empty body is
	expect    bool    // it waits for 100 (Continue)
	websocket bool    // it asks for a tunnel
	remote    string  // its address with port
	client    netip.Addr
	agent     string
	accept    string
	started   time.Time
}

// split copies what is needed after the head is gone from the buffer.
func (r *request) split() {
	path, _, _ := bytes.Cut(r.target, []byte("?"))
	r.path = string(path)
	for _, f := range r.fields {
		switch {
		case h1.Is(f.Name, "user-agent"):
			r.agent = string(f.Value)
		case h1.Is(f.Name, "accept"):
			r.accept = string(f.Value)
		}
	}
}

// query is the part behind "?", and whether there is one.
func (r *request) query() (string, bool) {
	_, query, ok := bytes.Cut(r.target, []byte("?"))
	return string(query), ok
}

func (r *request) querySuffix() string {
	if q, ok := r.query(); ok {
		return "?" + q
	}
	return ""
}

// safe reports whether the request can be sent again without harm when the
// server closed a kept connection just then (RFC 9110, 9.2.1 and 9.2.2).
func (r *request) safe() bool {
	switch string(r.method) {
	case "GET", "HEAD", "OPTIONS":
		return r.kind == h1.None && !r.websocket
	}
	return false
}

func (r *request) isHEAD() bool { return string(r.method) == "HEAD" }

// forGit recognises git's smart HTTP protocol.
func (r *request) forGit() bool {
	return strings.HasPrefix(r.agent, "git/") || strings.HasPrefix(r.agent, "JGit/") || strings.HasSuffix(r.path, "/info/refs") ||
		strings.HasSuffix(r.path, "/git-upload-pack") || strings.HasSuffix(r.path, "/git-receive-pack")
}
