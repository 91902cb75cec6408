// Package rehearsal plans how a configuration of HAProxy is tried before it is
// used, and judges what came of it. It is pure; haproxy/live/stage runs it.
//
// The present and the candidate configuration each play on a stage: a network
// of their own in which every address is local, so that each bind works as it
// stands. NewStage rewrites a configuration for it. Every server line leads to a
// recorder, which says in its answer who was asked and with what; whatever would
// reach the machine (log targets, stats sockets, programs, Lua, agents) is taken
// out. No line is added or dropped, so that line numbers stay true.
//
// Bitbucket lists the requests that a browser, Git, JGit and Git LFS send;
// Others asks for every host, path, header and address that the files mention,
// and their neighbours. Both are asked of both configurations: Reached judges the
// first kind, Compare the second.
package rehearsal

import "strings"

// Request is one question to the front.
type Request struct {
	Name    string   `json:"name"` // for people: "git push"
	Kind    Kind     `json:"-"`
	Door    int      `json:"-"`                // index of the listener it is asked of, -1: none of the file's
	Address string   `json:"address"`          // of the listener, "192.0.2.1:443"
	Source  string   `json:"source,omitempty"` // the client's address
	TLS     bool     `json:"tls,omitempty"`
	SNI     string   `json:"sni,omitempty"`
	ALPN    []string `json:"alpn,omitempty"`
	PROXY   bool     `json:"proxy,omitempty"`  // the PROXY protocol goes first
	Common  bool     `json:"-"`                // its path is mentioned nowhere
	Banner  bool     `json:"banner,omitempty"` // nothing is sent: the server speaks first
	Method  string   `json:"method,omitempty"`
	Target  string   `json:"target,omitempty"`
	Host    string   `json:"host,omitempty"`
	Header  []Field  `json:"header,omitempty"`
	Body    int      `json:"body,omitempty"` // its length in bytes
	Said    int64    `json:"said,omitempty"` // the length that is announced, where no more than Body is sent of it
	Chunked bool     `json:"chunked,omitempty"`
	Burst   *Burst   `json:"burst,omitempty"` // nil: it is asked once
}

// Burst is how often one client asks at once, and over how many connections, each
// of which it keeps.
type Burst struct {
	Times       int `json:"times"`
	Connections int `json:"connections"`
}

// Kind says by what a request is judged.
type Kind int

// Kinds of requests.
const (
	ForOthers    Kind = iota // it is answered as before
	ForBitbucket             // it reaches Bitbucket
	OldAddress               // it is redirected to Bitbucket's new address
	SSH                      // Bitbucket's SSH server speaks
)

// Field is a header field.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Answer is what came back.
type Answer struct {
	Failed   string   `json:"failed,omitempty"` // "refused", "closed", "no answer": there is no status then
	Status   int      `json:"status,omitempty"`
	Header   []Field  `json:"header,omitempty"` // sorted
	Body     string   `json:"body,omitempty"`   // the beginning of what no recorder sent
	Cert     string   `json:"cert,omitempty"`   // SHA-256 of the certificate
	Names    []string `json:"names,omitempty"`  // that the certificate is for
	Covers   bool     `json:"covers,omitempty"` // it is for the name that was asked for
	Protocol string   `json:"protocol,omitempty"`
	Arrived  *Arrival `json:"arrived,omitempty"`
}

// NoAnswer is how an answer failed that did not come in time.
const NoAnswer = "no answer"

// Late reports whether a did not come in time.
func (a Answer) Late() bool { return strings.HasSuffix(a.Failed, NoAnswer) }

// Arrival is what a recorder got, and answered.
type Arrival struct {
	Server int     `json:"server"` // index in Stage.Servers
	Method string  `json:"method,omitempty"`
	Target string  `json:"target,omitempty"`
	Host   string  `json:"host,omitempty"`
	Header []Field `json:"header,omitempty"` // sorted
	Length int64   `json:"length,omitempty"`
	Sum    string  `json:"sum,omitempty"`  // SHA-256 of the body
	Status int     `json:"status"`         // of its answer
	Sent   []Field `json:"sent,omitempty"` // fields of its answer
}
