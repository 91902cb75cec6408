package record

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// limit is how many bytes of a peer's word are logged; HAProxy cuts lines at
// 1024 by default (tune.http.logurilen).
const limit = 1024

// AppendHTTPLog appends the line, without a newline, in HAProxy's format:
//
//	%ci:%cp [%tr] %f %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B - - %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq {%hr} %{+Q}r
//
// Where this proxy refused or gave up, reason="..." and host="..." follow.
//
// Times are in the location of Marks.First, which is the same for all that share
// a Dates.
func (r *Record) AppendHTTPLog(b []byte, d *Dates) []byte {
	b = r.Client.Addr().AppendTo(b)
	b = append(b, ':')
	b = strconv.AppendUint(b, uint64(r.Client.Port()), 10)
	b = append(b, " ["...)
	b = d.appendTo(b, r.Marks.First)
	b = append(b, "] "...)
	b = appendWord(b, r.Frontend)
	b = append(b, ' ')
	b = appendWord(b, r.Backend)
	b = append(b, '/')
	if r.Server == "" {
		b = append(b, "<NOSRV>"...)
	} else {
		b = appendWord(b, r.Server)
	}
	t := r.Marks.Timers()
	b = appendInts(append(b, ' '), t.Request, t.Queue, t.Connect, t.Response, t.Active)
	b = appendInts(append(b, ' '), int64(r.status()))
	b = appendInts(append(b, ' '), r.BytesSent)
	b = append(b, " - - "...)
	b = append(b, r.Termination()...)
	b = appendInts(append(b, ' '), int64(r.ActiveConns), int64(r.FrontendConns), int64(r.BackendConns), int64(r.ServerConns))
	b = append(b, '/')
	if r.Redispatched {
		b = append(b, '+')
	}
	b = strconv.AppendInt(b, int64(r.Retries), 10)
	b = appendInts(append(b, ' '), int64(r.ServerQueue), int64(r.BackendQueue))
	b = append(b, " {"...)
	b = appendEscaped(b, r.Agent, headerSpecials)
	b = append(b, `} "`...)
	if r.Method == "" {
		b = append(b, "<BADREQ>"...)
	} else {
		b = appendEscaped(b, r.Method, lineSpecials)
		b = append(b, ' ')
		b = appendEscaped(b, r.target(), lineSpecials)
		b = append(b, ' ')
		b = appendEscaped(b, r.Protocol, lineSpecials)
	}
	b = append(b, '"')
	for _, word := range [][2]string{{"reason", r.Reason}, {"host", r.host()}} {
		if word[1] != "" {
			b = append(append(append(b, ' '), word[0]...), `="`...)
			b = append(appendEscaped(b, word[1], lineSpecials), '"')
		}
	}
	return b
}

// host that was asked for, where the line has to explain something.
func (r *Record) host() string {
	if r.Reason == "" {
		return ""
	}
	return r.Host
}

// AppendJSON appends the same as one JSON object, without a newline. Peers'
// words are escaped as in AppendHTTPLog (#XX), so both can be searched alike.
func (r *Record) AppendJSON(b []byte) []byte {
	text := func(key, value string) {
		b = append(b, ',', '"')
		b = append(b, key...)
		b = append(b, `":"`...)
		b = appendEscaped(b, value, jsonSpecials)
		b = append(b, '"')
	}
	number := func(key string, n int64) {
		b = append(b, ',', '"')
		b = append(b, key...)
		b = append(b, `":`...)
		b = strconv.AppendInt(b, n, 10)
	}
	b = append(b, `{"time":"`...)
	b = r.Marks.First.AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	b = append(b, '"')
	text("client", r.Client.Addr().String())
	number("port", int64(r.Client.Port()))
	text("frontend", r.Frontend)
	text("backend", r.Backend)
	text("server", r.Server)
	t := r.Marks.Timers()
	number("request_ms", t.Request)
	number("queue_ms", t.Queue)
	number("connect_ms", t.Connect)
	number("response_ms", t.Response)
	number("active_ms", t.Active)
	number("status", int64(r.status()))
	number("bytes_sent", r.BytesSent)
	number("bytes_read", r.BytesRead)
	text("termination", r.Termination())
	number("active_conns", int64(r.ActiveConns))
	number("frontend_conns", int64(r.FrontendConns))
	number("backend_conns", int64(r.BackendConns))
	number("server_conns", int64(r.ServerConns))
	number("retries", int64(r.Retries))
	b = append(b, `,"redispatched":`...)
	b = strconv.AppendBool(b, r.Redispatched)
	number("server_queue", int64(r.ServerQueue))
	number("backend_queue", int64(r.BackendQueue))
	text("method", r.Method)
	text("target", r.target())
	text("protocol", r.Protocol)
	text("agent", r.Agent)
	if r.Reason != "" {
		text("reason", r.Reason)
		text("host", r.Host)
	}
	return append(b, '}')
}

func (r *Record) status() int { return cmp.Or(r.Status, -1) }

func appendInts(b []byte, numbers ...int64) []byte {
	for i, n := range numbers {
		if i > 0 {
			b = append(b, '/')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return b
}

// appendWord is for our own names, which hold no blank: "-" for none.
func appendWord(b []byte, word string) []byte {
	if word == "" {
		return append(b, '-')
	}
	return appendEscaped(b, word, wordSpecials)
}

// What HAProxy escapes besides control and non-ASCII bytes (src/log.c: header
// captures, request lines), and what JSON adds.
var (
	headerSpecials = escaping("\"#{|}")
	wordSpecials   = escaping(" /\"#{|}")
	lineSpecials   = escaping("\"#")
	jsonSpecials   = escaping("\"#\\")
	eventSpecials  = escaping("")
)

// escapes says of each byte whether it is escaped.
type escapes [256]bool

// escaping is for all but printable ASCII, and for the specials.
func escaping(specials string) *escapes {
	var e escapes
	for c := range e {
		e[c] = c < ' ' || c >= 0x7f || strings.IndexByte(specials, byte(c)) >= 0
	}
	return &e
}

// appendEscaped writes what a peer sent, the bytes to be escaped as HAProxy's #XX.
func appendEscaped(b []byte, text string, escaped *escapes) []byte {
	const hex = "0123456789ABCDEF"
	text = text[:min(len(text), limit)]
	done := 0
	for i := range len(text) {
		if c := text[i]; escaped[c] {
			b = append(append(b, text[done:i]...), '#', hex[c>>4], hex[c&15])
			done = i + 1
		}
	}
	return append(b, text[done:]...)
}

// AppendEvent appends a line that is not a request, for the same log. Words of
// peers in it cannot end the line.
func AppendEvent(b []byte, now time.Time, text string) []byte {
	b = now.AppendFormat(b, "2006-01-02T15:04:05.000Z07:00 ")
	return appendEscaped(b, text, eventSpecials)
}

// AppendEventJSON appends the same as one JSON object.
func AppendEventJSON(b []byte, now time.Time, text string) []byte {
	b = append(b, `{"time":"`...)
	b = now.AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	b = append(b, `","event":"`...)
	b = appendEscaped(b, text, jsonSpecials)
	return append(b, `"}`...)
}
