package stage

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // WebSocket uses it
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"

	"bitgate/haproxy/rehearsal"
)

// silence is how long a client may say nothing before the server speaks first.
const silence = 500 * time.Millisecond

// arrivalHeader and arrivalLine name an arrival in a recorder's answer.
const (
	arrivalHeader = "X-Bitgate-Arrival"
	arrivalLine   = "bitgate-arrival:"
)

// recorders stand in the place of the servers. Each answers HTTP/1.1 and HTTP/2,
// with and without TLS and the PROXY protocol, whichever it is spoken to in.
type recorders struct {
	mu        sync.Mutex
	arrivals  []rehearsal.Arrival
	listeners []net.Listener
	tls       *tls.Config
	server    *http.Server
	queue     *queue
}

func newRecorders() *recorders {
	r := &recorders{queue: &queue{conns: make(chan net.Conn), closed: make(chan struct{})}}
	r.tls = &tls.Config{MinVersion: tls.VersionTLS10, NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{selfSigned()}}
	r.server = &http.Server{Handler: r, TLSConfig: r.tls, ErrorLog: log.New(io.Discard, "", 0), ConnContext: remember, Protocols: &http.Protocols{}}
	r.server.Protocols.SetHTTP1(true)
	r.server.Protocols.SetHTTP2(true)
	r.server.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = r.server.Serve(r.queue) }() // for as long as the stage lives
	return r
}

// recorderName is what a recorder's certificate is for.
const recorderName = "recorder.bitgate.invalid"

// selfSigned is a certificate that nobody believes: the server lines of the stage
// do not verify.
func selfSigned() tls.Certificate {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // crypto/rand does not fail
	template := x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{recorderName}, NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// listen takes the addresses of the servers, in their order.
func (r *recorders) listen(addresses []string) error {
	for _, l := range r.listeners {
		l.Close()
	}
	r.listeners = nil
	r.mu.Lock()
	r.arrivals = nil
	r.mu.Unlock()
	for i, a := range addresses {
		l, err := net.Listen("tcp", a)
		if err != nil {
			return fmt.Errorf("recorder: %w", err)
		}
		r.listeners = append(r.listeners, l)
		go r.accept(l, i)
	}
	return nil
}

func (r *recorders) accept(l net.Listener, server int) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go r.begin(conn, server)
	}
}

// spoken is a connection whose first bytes have been looked at.
type spoken struct {
	net.Conn
	in     *bufio.Reader
	server int
}

func (c *spoken) Read(b []byte) (int, error) { return c.in.Read(b) }

// begin finds out what a connection speaks.
func (r *recorders) begin(conn net.Conn, server int) {
	c := &spoken{conn, bufio.NewReader(conn), server}
	_ = conn.SetReadDeadline(time.Now().Add(silence))
	first, err := c.in.Peek(1)
	_ = conn.SetReadDeadline(time.Time{})
	if err == nil && (first[0] == 'P' || first[0] == '\r') {
		_, _ = proxyproto.Read(c.in) // without such a header nothing is read
		first, err = c.in.Peek(1)
	}
	switch {
	case err == nil && first[0] == 0x16:
		secure := tls.Server(c, r.tls)
		_ = conn.SetDeadline(time.Now().Add(longest * answerTime))
		if secure.Handshake() != nil {
			conn.Close()
			return
		}
		_ = conn.SetDeadline(time.Time{})
		r.queue.put(secure)
	case err == nil && first[0] >= 'A' && first[0] <= 'Z' && !strings.HasPrefix(c.peek(4), "SSH-"):
		r.queue.put(c)
	default:
		fmt.Fprintf(conn, "SSH-2.0-%s%d\r\n", arrivalLine, r.add(rehearsal.Arrival{Server: server}))
		conn.Close()
	}
}

func (c *spoken) peek(n int) string {
	b, _ := c.in.Peek(n) // fewer bytes are no match
	return string(b)
}

func (r *recorders) add(a rehearsal.Arrival) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arrivals = append(r.arrivals, a)
	return len(r.arrivals)
}

// arrival is the one with a number, nil when there is none, and where nothing is recorded.
func (r *recorders) arrival(number int) *rehearsal.Arrival {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if number < 1 || number > len(r.arrivals) {
		return nil
	}
	a := r.arrivals[number-1]
	return &a
}

type serverKey struct{}

func remember(ctx context.Context, conn net.Conn) context.Context {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if c, ok := conn.(*spoken); ok {
		return context.WithValue(ctx, serverKey{}, c.server)
	}
	return ctx
}

// maxRead is how much of a body is read, in bytes.
const maxRead = 64 << 20

// ServeHTTP records a request and answers as Bitbucket would.
func (r *recorders) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	server, _ := req.Context().Value(serverKey{}).(int)
	sum := sha256.New()
	length := req.ContentLength
	if length >= maxRead {
		_, _ = io.CopyN(io.Discard, req.Body, rehearsal.SentOfMore) // a close with bytes unread would reset the connection, and lose the answer
	} else {
		var err error
		if length, err = io.Copy(sum, req.Body); err != nil {
			return // the request was cut off
		}
	}
	upgrade := strings.EqualFold(req.Header.Get("Upgrade"), "websocket")
	reply := rehearsal.ReplyTo(req.Host, req.RequestURI, req.Header.Get("Authorization") != "", upgrade)
	a := rehearsal.Arrival{
		Server: server, Method: req.Method, Target: req.RequestURI, Host: req.Host,
		Length: length, Sum: hex.EncodeToString(sum.Sum(nil)), Header: fields(req.Header), Status: reply.Status, Sent: reply.Header,
	}
	h := w.Header()
	for _, f := range reply.Header {
		h.Set(f.Name, f.Value)
	}
	number := r.add(a)
	h.Set(arrivalHeader, fmt.Sprint(number))
	h.Set("Content-Length", "24")
	if upgrade {
		h.Set("Sec-Websocket-Accept", accept(req.Header.Get("Sec-Websocket-Key")))
		switchProtocols(w, h, number)
		return
	}
	w.WriteHeader(a.Status)
	fmt.Fprintf(w, "%s%07d\n", arrivalLine, number)
}

// accept is the proof that the server speaks WebSocket (RFC 6455, 4.2.2).
func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // as the protocol has it
	return base64.StdEncoding.EncodeToString(sum[:])
}

func switchProtocols(w http.ResponseWriter, h http.Header, number int) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // HTTP/2 has no such upgrade
	}
	defer conn.Close()
	h.Del("Content-Length")
	h.Set("Connection", "Upgrade")
	h.Set("Upgrade", "websocket")
	fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\n")
	_ = h.Write(conn) // the client says what arrived
	fmt.Fprintf(conn, "\r\n%s%d\n", arrivalLine, number)
}

// fields lists a header, sorted.
func fields(h http.Header) []rehearsal.Field {
	var out []rehearsal.Field
	for name, values := range h {
		for _, v := range values {
			out = append(out, rehearsal.Field{Name: name, Value: v})
		}
	}
	slices.SortStableFunc(out, func(a, b rehearsal.Field) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// queue is a listener whose connections come from elsewhere.
type queue struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (q *queue) put(c net.Conn) {
	select {
	case q.conns <- c:
	case <-q.closed:
		c.Close()
	}
}

func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.closed:
		return nil, net.ErrClosed
	}
}

func (q *queue) Close() error {
	close(q.closed)
	return nil
}

func (q *queue) Addr() net.Addr { return &net.TCPAddr{} }
