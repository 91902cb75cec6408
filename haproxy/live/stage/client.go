package stage

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"bitgate/haproxy/rehearsal"
	"bitgate/internal/hostport"
)

// How long an answer is waited for; on the stage by the time in which nothing goes on.
const (
	answerTime = 2 * time.Second
	shortTime  = 500 * time.Millisecond // once many have been waited for in vain
)

// workers is how many requests are under way at once.
const workers = 8

// ask puts the requests, and returns their answers in the same order.
func (p *play) ask(requests []rehearsal.Request, limit time.Duration) []rehearsal.Answer {
	answers := make([]rehearsal.Answer, len(requests))
	next := make(chan int)
	var all sync.WaitGroup
	var late atomic.Int32
	for range workers {
		all.Go(func() {
			for i := range next {
				wait := limit
				if late.Load() > workers { // nobody waits as long for each of hundreds
					wait = min(limit, shortTime)
				}
				if answers[i] = p.one(requests[i], wait); answers[i].Late() {
					late.Add(1)
				}
			}
		})
	}
	for i := range requests {
		next <- i
	}
	close(next)
	all.Wait()
	certificateAsked(requests, answers)
	return answers
}

// noCertificate is how a server refuses a client that shows no certificate (RFC 8446, section 6.2).
const noCertificate = "certificate required"

// certificateAsked gives connections that failed in other words the reason that others
// were told at the same door: with TLS 1.3 it comes after the handshake, and HTTP/2,
// which writes first, may find the connection gone before it has read why.
func certificateAsked(requests []rehearsal.Request, answers []rehearsal.Answer) {
	type door struct{ address, name string }
	asked := map[door]bool{}
	for i, r := range requests {
		asked[door{r.Address, r.SNI}] = asked[door{r.Address, r.SNI}] || answers[i].Failed == noCertificate
	}
	for i, r := range requests {
		if a := answers[i]; a.Failed != "" && a.Cert != "" && !a.Late() && asked[door{r.Address, r.SNI}] {
			answers[i].Failed = noCertificate
		}
	}
}

func (p *play) one(r rehearsal.Request, limit time.Duration) rehearsal.Answer {
	if r.Burst != nil {
		return p.burst(r, limit)
	}
	ctx, cancel := p.within(limit)
	defer cancel()
	conn, a := connect(ctx, r)
	if conn == nil {
		return a
	}
	defer conn.Close()
	defer expire(ctx, conn)()
	switch {
	case r.Banner:
		p.banner(conn, &a)
	case a.Protocol == "h2":
		p.http2(ctx, conn, r, &a)
	default:
		p.http1(conn, bufio.NewReader(conn), r, &a)
	}
	return a
}

// connect opens the connection for a request, with TLS where that has it. Without
// one, the answer says why.
func connect(ctx context.Context, r rehearsal.Request) (net.Conn, rehearsal.Answer) {
	conn, err := dial(ctx, r)
	if err != nil {
		return nil, rehearsal.Answer{Failed: failure(err)}
	}
	if !r.TLS {
		return conn, rehearsal.Answer{}
	}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: r.SNI, NextProtos: r.ALPN, MinVersion: tls.VersionTLS10}) //nolint:gosec // it is compared, not trusted
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		if failure(err) == closed { // before the handshake or after it: that is chance
			return nil, rehearsal.Answer{Failed: closed}
		}
		return nil, rehearsal.Answer{Failed: "no TLS: " + failure(err)}
	}
	return secure, certificate(secure.ConnectionState(), r.SNI)
}

func dial(ctx context.Context, r rehearsal.Request) (net.Conn, error) {
	d := net.Dialer{}
	if r.Source != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(r.Source)}
	}
	conn, err := d.DialContext(ctx, "tcp", r.Address)
	if err != nil || !r.PROXY {
		return conn, err
	}
	family := "TCP4"
	if strings.Contains(r.Source, ":") {
		family = "TCP6"
	}
	host, port, _ := hostport.Cut(r.Address) // it was dialled
	_, err = fmt.Fprintf(conn, "PROXY %s %s %s 40000 %s\r\n", family, r.Source, host, port)
	return conn, err
}

// closed is how a connection failed that ended without an answer.
const closed = "closed"

// failure puts an error into words that are the same for the same cause.
func failure(err error) string {
	var alert tls.AlertError
	switch {
	case errors.As(err, &alert):
		return alert.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return rehearsal.NoAnswer
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return closed
	}
	if i := strings.Index(err.Error(), "tls: "); i >= 0 {
		return err.Error()[i+5:]
	}
	return "no HTTP"
}

func certificate(s tls.ConnectionState, name string) rehearsal.Answer {
	leaf := s.PeerCertificates[0]
	sum := sha256.Sum256(leaf.Raw)
	if slices.Contains(leaf.DNSNames, recorderName) {
		sum = [32]byte{} // each stage has another
	}
	return rehearsal.Answer{Cert: hex.EncodeToString(sum[:]), Names: append(leaf.DNSNames, leaf.Subject.CommonName), Covers: leaf.VerifyHostname(name) == nil, Protocol: s.NegotiatedProtocol}
}

// banner waits for a server that speaks first.
func (p *play) banner(conn net.Conn, a *rehearsal.Answer) {
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		a.Failed = failure(err)
		return
	}
	p.recorded(a, line)
	if a.Arrived == nil {
		a.Body = short(line)
	}
}

// http1 asks over a connection of which in is what comes, and reports whether that
// can be asked again.
func (p *play) http1(conn net.Conn, in *bufio.Reader, r rehearsal.Request, a *rehearsal.Answer) (kept bool) {
	go func() { _, _ = conn.Write(spell(r)) }() // an answer may come before all is sent
	req := &http.Request{Method: r.Method}
	response, err := http.ReadResponse(in, req) //nolint:bodyclose // answered reads and closes it
	for err == nil && response.StatusCode == http.StatusContinue {
		response, err = http.ReadResponse(in, req) //nolint:bodyclose // the one before has no body
	}
	if err != nil {
		a.Failed = failure(err)
		return false
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		line, _ := in.ReadString('\n') // an empty one names no arrival
		response.Body = io.NopCloser(strings.NewReader(line))
	}
	p.answered(response, a)
	return !response.Close
}

// spell writes a request of HTTP/1.1.
func spell(r rehearsal.Request) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", r.Method, r.Target)
	if r.Host != "" {
		fmt.Fprintf(&b, "Host: %s\r\n", r.Host)
	}
	for _, f := range r.Header {
		fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
	}
	body := rehearsal.Body(r.Body)
	switch {
	case r.Chunked:
		fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	case r.Said > 0:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", r.Said, body)
	case r.Body > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	default:
		b.WriteString("\r\n")
	}
	return b.Bytes()
}

func (p *play) http2(ctx context.Context, conn net.Conn, r rehearsal.Request, a *rehearsal.Answer) {
	req, err := http.NewRequestWithContext(ctx, r.Method, "https://"+r.Host+r.Target, bytes.NewReader(rehearsal.Body(r.Body)))
	if err != nil {
		a.Failed = "no HTTP"
		return
	}
	for _, f := range r.Header {
		req.Header.Add(f.Name, f.Value)
	}
	t := &http.Transport{ForceAttemptHTTP2: true, DisableCompression: true, DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
	defer t.CloseIdleConnections()
	response, err := t.RoundTrip(req)
	if err != nil {
		a.Failed = failure(err)
		return
	}
	p.answered(response, a)
}

// maxBody is how much of an answer is read.
const maxBody = 64 << 10

func (p *play) answered(response *http.Response, a *rehearsal.Answer) {
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		a.Failed = failure(err)
		return
	}
	a.Status = response.StatusCode
	p.recorded(a, string(body))
	if a.Arrived == nil {
		p.recorded(a, arrivalLine+response.Header.Get(arrivalHeader))
	}
	for _, name := range []string{arrivalHeader, "Date"} {
		response.Header.Del(textproto.CanonicalMIMEHeaderKey(name))
	}
	a.Header = fields(response.Header)
	if a.Arrived == nil {
		a.Body = short(string(body))
	}
}

var arrivalNumber = regexp.MustCompile(arrivalLine + `(\d+)`)

// recorded finds the arrival that an answer names.
func (p *play) recorded(a *rehearsal.Answer, text string) {
	if m := arrivalNumber.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1]) // 0 is nobody's
		a.Arrived = p.recorders.arrival(n)
	}
}

func short(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), 400)], "?")
}
