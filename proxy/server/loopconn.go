package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"bitgate/proxy/clients"
	"bitgate/proxy/conns"
	"bitgate/proxy/exchange"
	"bitgate/proxy/h1"
	"bitgate/proxy/h2"
	"bitgate/proxy/inflight"
	"bitgate/proxy/keys"
	"bitgate/proxy/loop"
	"bitgate/proxy/metrics"
	"bitgate/proxy/record"
	"bitgate/proxy/rules"
)

// loopConn is a client's connection on an event loop. Between two requests it is
// nothing but this and its TLS state: coroutine and buffers come with the first
// byte of a request and go with the last one of the answer.
type loopConn struct {
	host    *loopHost
	conn    *loop.Conn
	plain   bool     // without TLS, from a trusted proxy
	stream  net.Conn // what is spoken over: tls, or conn
	tls     *tls.Conn
	remote  netip.AddrPort // who was introduced
	shown   []h1.Field     // what the client's certificate says
	account clients.Account
	first   *inflight.Entry // in Server.fresh; nil once it has asked for something
	driver  *h1conn         // while an HTTP/1.1 request is under way
	h2      *h2session
	login   exchange.LoginOf
	run     func() // serve
}

// take serves a new connection.
func (h *loopHost) take(a loop.Accepted, account clients.Account, first *inflight.Entry, plain bool) {
	c := &loopConn{host: h, account: account, first: first, plain: plain}
	conn, err := h.Add(a)
	if err != nil {
		if !errors.Is(err, net.ErrClosed) { // the proxy ends
			h.p.Log.Event("https: %v", err)
		}
		c.closed()
		return
	}
	c.conn, c.run = conn, c.serve
	conn.Owner, conn.OnClose = c, c.closed
	h.Go(c.begin)
}

// closed is called once, whichever side closes the connection.
func (c *loopConn) closed() {
	c.tellFault()
	c.account.Done()
	c.login.Drop()
	c.asked()
}

// oneLine puts a stack on one, as events of the log are.
var oneLine = strings.NewReplacer("\n\t", " ", "\n", "; ")

// tellFault says so when a fault of our own has ended the connection.
func (c *loopConn) tellFault() {
	var why *h2.Error
	if c.h2 != nil && errors.As(c.h2.core.Err(), &why) && why.Fault != "" {
		c.host.p.Counters.Fault()
		c.host.p.Log.Event("https: a fault in bitgate itself has ended the HTTP/2 connection of %s, and no other. Please report it with this line: %s", c.remote, oneLine.Replace(why.Fault))
	}
}

// asked is called when the first request begins, or when none will come.
func (c *loopConn) asked() {
	if c.first != nil {
		c.host.p.fresh.Done(c.first)
		c.first = nil
	}
}

// drain ends the connection, at once if no request is under way.
func (c *loopConn) drain() {
	switch {
	case c.h2 != nil:
		c.h2.drain()
	case c.driver == nil || !c.driver.busy:
		c.conn.Close()
	}
}

// begin agrees on a protocol and has it spoken.
func (c *loopConn) begin() {
	p := c.host.p
	limit := c.host.Now().Add(p.Config.RequestTimeout)
	if peer := conns.RemoteOf(c.conn); c.plain && !p.Config.Trusted(peer.Addr()) {
		p.Counters.TurnedAway(metrics.PlainHTTP)
		p.Log.Event("plain: %s is no trusted proxy", peer)
		c.conn.Close()
		return
	}
	named, err := clients.Introduced(p.Config, c.conn.Batch())
	if err != nil {
		if !errors.Is(err, clients.ErrSilent) {
			p.Counters.TurnedAway(metrics.ProxyProtocol)
			p.Log.Event("https: %v", err)
		}
		c.conn.Close()
		return
	}
	if c.plain {
		c.stream, c.remote = named, conns.RemoteOf(named)
		c.speak(p.Config.RequestTimeout)
		return
	}
	heard := &overheard{Conn: named}
	c.tls, c.remote = tls.Server(heard, p.tls), conns.RemoteOf(named)
	c.stream = c.tls
	_ = c.conn.SetDeadline(limit) // fails on a closed connection only
	if err := c.tls.Handshake(); err != nil {
		c.turnAway(err, heard)
		c.conn.Close()
		return
	}
	_ = c.conn.SetDeadline(time.Time{})
	c.conn.QuickAck()
	state := c.tls.ConnectionState()
	if p.Config.ClientCA != "" {
		if c.shown = rules.Unidentified; len(state.PeerCertificates) > 0 {
			c.shown = rules.IdentityFields(state.PeerCertificates[0])
		}
	}
	switch state.NegotiatedProtocol {
	case "h2":
		c.speakH2()
		return
	case keys.ChallengeProtocol:
		c.validated()
		return
	}
	c.speak(p.Config.RequestTimeout)
}

// validated: an authority has seen a certificate of tls-alpn-01 and wants nothing else
// (RFC 8737, 3).
func (c *loopConn) validated() {
	now := c.host.Now()
	c.host.p.Log.Access(&record.Record{
		Client: c.remote, Frontend: "bitgate~", Backend: record.Challenge, End: record.Local, Status: http.StatusOK,
		Marks: record.Marks{First: now, Head: now, End: now}, Method: "TLS", Target: c.tls.ConnectionState().ServerName, Protocol: keys.ChallengeProtocol,
	})
	_ = c.tls.Close() // the authority may have closed already
	c.conn.Close()
}

// turnAway tells why a handshake failed, and who sent HTTP what to send instead. A
// port that was only looked at is nobody's concern (HAProxy: dontlognull).
func (c *loopConn) turnAway(err error, heard *overheard) {
	p := c.host.p
	var notTLS tls.RecordHeaderError
	switch {
	case errors.Is(err, io.EOF) && c.tls.ConnectionState().ServerName == "" || errors.Is(err, net.ErrClosed):
		return
	case errors.As(err, &notTLS) && looksLikeHTTP(notTLS.RecordHeader[:]):
		p.Counters.TurnedAway(metrics.PlainHTTP)
		p.Log.Event("https: %s speaks HTTP without TLS", c.remote)
		c.sayPlain("400 Bad Request", "This port speaks HTTPS. Use "+p.Config.URL.BaseURL()+"\n")
		return
	}
	p.Counters.TurnedAway(metrics.Handshake)
	reason := strings.TrimPrefix(err.Error(), "tls: ")
	why, said := heard.alert()
	switch {
	case said:
		reason = "remote error: " + why.Error()
	case conns.IsTimeout(err):
		reason = "it did not end in time"
	case errors.Is(err, io.EOF):
		reason = "the client closed the connection"
	}
	asked := ""
	if name := c.tls.ConnectionState().ServerName; name != "" {
		asked = ", which asked for " + name
	}
	p.Log.Event("https: TLS handshake with %s%s failed: %s", c.remote, asked, reason)
}

// looksLikeHTTP reports whether a record's header is the beginning of a request.
func looksLikeHTTP(b []byte) bool {
	for _, method := range []string{"GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET", "PATCH", "CONNE", "PRI *", "TRACE"} {
		if string(b) == method {
			return true
		}
	}
	return false
}

// sayPlain answers without TLS, and reads on for a while so that the answer is read.
func (c *loopConn) sayPlain(status, text string) {
	_ = c.conn.SetDeadline(c.host.Now().Add(lingerTime))
	_, err := fmt.Fprintf(c.conn, "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", status, len(text), text)
	if err != nil || c.conn.CloseWrite() != nil {
		return
	}
	in := c.host.buffers.Get()
	defer func() { c.host.buffers.Put(in) }()
	for n := 0; n < lingerBytes; {
		m, err := c.conn.Read(in)
		if err != nil {
			return
		}
		n += m
	}
}

// serve is called when there is something to read, and when there is nothing to
// be read any more.
func (c *loopConn) serve() {
	if c.conn.Silent() { // for too long
		_ = c.stream.Close()
		return
	}
	c.speak(c.host.p.Config.RequestTimeout)
}

// speak carries out exchanges until nothing more is there.
func (c *loopConn) speak(wait time.Duration) {
	if c.conn.Closed() {
		return
	}
	h := c.host
	var asked func()
	if c.first != nil {
		asked = c.asked
	}
	c.driver = h.driver()
	c.driver.attach(clientConn{Conn: c.stream, under: c.conn}, c.plain, c.remote, c.shown, &c.login, asked)
	more := c.driver.next(wait)
	for more && c.driver.pending() {
		more = c.driver.next(wait)
	}
	h.giveBack(c.driver)
	c.driver = nil
	if !more {
		_ = c.stream.Close()
		return
	}
	c.conn.WhenReadable(c.host.Now().Add(h.p.Config.KeepAliveTimeout), c.run)
}
