package h2_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bitgate/proxy/h1"
	"bitgate/proxy/h2"

	"golang.org/x/net/http2"
)

// A request as the driver gets it.
func TestRequests(t *testing.T) {
	for name, tt := range map[string]struct {
		fields []string
		end    bool
		want   string
	}{
		"no body":           {request("GET", "accept", "*/*", "x", ""), true, "GET /x?y git.example.com kind=0 0 [accept=*/* x=]"},
		"length":            {request("POST", "content-length", "5"), false, "POST /x?y git.example.com kind=1 5 []"},
		"no length":         {request("POST"), false, "POST /x?y git.example.com kind=2 0 []"},
		"length zero":       {request("POST", "content-length", "0"), true, "POST /x?y git.example.com kind=0 0 [] told"},
		"length zero, open": {request("PUT", "content-length", "0"), false, "PUT /x?y git.example.com kind=0 0 [] told"},
		"expect":            {request("POST", "expect", "100-Continue"), false, "POST /x?y git.example.com kind=2 0 [expect=100-Continue] expect"},
		"nothing to expect": {request("GET", "expect", "100-continue"), true, "GET /x?y git.example.com kind=0 0 [expect=100-continue]"},
		"te":                {request("GET", "te", "trailers"), true, "GET /x?y git.example.com kind=0 0 [te=trailers]"},
		"cookies":           {request("GET", "cookie", "a=1", "x", "y", "cookie", "b=2", "cookie", "c=3"), true, "GET /x?y git.example.com kind=0 0 [cookie=a=1; b=2; c=3 x=y]"},
		"Host alone":        {[]string{":method", "GET", ":scheme", "https", ":path", "/", "host", "a:443"}, true, "GET / a:443 kind=0 0 []"},
		"both, the same":    {request("GET", "host", "GIT.example.com"), true, "GET /x?y git.example.com kind=0 0 []"},
		"bytes of a target": {[]string{":authority", "a", ":path", "/\xe9%2f//..;x?{|}\"?", ":scheme", "http", ":method", "GET"}, true, "GET /\xe9%2f//..;x?{|}\"? a kind=0 0 []"},
	} {
		c := newClient(t, h2.Limits{})
		c.headers(1, tt.end, tt.fields...)
		s := c.event(h2.Request)
		if got := tell(s); got != tt.want || s.Refusal != nil {
			t.Errorf("%s:\n got %s, %v\nwant %s", name, got, s.Refusal, tt.want)
		}
		c.expect(name)
	}
}

func tell(s *h2.Stream) string {
	var fields []string
	for _, f := range s.Fields {
		fields = append(fields, fmt.Sprintf("%s=%s", f.Name, f.Value))
	}
	text := fmt.Sprintf("%s %s %s kind=%d %d %s", s.Method, s.Target, s.Host, s.Kind, s.Length, fields)
	if s.Told {
		text += " told"
	}
	if s.Expect {
		text += " expect"
	}
	return text
}

// What RFC 9113 calls malformed never becomes a request (8.1.1, 8.2, 8.3).
func TestMalformedRequests(t *testing.T) {
	post := func(more ...string) []string { return request("POST", more...) }
	for name, fields := range map[string][]string{
		"8.2 capitals":                     post("Accept", "x"),
		"8.2 empty name":                   post("", "x"),
		"8.2.1 blank in a name":            post("a b", "x"),
		"8.2.1 NUL in a name":              post("a\x00", "x"),
		"8.2.1 colon in a name":            post("a:b", "x"),
		"8.2.1 obs-text in a name":         post("a\xe9", "x"),
		"8.2.1 NUL":                        post("a", "x\x00"),
		"8.2.1 CR":                         post("a", "x\ry"),
		"8.2.1 LF":                         post("a", "x\ny"),
		"8.2.1 DEL":                        post("a", "\x7f"),
		"8.2.1 blank before":               post("a", " x"),
		"8.2.1 blank after":                post("a", "x\t"),
		"8.2.2 connection":                 post("connection", "close"),
		"8.2.2 keep-alive":                 post("keep-alive", "1"),
		"8.2.2 proxy-connection":           post("proxy-connection", "x"),
		"8.2.2 transfer-encoding":          post("transfer-encoding", "chunked"),
		"8.2.2 upgrade":                    post("upgrade", "h2c"),
		"8.2.2 te":                         post("te", "gzip"),
		"8.3 pseudo-header after others":   {":method", "GET", ":scheme", "https", "a", "b", ":path", "/", ":authority", "a"},
		"8.3 unknown pseudo-header":        post(":protocol", "websocket"),
		"8.3 an answer's":                  post(":status", "200"),
		"8.3.1 :method twice":              post(":method", "GET"),
		"8.3.1 no :method":                 {":scheme", "https", ":path", "/", ":authority", "a"},
		"8.3.1 no :scheme":                 {":method", "GET", ":path", "/", ":authority", "a"},
		"8.3.1 no :path":                   {":method", "GET", ":scheme", "https", ":authority", "a"},
		"8.3.1 empty :path":                {":method", "GET", ":scheme", "https", ":path", "", ":authority", "a"},
		"8.3.1 empty :authority":           {":method", "GET", ":scheme", "https", ":path", "/", ":authority", ""},
		"8.3.1 :authority is not Host":     post("host", "other.example.com"),
		"8.3.1 Host twice":                 post("host", "git.example.com", "host", "git.example.com"),
		"8.5 CONNECT with a path":          {":method", "CONNECT", ":scheme", "https", ":path", "/", ":authority", "a"},
		"8.5 CONNECT without an authority": {":method", "CONNECT"},
		"8.1.1 two lengths":                post("content-length", "3", "content-length", "3"),
		"8.1.1 signed length":              post("content-length", "+3"),
		"8.1.1 list of lengths":            post("content-length", "3, 3"),
		"8.1.1 enormous length":            post("content-length", "9999999999999999999"),
	} {
		c := newClient(t, h2.Limits{})
		c.headers(1, false, fields...)
		c.expect(name, "RST_STREAM 1 PROTOCOL_ERROR")
		c.quiet()
		c.get(3)
		c.data(1, true, "crossed the reset") // and is ignored
		c.expect(name)
		if c.conn.Open() != 1 {
			t.Errorf("%s: %d streams are open", name, c.conn.Open())
		}
	}
}

// What only HTTP/1.1's rules refuse is reported, to be answered.
func TestRefusedRequests(t *testing.T) {
	with := func(method, path, host string) []string {
		return []string{":method", method, ":scheme", "https", ":path", path, ":authority", host}
	}
	for name, tt := range map[string]struct {
		fields []string
		status int
	}{
		"small method":      {with("get", "/", "a"), 400},
		"endless method":    {with(strings.Repeat("A", 30), "/", "a"), 501},
		"TRACE":             {with("TRACE", "/", "a"), 405},
		"CONNECT":           {[]string{":method", "CONNECT", ":authority", "a:443"}, 405},
		"asterisk":          {with("OPTIONS", "*", "a"), 400},
		"absolute":          {with("GET", "https://a/", "a"), 400},
		"fragment":          {with("GET", "/#x", "a"), 400},
		"blank in a target": {with("GET", "/a b", "a"), 400},
		"user in the host":  {with("GET", "/", "u@a"), 400},
		"no host":           {[]string{":method", "GET", ":scheme", "https", ":path", "/"}, 400},
		"another scheme":    {[]string{":method", "GET", ":scheme", "ftp", ":path", "/", ":authority", "a"}, 400},
		"twin":              {request("POST", "content_length", "3"), 400},
		"twin of coding":    {request("POST", "transfer_encoding", "chunked"), 400},
		"expectation":       {request("POST", "expect", "200-ok"), 417},
		"long value":        {request("GET", "a", strings.Repeat("b", 8<<10)), 431},
		"long altogether":   {request("GET", repeat(80, "a", strings.Repeat("b", 100))...), 431},
		"too many":          {request("GET", repeat(101, "a", "")...), 431},
	} {
		c := newClient(t, h2.Limits{})
		c.headers(1, true, tt.fields...)
		s := c.event(h2.Request)
		if s.Refusal == nil || s.Refusal.Status != tt.status {
			t.Errorf("%s: %v, want %d", name, s.Refusal, tt.status)
		}
		c.expect(name)
		c.event(h2.Readable)
		c.get(3) // the HPACK state is sound
	}
	c := newClient(t, h2.Limits{})
	c.headers(1, true, request("GET", repeat(100, "a", "")...)...)
	if s := c.event(h2.Request); s.Refusal != nil || len(s.Fields) != 100 {
		t.Errorf("a hundred fields: %v", s.Refusal)
	}
}

func repeat(n int, pair ...string) (all []string) {
	for range n {
		all = append(all, pair...)
	}
	return all
}

// Content-Length and what comes agree (RFC 9113, 8.1.1).
func TestLengthMustAgree(t *testing.T) {
	for name, tt := range map[string]struct {
		length string
		data   []string
		good   bool
	}{
		"exact":          {"5", []string{"hel", "lo"}, true},
		"too short":      {"5", []string{"hel"}, false},
		"too long":       {"5", []string{"hel", "lo!"}, false},
		"nothing":        {"5", []string{""}, false},
		"zero and empty": {"0", []string{""}, true},
	} {
		c := newClient(t, h2.Limits{})
		s := c.post(1, "content-length", tt.length)
		for i, d := range tt.data {
			c.data(1, i == len(tt.data)-1, d)
		}
		if tt.good {
			if c.event(h2.Readable); body(s) != strings.Join(tt.data, "") || !s.Received() {
				t.Errorf("%s: %v", name, s.Received())
			}
			continue
		}
		c.expect(name, "RST_STREAM 1 PROTOCOL_ERROR")
		var reset *h2.StreamError
		if !errors.As(s.Err(), &reset) || reset.Code != h2.ProtocolError || reset.Remote || s.Received() {
			t.Errorf("%s: %v, received %v", name, s.Err(), s.Received())
		}
	}
	c := newClient(t, h2.Limits{})
	c.headers(1, true, request("POST", "content-length", "5")...)
	c.expect("END_STREAM with a length", "RST_STREAM 1 PROTOCOL_ERROR")
	s := c.post(3, "content-length", "0")
	c.data(3, false, "x")
	c.expect("data despite the length zero", "RST_STREAM 3 PROTOCOL_ERROR")
	if s.Kind != h1.None {
		t.Errorf("kind %d", s.Kind)
	}
}

// Nobody has got the whole body of a request that turns out to be too long.
func TestLastByteAwaitsTheEnd(t *testing.T) {
	for _, last := range []string{"", "!"} {
		c := newClient(t, h2.Limits{})
		s := c.post(1, "content-length", "5")
		c.data(1, false, "hel")
		c.data(1, false, "lo")
		if got := body(s); got != "hell" || s.Received() {
			t.Errorf("%q before the end, received %v", got, s.Received())
		}
		c.data(1, true, last)
		if got := body(s); last == "" && (got != "o" || !s.Received()) {
			t.Errorf("%q at the end, received %v", got, s.Received())
		}
		if last != "" && s.Err() == nil {
			t.Error("longer than announced, and no error")
		}
	}
}

// Trailers are checked and dropped (RFC 9113, 8.1).
func TestTrailers(t *testing.T) {
	c := newClient(t, h2.Limits{})
	s := c.post(1)
	c.data(1, false, "body")
	c.headers(1, true, "x-checksum", "1", "content-length", "9", "host", "b", "cookie", "c")
	c.event(h2.Readable)
	if body(s) != "body" || !s.Received() || len(s.Fields) != 0 || string(s.Host) != "git.example.com" {
		t.Errorf("%s %v", tell(s), s.Received())
	}
	c.expect("good trailers")
	for i, fields := range [][]string{{":path", "/"}, {"Upper", "x"}, {"connection", "close"}, {"a", "\x00"}} {
		id := uint32(3 + 2*i)
		c.post(id)
		c.headers(id, true, fields...)
		c.expect(fields[0], fmt.Sprintf("RST_STREAM %d PROTOCOL_ERROR", id))
		c.event(h2.Reset).Release()
	}
	c.post(21)
	c.headers(21, false, "a", "b")
	c.expect("trailers that do not end the request", "RST_STREAM 21 PROTOCOL_ERROR")
	c.event(h2.Reset).Release()
	c.post(23)
	c.headers(23, true, "a", strings.Repeat("b", 9<<10))
	c.expect("long trailers", "RST_STREAM 23 ENHANCE_YOUR_CALM")
}

// A stream may end while its trailers arrive. They are decoded all the same: later
// blocks refer to their fields.
func TestEndWithinTrailers(t *testing.T) {
	for name, end := range map[string]func(*client, *h2.Stream){
		"answered": func(c *client, s *h2.Stream) {
			s.Respond(421, nil, 0)
			s.End()
			c.expect("the answer", "HEADERS 1 :status=421 content-length=0 END")
			s.Release()
		},
		"dropped": func(_ *client, s *h2.Stream) { s.Release() },
		"reset":   func(_ *client, s *h2.Stream) { s.Reset(h2.InternalError) },
		"stalled": func(c *client, s *h2.Stream) {
			s.Respond(200, nil, -1)
			s.Write(make([]byte, 100_000))
			c.frames()
			c.conn.Tick(c.now)
			c.conn.Tick(c.now.Add(time.Second))
		},
	} {
		c := newClient(t, h2.Limits{Stall: time.Second, Request: time.Minute})
		s := c.post(1)
		block := bytes.Clone(c.fields("x-one", "first", "x-two", "second"))
		c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:2], EndStream: true})
		c.send()
		end(c, s)
		if c.conn.Open() > 1 || len(c.frames()) == 0 {
			t.Errorf("%s: the stream has not ended", name)
		}
		c.framer.WriteContinuation(1, false, block[2:9])
		c.framer.WriteContinuation(1, true, block[9:])
		c.send()
		if c.err != nil {
			t.Errorf("%s: %v", name, c.err)
			continue
		}
		for _, ok := c.conn.Event(); ok; _, ok = c.conn.Event() {
		}
		c.headers(3, true, request("GET", "x-one", "first", "x-two", "second")...)
		if s := c.event(h2.Request); tell(s) != "GET /x?y git.example.com kind=0 0 [x-one=first x-two=second]" {
			t.Errorf("%s: then %s", name, tell(s))
		}
	}
}

// The order of a block's fragments and a later table are HPACK's.
func TestFieldsOverContinuation(t *testing.T) {
	c := newClient(t, h2.Limits{})
	block := c.fields(request("GET", "a", "b", "c", "d")...)
	c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:3], EndStream: true})
	for i, b := range block[3:10] {
		c.framer.WriteContinuation(1, false, block[3+i:4+i])
		_ = b
	}
	c.framer.WriteContinuation(1, true, block[10:])
	c.send()
	want := "GET /x?y git.example.com kind=0 0 [a=b c=d]"
	if s := c.event(h2.Request); tell(s) != want {
		t.Errorf("%s", tell(s))
	}
	c.headers(3, true, request("GET", "a", "b", "c", "d")...) // out of the table now
	c.event(h2.Readable)
	if s := c.event(h2.Request); tell(s) != want {
		t.Errorf("%s", tell(s))
	}
}
