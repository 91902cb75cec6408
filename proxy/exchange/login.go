package exchange

import (
	"time"
)

// loginKeep is how long a connection that carries a login is kept for its client.
const loginKeep = 30 * time.Second

// LoginOf is where a client's connection keeps the connection to a server that
// carries its login. NTLM, and Negotiate as most servers do it, log in the
// connection and not the request (RFC 4559, 6): whoever asks next on that
// connection is served as who logged in. So it belongs to one client, as behind
// HAProxy, from the first word of the handshake until either side closes.
type LoginOf struct{ u *upstreamConn }

// takeLogin returns the connection to address that carries the client's login, nil
// where there is none that can be used.
func (e *exchange) takeLogin(address string) *upstreamConn {
	l := e.c.Login()
	if l == nil || l.u == nil {
		return nil
	}
	u := l.u
	l.u = nil
	// A balancer's connection brings requests of several clients.
	if u.to != address || u.client != e.r.Client || !u.alive() {
		u.Close()
		return nil
	}
	u.reused = true
	return u
}

// keepLogin keeps u for the client's next request.
func (e *exchange) keepLogin(u *upstreamConn) {
	l := e.c.Login()
	if l == nil || !u.clean() {
		u.Close()
		return
	}
	if u.OnClose == nil { // it uses a descriptor that was meant for clients
		files := &e.p.Clients.Files
		files.Add(1)
		u.OnClose = func() { files.Add(-1) }
	}
	u.client = e.r.Client
	l.u = u
	u.keep(e.Now().Add(loginKeep))
}

// Drop ends it with the client's connection.
func (l *LoginOf) Drop() {
	if l.u != nil {
		l.u.Close()
		l.u = nil
	}
}
