package accesslog

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"bitgate/proxy/config"
	"bitgate/proxy/record"
)

const (
	// logDelay is how long lines are gathered before they are written. Each write
	// wakes the Go runtime's monitor, which then looks around every 20 microseconds
	// for a while.
	logDelay = 100 * time.Millisecond
	// logPatience is how long a stop waits for the reader of the log.
	logPatience = 2 * time.Second
	// maxUnwritten bytes wait for the reader of the log; lines beyond that are dropped
	// and counted: a log that is not read must not stop the proxy.
	maxUnwritten = 8 << 20
)

// Log writes one line per request or event. Package record sees to it that
// no peer can forge a line and no secret gets into one.
//
// During Serve the lines of requests are gathered and written by a goroutine, so
// that serving never waits for the file or terminal.
type Log struct {
	json bool
	w    io.Writer

	mu      sync.Mutex
	buf     []byte // not written yet
	dates   record.Dates
	lost    int
	gathers bool
	armed   bool // a write is scheduled

	writing sync.Mutex // one writer at a time
	spare   []byte
}

// New returns a log that writes to w, nil for nowhere, in the format of
// config.LogHTTP or config.LogJSON.
func New(w io.Writer, format string) *Log {
	w = cmp.Or(w, io.Discard)
	return &Log{w: w, json: format == config.LogJSON}
}

// Event logs something that is not a request. During Serve nobody waits for it.
func (l *Log) Event(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.line(func(b []byte) []byte { return l.appendEvent(b, text) })
}

func (l *Log) appendEvent(b []byte, text string) []byte {
	if l.json {
		return record.AppendEventJSON(b, time.Now(), text)
	}
	return record.AppendEvent(b, time.Now(), text)
}

// Access logs one request.
func (l *Log) Access(r *record.Record) {
	l.line(func(b []byte) []byte {
		if l.json {
			return r.AppendJSON(b)
		}
		return r.AppendHTTPLog(b, &l.dates)
	})
}

func (l *Log) line(format func([]byte) []byte) {
	l.mu.Lock()
	if len(l.buf) > maxUnwritten {
		l.lost++
		l.mu.Unlock()
		return
	}
	l.buf = append(format(l.buf), '\n')
	gathers := l.gathers
	if gathers && !l.armed {
		l.armed = true
		time.AfterFunc(logDelay, l.flush)
	}
	l.mu.Unlock()
	if !gathers {
		l.flush()
	}
}

// Gather starts or ends the time in which lines are gathered.
func (l *Log) Gather(on bool) {
	l.mu.Lock()
	l.gathers = on
	l.mu.Unlock()
	flushed := make(chan struct{})
	go func() {
		defer close(flushed)
		l.flush()
	}()
	select {
	case <-flushed:
	case <-time.After(logPatience):
	}
}

// flush writes what was gathered.
func (l *Log) flush() {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	lines := l.buf
	l.buf, l.armed = l.spare[:0], false
	if l.lost > 0 {
		lines = append(l.appendEvent(lines, fmt.Sprintf("%d lines of this log were dropped: nobody read it for too long", l.lost)), '\n')
		l.lost = 0
	}
	l.mu.Unlock()
	if len(lines) > 0 {
		_, _ = l.w.Write(lines) // a full disk must not stop the proxy
	}
	if l.spare = lines; cap(lines) > maxUnwritten/8 {
		l.spare = nil
	}
}

// seldomPause is the time between two lines of a Seldom.
const seldomPause = 10 * time.Second

// Seldom logs what may happen many times a second: once in a while, with how often
// it happened meanwhile. It does not wait.
type Seldom struct {
	Log *Log

	mu   sync.Mutex
	next time.Time
	more int
}

// Event logs it, or counts it.
func (s *Seldom) Event(format string, args ...any) {
	now := time.Now()
	s.mu.Lock()
	if now.Before(s.next) {
		s.more++
		s.mu.Unlock()
		return
	}
	more := s.more
	s.next, s.more = now.Add(seldomPause), 0
	s.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if more > 0 {
		text += fmt.Sprintf(" (%d times more since the last such line)", more)
	}
	s.Log.Event("%s", text)
}

// Write logs an event, so that net/http can have it for its errors.
func (l *Log) Write(p []byte) (int, error) {
	l.Event("%s", strings.TrimSpace(string(p)))
	return len(p), nil
}
