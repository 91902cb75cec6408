package proxy

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"bitgate/proxy/config"
	"bitgate/proxy/record"
)

// logger writes one line per request or event. Package record sees to it that
// no peer can forge a line and no secret gets into one.
type logger struct {
	json bool

	mu  sync.Mutex
	w   io.Writer
	buf []byte
}

func newLogger(w io.Writer, format string) *logger {
	if w == nil {
		w = io.Discard
	}
	return &logger{w: w, json: format == config.LogJSON}
}

// event logs something that is not a request.
func (l *logger) event(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.line(func(b []byte) []byte {
		if l.json {
			return record.AppendEventJSON(b, time.Now(), text)
		}
		return record.AppendEvent(b, time.Now(), text)
	})
}

// access logs one request.
func (l *logger) access(r *record.Record) {
	l.line(func(b []byte) []byte {
		if l.json {
			return r.AppendJSON(b)
		}
		return r.AppendHTTPLog(b)
	})
}

func (l *logger) line(format func([]byte) []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(format(l.buf[:0]), '\n')
	_, _ = l.w.Write(l.buf) // a full disk must not stop the proxy
}

// done logs and counts the exchange.
func (e *exchange) done() {
	e.marks.End = time.Now()
	switch {
	case e.end == record.Client && e.p.base.Err() != nil:
		e.end = record.Killed
	case e.end == 0 && e.complete:
		e.end = record.Normal
	case e.end == 0:
		e.end = record.Server // its answer broke off
	}
	connections := e.p.clients.connections()
	rec := record.Record{
		Client: e.r.ClientPort(), Frontend: "bitgate~", Backend: "bitbucket", Marks: e.marks,
		Status: e.status, BytesSent: e.bytes.Load(), BytesRead: e.uploaded.Load(), End: e.end, Cookie: e.sticky.State, Insert: e.sticky.Insert,
		ActiveConns: connections, FrontendConns: connections, BackendConns: e.atAll, ServerConns: e.atServer,
		Method: string(e.r.Method), Target: e.r.Path + e.r.Query(), Protocol: e.r.Proto, Agent: e.r.Agent,
	}
	if p := e.place; p != nil {
		rec.Server, rec.Retries, rec.Redispatched = p.Server(), p.Retries, p.Redispatched
		rec.ServerQueue, rec.BackendQueue = p.ServerQueue, p.PoolQueue
	}
	e.p.counters.Observe(&rec)
	e.p.log.access(&rec)
}

// eventWriter is the log of net/http.
type eventWriter struct{ l *logger }

func (w eventWriter) Write(p []byte) (int, error) {
	w.l.event("%s", strings.TrimSpace(string(p)))
	return len(p), nil
}
