package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"bitgate/proxy/config"
)

// maxBuffered is the largest body read while its request waits in the queue.
const maxBuffered = 64 << 10

// answer is the client's side of one exchange: the response as it is written,
// under the idle limit, and what the log needs to know about it.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController
	request *http.Request
	cfg     config.Config
	body    *clientBody
	limit   time.Duration // no progress for this long ends it
	next    time.Time     // when the write limit is set anew
	close   bool          // no further request on this connection

	started  time.Time
	waited   time.Duration
	status   int
	bytes    int64
	note     string // why it ended, for the log
	complete bool
}

func newAnswer(w http.ResponseWriter, r *http.Request, c config.Config) *answer {
	a := &answer{ResponseWriter: w, control: http.NewResponseController(w), request: r, cfg: c, started: time.Now(), limit: c.IdleTimeout}
	if r.ProtoMajor == 2 {
		// A passed limit ends an HTTP/2 stream even when nothing is being written.
		// The server's own limit ends a silent exchange before this one does.
		a.limit *= 2
	}
	// net/http keeps a connection open after a request with both Content-Length
	// and Transfer-Encoding, and hides the first (golang/go#80942). RFC 9112, 6.1
	// demands to close; so every chunked request closes, and every HTTP/1.0 one,
	// whose Transfer-Encoding is ignored.
	a.close = r.ProtoMajor == 1 && (len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1))
	if r.ProtoMajor == 1 {
		_ = a.control.EnableFullDuplex() // an early answer must not wait for the end of the upload
	}
	return a
}

// Unwrap lets http.ResponseController flush.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) WriteHeader(status int) {
	if status >= 200 {
		a.status = status
		if a.close {
			a.Header().Set("Connection", "close")
		}
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if now := time.Now(); now.After(a.next) {
		_ = a.control.SetWriteDeadline(now.Add(a.limit))
		a.next = now.Add(a.limit / 10)
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	if err != nil {
		a.note = "client"
	}
	return n, err
}

// Hijack hands a WebSocket over, under the limit of tunnels.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := a.control.Hijack()
	if err != nil {
		return nil, nil, err
	}
	a.status = http.StatusSwitchingProtocols
	return newIdleConn(conn, a.cfg.TunnelTimeout), buffered, nil
}

// queued notes how long the request waited for its slot.
func (a *answer) queued() { a.waited = time.Since(a.started) }

// clientLeft notes that nobody is there to answer.
func (a *answer) clientLeft() {
	a.note = "client"
	if a.status == 0 {
		a.status = 499 // as others log it; never sent
	}
	a.close = true
}

// end stops watching the body: the connection may serve another request now.
func (a *answer) end() {
	if a.body != nil {
		a.body.end()
	}
}

// watchBody puts r's body under the idle limit.
func (a *answer) watchBody(r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	a.body = &clientBody{ReadCloser: r.Body, control: a.control, limit: a.limit}
	r.Body = a.body
}

// bufferSmallBody reads a short body while its request waits.
func (a *answer) bufferSmallBody(r *http.Request) error {
	if r.ContentLength <= 0 || r.ContentLength > maxBuffered || r.Header.Get("Expect") != "" {
		return nil
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	return nil
}

// clientBody is a request's body as the client sends it.
type clientBody struct {
	io.ReadCloser
	control *http.ResponseController
	limit   time.Duration
	next    time.Time
	reading atomic.Bool           // waiting for the client now
	fault   atomic.Pointer[error] // it broke off, stalled, or its framing is wrong

	mu    sync.Mutex
	ended bool
}

func (b *clientBody) Read(p []byte) (int, error) {
	if now := time.Now(); now.After(b.next) {
		b.deadline(now.Add(b.limit))
		b.next = now.Add(b.limit / 10)
	}
	b.reading.Store(true)
	n, err := b.ReadCloser.Read(p)
	b.reading.Store(false)
	if errors.Is(err, io.EOF) {
		b.deadline(time.Time{}) // from here on net/http reads, to see the client leave
	} else if err != nil {
		b.fault.Store(&err)
	}
	return n, err
}

func (b *clientBody) deadline(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		_ = b.control.SetReadDeadline(t)
	}
}

func (b *clientBody) end() {
	b.mu.Lock()
	b.ended = true
	b.mu.Unlock()
}

// clientFault answers a request whose body did not come as announced.
func (a *answer) clientFault(r *http.Request, t target, err error) {
	a.note, a.close = "client", r.ProtoMajor == 1
	if errors.Is(err, os.ErrDeadlineExceeded) {
		a.refuse(r, t, http.StatusRequestTimeout, "The rest of the request did not arrive.")
		return
	}
	a.refuse(r, t, http.StatusBadRequest, "The request broke off or is malformed.")
}
