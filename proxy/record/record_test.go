package record

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 2, 6, 12, 14, 14, 655e6, time.UTC)

func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

// sample is the example of HAProxy's manual, 8.2.3, with our agent capture.
func sample() Record {
	return Record{
		Client: netip.MustParseAddrPort("10.0.1.2:33317"), Frontend: "http-in", Backend: "static", Server: "srv1",
		Marks:  Marks{First: start, Head: at(10), Dequeued: at(10), Connected: at(40), Answered: at(109), Finished: at(109), End: at(109)},
		Status: 200, BytesSent: 2750, BytesRead: 99,
		ActiveConns: 1, FrontendConns: 1, BackendConns: 1, ServerConns: 1,
		Method: "GET", Target: "/index.html", Protocol: "HTTP/1.1", Agent: "git/2.39",
	}
}

func TestHTTPLog(t *testing.T) {
	r := sample()
	const want = `10.0.1.2:33317 [06/Feb/2026:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {git/2.39} "GET /index.html HTTP/1.1"`
	if got := string(r.AppendHTTPLog(nil, &Dates{})); got != want {
		t.Errorf("\n%s\n%s", got, want)
	}
	r = Record{
		Client: netip.MustParseAddrPort("[2001:db8::1]:1"), Frontend: "bitgate", Backend: "bitbucket",
		Marks: Marks{First: start, End: at(10000)}, Status: 408, End: ClientTimeout,
	}
	const bad = `2001:db8::1:1 [06/Feb/2026:12:14:14.655] bitgate bitbucket/<NOSRV> -1/-1/-1/-1/10000 408 0 - - cR-- 0/0/0/0/0 0/0 {} "<BADREQ>"`
	if got := string(r.AppendHTTPLog(nil, &Dates{})); got != bad {
		t.Errorf("\n%s\n%s", got, bad)
	}
}

func TestJSON(t *testing.T) {
	r := sample()
	r.Redispatched, r.Retries, r.End, r.Cookie, r.Insert = true, 2, ServerTimeout, CookieValid, InsertNone
	r.Marks.Answered, r.Marks.Finished = time.Time{}, time.Time{}
	const want = `{"time":"2026-02-06T12:14:14.655Z","client":"10.0.1.2","port":33317,"frontend":"http-in","backend":"static","server":"srv1",` +
		`"request_ms":10,"queue_ms":0,"connect_ms":30,"response_ms":-1,"active_ms":109,"status":200,"bytes_sent":2750,"bytes_read":99,` +
		`"termination":"sHVN","active_conns":1,"frontend_conns":1,"backend_conns":1,"server_conns":1,"retries":2,"redispatched":true,` +
		`"server_queue":0,"backend_queue":0,"method":"GET","target":"/index.html","protocol":"HTTP/1.1","agent":"git/2.39"}`
	if got := string(r.AppendJSON(nil)); got != want {
		t.Errorf("\n%s\n%s", got, want)
	}
	if line := string(r.AppendHTTPLog(nil, &Dates{})); !strings.Contains(line, " 1/1/1/1/+2 ") {
		t.Errorf("the redispatch is not told: %s", line)
	}
}

// TestTermination follows the table of HAProxy's manual, 8.5.
func TestTermination(t *testing.T) {
	full := sample().Marks
	upTo := func(n int) Marks {
		m := Marks{First: full.First, End: full.End}
		for i, mark := range []struct {
			to   *time.Time
			from time.Time
		}{{&m.Head, full.Head}, {&m.Dequeued, full.Dequeued}, {&m.Connected, full.Connected}, {&m.Answered, full.Answered}, {&m.Finished, full.Finished}} {
			if i < n {
				*mark.to = mark.from
			}
		}
		return m
	}
	for _, tt := range []struct {
		name    string
		end     Cause
		reached int
		want    string
	}{
		{"a normal end", Normal, 5, "--"},
		{"the client left before its head was complete", Client, 0, "CR"},
		{"its head did not arrive in time", ClientTimeout, 0, "cR"},
		{"refused for what it asked", Refused, 0, "PR"},
		{"refused after its head", Refused, 1, "PR"},
		{"a redirect", Local, 1, "LR"},
		{"the client left the queue", Client, 1, "CQ"},
		{"it waited too long", ServerTimeout, 1, "sQ"},
		{"no server is up", Server, 1, "SC"},
		{"the server refused the connection", Server, 2, "SC"},
		{"the connection took too long", ServerTimeout, 2, "sC"},
		{"the server broke off before its head", Server, 3, "SH"},
		{"it did not answer in time", ServerTimeout, 3, "sH"},
		{"the client left meanwhile", Client, 3, "CH"},
		{"the upload stalled", ClientTimeout, 3, "cH"},
		{"the server broke off in the body", Server, 4, "SD"},
		{"the client left in the body", Client, 4, "CD"},
		{"it did not take the rest", ClientTimeout, 5, "cL"},
		{"cut by the stop", Killed, 4, "KD"},
	} {
		r := Record{Marks: upTo(tt.reached), End: tt.end}
		if got := r.Termination(); got != tt.want+"--" {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestTargetHidesSecrets(t *testing.T) {
	for target, want := range map[string]string{
		"/a/b":                                  "/a/b",
		"/a?token=hunter2":                      "/a?...",
		"/a?":                                   "/a?...",
		"/a#hunter2":                            "/a",
		"/a?x#hunter2":                          "/a?...",
		"/r/info/refs?service=git-upload-pack":  "/r/info/refs?service=git-upload-pack",
		"/r/info/refs?service=git-receive-pack": "/r/info/refs?service=git-receive-pack",
		"/r/info/refs?service=git-receive-pack&t=hunter2": "/r/info/refs?...",
		"https://u:hunter2@h/a?x":                         "https://h/a?...",
		"https://u:hunter2@h":                             "https://h",
		"/%2F//x;y=1":                                     "/%2F//x;y=1",
		"*":                                               "*",
	} {
		r := Record{Target: target}
		if got := r.target(); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

func TestPeersWordsAreEscapedAndCut(t *testing.T) {
	r := sample()
	r.Target = "/\"\r\n#\x00\xff"
	r.Agent = "a} \"{|" + strings.Repeat("x", 2000)
	line := string(r.AppendHTTPLog(nil, &Dates{}))
	if !strings.HasSuffix(line, `"GET / HTTP/1.1"`) && !strings.Contains(line, `"GET /#22#0D#0A`) {
		t.Error(line)
	}
	if !strings.Contains(line, `{a#7D #22#7B#7Cxxx`) || len(line) > 1300 {
		t.Errorf("%d bytes: %s", len(line), line)
	}
}

var httplogLine = regexp.MustCompile(`^[0-9a-f.:]+:\d+ \[[^]\x00-\x1f]+\] \S+ \S+/\S+ -?\d+/-?\d+/-?\d+/-?\d+/\d+ -?\d+ \d+ - - [-CScsPRLK][-RQCHDL][-NIDV][-NI] \d+/\d+/\d+/\d+/\+?\d+ \d+/\d+ \{[^{}|"]*\} "[^"]*"$`)

// FuzzRecord: whatever a client sends, there is one line with its fields, one
// JSON object with its fields, and nothing of a query in either.
func FuzzRecord(f *testing.F) {
	f.Add("GET", "/a?token=x", "HTTP/1.1", "git/2.39")
	f.Add("", "", "", "")
	f.Add("G\nT", "/\" 200 0 - - ---- 1/1/1/1/0 0/0 {} \"GET /\n10.0.0.1", "HTTP/1.1\"", "} \"{")
	f.Add("GET", "/\\\",\"status\":200,\"x\":\"", "\x00\xff\u2028", "\\")
	f.Fuzz(func(t *testing.T, method, target, protocol, agent string) {
		r := sample()
		r.Method, r.Target, r.Protocol, r.Agent = method, target, protocol, agent
		line := r.AppendHTTPLog(nil, &Dates{})
		if !httplogLine.Match(line) {
			t.Errorf("not a line of ours: %q", line)
		}
		object := r.AppendJSON(nil)
		for _, b := range append(line, object...) {
			if b < ' ' || b >= 0x7f {
				t.Errorf("byte %x in the log", b)
			}
		}
		var fields map[string]any
		if err := json.Unmarshal(object, &fields); err != nil || len(fields) != 27 || fields["status"] != 200.0 {
			t.Errorf("%v, %d fields: %s", err, len(fields), object)
		}
		if event := AppendEvent(nil, start, target); strings.ContainsAny(string(event), "\r\n") {
			t.Errorf("%q", event)
		}
		if !json.Valid(AppendEventJSON(nil, start, target)) {
			t.Errorf("event %q is not JSON", target)
		}
		// Whatever is asked for, the log shows the same: that there is a query.
		before, query, has := strings.Cut(target, "?")
		if r.Target = before + "?secret"; has && query != "" && !strings.HasPrefix(query, "service=git-") && string(r.AppendHTTPLog(nil, &Dates{})) != string(line) {
			t.Errorf("the query is in %s", line)
		}
	})
}

// Whatever was written before, a time is written as the standard library does.
func TestDates(t *testing.T) {
	at := time.Date(2026, 12, 31, 23, 59, 58, 0, time.FixedZone("", -3*3600))
	var d Dates
	for _, step := range []time.Duration{0, time.Millisecond, 98 * time.Millisecond, 900*time.Millisecond + 999, time.Second, time.Second, -3 * time.Second, time.Hour} {
		at = at.Add(step)
		want := at.Format("02/Jan/2006:15:04:05.000")
		if got := string(d.appendTo(nil, at)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
