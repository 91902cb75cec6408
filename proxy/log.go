package proxy

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

// logger writes one line per request or event. Whatever came from a peer is
// quoted, so that it cannot forge a line; credentials and queries are left out.
type logger struct {
	mu sync.Mutex
	w  io.Writer
}

func newLogger(w io.Writer) *logger {
	if w == nil {
		w = io.Discard
	}
	return &logger{w: w}
}

func (l *logger) line(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// A full disk must not stop the proxy.
	_, _ = io.WriteString(l.w, time.Now().UTC().Format("2006-01-02T15:04:05.000Z ")+text+"\n")
}

// event logs something that is not a request.
func (l *logger) event(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
		text = strconv.Quote(text)
	}
	l.line(text)
}

// access logs one request: client, request, status, bytes sent, milliseconds in
// the queue and in all, and who ended it early if anybody did.
func (l *logger) access(e *exchange) {
	r, end := e.r, e.note
	switch {
	case !e.complete && end == "":
		end = "server" // its answer broke off
	case end == "":
		end = "-"
	}
	l.line(fmt.Sprintf("%s %q %d %d queue=%d total=%d end=%s agent=%q", r.remote, strings.TrimSpace(string(r.method)+" "+r.loggable()+" "+r.proto),
		e.status, e.bytes, e.waited.Milliseconds(), sinceStart(r).Milliseconds(), end, r.agent))
}

func sinceStart(r *request) time.Duration { return time.Since(r.started) }

// eventWriter is the log of net/http.
type eventWriter struct{ l *logger }

func (w eventWriter) Write(p []byte) (int, error) {
	w.l.event("%s", strings.TrimSpace(string(p)))
	return len(p), nil
}
