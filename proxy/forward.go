package proxy

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"os"
	"strings"
	"sync"

	"bitgate/proxy/config"
)

// max1xx bounds the interim answers of one exchange; with a trace that looks at
// them net/http does not.
const max1xx = 16

// forwarder carries out the exchange with the server. It uses Rewrite, never
// Director: headers set there cannot be removed by a client's "Connection:".
type forwarder struct {
	cfg       config.Config
	transport *upstream
	proxy     *httputil.ReverseProxy
}

// exchange travels in the request's context.
type exchange struct {
	answer  *answer
	target  target
	conn    *idleConn // to the server
	interim int
}

type exchangeKey struct{}

func newForwarder(c config.Config, l *logger) *forwarder {
	f := &forwarder{cfg: c, transport: newUpstream(c)}
	f.proxy = &httputil.ReverseProxy{
		Rewrite:        f.rewrite,
		Transport:      f.transport,
		FlushInterval:  -1,
		BufferPool:     &bufferPool{},
		ModifyResponse: f.tunnel,
		ErrorHandler:   failed,
		ErrorLog:       log.New(eventWriter{l}, "", 0),
	}
	return f
}

// serve forwards r, whose header it changes.
func (f *forwarder) serve(a *answer, r *http.Request, t target) {
	if !isWebSocket(r) {
		r.Header.Del("Upgrade") // h2c would be a tunnel past all rules
	}
	e := &exchange{answer: a, target: t}
	ctx := context.WithValue(r.Context(), exchangeKey{}, e)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { e.conn, _ = info.Conn.(*idleConn) },
		Got1xxResponse: func(int, textproto.MIMEHeader) error {
			if e.interim++; e.interim > max1xx {
				return errors.New("the server sent too many interim answers")
			}
			return nil
		},
	})
	f.proxy.ServeHTTP(a, r.WithContext(ctx))
}

func isWebSocket(r *http.Request) bool {
	asked := r.Header["Upgrade"]
	return r.ProtoMajor == 1 && r.Method == http.MethodGet && r.ContentLength == 0 &&
		len(asked) == 1 && strings.EqualFold(asked[0], "websocket")
}

// rewrite makes the request to the server: same target bytes, our forwarding
// headers, none of the client's that could be taken for them.
func (f *forwarder) rewrite(p *httputil.ProxyRequest) {
	e := p.In.Context().Value(exchangeKey{}).(*exchange)
	p.Out.URL.Scheme, p.Out.URL.Host = "http", f.transport.address
	e.target.apply(p.Out.URL)
	p.Out.Host = f.cfg.URL.Authority()
	for name := range p.Out.Header {
		if !forwardable(name) {
			delete(p.Out.Header, name)
		}
	}
	p.Out.Trailer = nil // would pass the same filter by
	client, _, err := net.SplitHostPort(p.In.RemoteAddr)
	if err != nil {
		client = p.In.RemoteAddr
	}
	p.Out.Header.Set("X-Forwarded-For", client)
	p.Out.Header.Set("X-Forwarded-Proto", "https")
	p.Out.Header.Set("X-Forwarded-Host", f.cfg.URL.Authority())
	p.Out.Header.Set("X-Forwarded-Port", f.cfg.URL.ProxyPort())
}

// forwardable refuses what speaks for a proxy, and every name that is not
// letters, digits and hyphens: servers fold X_Forwarded_For into X-Forwarded-For.
func forwardable(name string) bool {
	for _, c := range []byte(name) {
		if c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	switch name = strings.ToLower(name); name {
	case "forwarded", "x-real-ip", "x-original-url", "x-rewrite-url", "proxy", "http2-settings", "te", "trailer":
		return false
	}
	return !strings.HasPrefix(name, "x-forwarded-")
}

// tunnel gives an accepted WebSocket the limit of tunnels on the server's side.
func (f *forwarder) tunnel(answer *http.Response) error {
	e := answer.Request.Context().Value(exchangeKey{}).(*exchange)
	if answer.StatusCode == http.StatusSwitchingProtocols && e.conn != nil {
		e.conn.setLimit(f.cfg.TunnelTimeout)
	}
	return nil
}

// failed answers an exchange that gave no answer, and says whose fault it was.
func failed(_ http.ResponseWriter, r *http.Request, err error) {
	e := r.Context().Value(exchangeKey{}).(*exchange)
	a, t := e.answer, e.target
	var dial *net.OpError
	var timeout net.Error
	isTimeout := errors.As(err, &timeout) && timeout.Timeout()
	var clientsFault error
	if a.body != nil {
		if fault := a.body.fault.Load(); fault != nil {
			clientsFault = *fault
		} else if isTimeout && a.body.reading.Load() {
			clientsFault = os.ErrDeadlineExceeded // the server's limit only passed first
		}
	}
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		a.unavailable(a.request, t, "Bitbucket does not answer at the moment: it is starting, stopping or being maintained.")
	case clientsFault != nil:
		a.clientFault(a.request, t, clientsFault)
	case r.Context().Err() != nil:
		a.clientLeft()
		panic(http.ErrAbortHandler)
	case isTimeout:
		a.note = "server"
		a.refuse(a.request, t, http.StatusGatewayTimeout, "Bitbucket did not answer in time.")
	default:
		a.note = "server"
		a.refuse(a.request, t, http.StatusBadGateway, "Bitbucket broke off or gave an answer that is not valid.")
	}
}

// bufferPool keeps the copy buffers of ReverseProxy.
type bufferPool struct{ pool sync.Pool }

func (b *bufferPool) Get() []byte {
	if buffer, ok := b.pool.Get().(*[]byte); ok {
		return *buffer
	}
	return make([]byte, 32<<10)
}

func (b *bufferPool) Put(buffer []byte) { b.pool.Put(&buffer) }
