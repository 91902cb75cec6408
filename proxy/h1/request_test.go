package h1_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"bitgate/proxy/h1"
)

const host = "Host: git.example.com\r\n"

func newRequest() *h1.Request { return &h1.Request{MaxHead: 8 << 10, MaxFields: 100} }

// feed hands the head over in pieces of the given size.
func feed(r *h1.Request, head []byte, piece int) (int, error) {
	for end := min(piece, len(head)); ; end = min(end+piece, len(head)) {
		n, err := r.Feed(head[:end])
		if err != nil {
			return 0, err
		}
		if n > 0 || end == len(head) {
			return n, nil
		}
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	long := strings.Repeat("x", 9<<10)
	for name, tt := range map[string]struct {
		head   string
		status int
	}{
		"bare LF after request line":     {"GET / HTTP/1.1\n" + host + "\r\n", 400},
		"bare LF after field":            {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
		"bare LF at the end":             {"GET / HTTP/1.1\r\n" + host + "\n", 400},
		"bare CR in a value":             {"GET / HTTP/1.1\r\n" + host + "X: a\rb\r\n\r\n", 400},
		"two empty lines before":         {"\r\n\r\nGET / HTTP/1.1\r\n" + host + "\r\n", 400},
		"blank before the method":        {" GET / HTTP/1.1\r\n" + host + "\r\n", 400},
		"two blanks":                     {"GET  / HTTP/1.1\r\n" + host + "\r\n", 400},
		"tab":                            {"GET\t/ HTTP/1.1\r\n" + host + "\r\n", 400},
		"blank after the version":        {"GET / HTTP/1.1 \r\n" + host + "\r\n", 400},
		"lower-case method":              {"get / HTTP/1.1\r\n" + host + "\r\n", 400},
		"method that never ends":         {strings.Repeat("A", 30) + " / HTTP/1.1\r\n" + host + "\r\n", 501},
		"HTTP/0.9":                       {"GET /\r\n", 400},
		"lower-case version":             {"GET / http/1.1\r\n" + host + "\r\n", 400},
		"version 1.2":                    {"GET / HTTP/1.2\r\n" + host + "\r\n", 505},
		"version 2.0":                    {"GET / HTTP/2.0\r\n" + host + "\r\n", 505},
		"version without a digit":        {"GET / HTTP/1.\r\n" + host + "\r\n", 400},
		"fragment":                       {"GET /#a HTTP/1.1\r\n" + host + "\r\n", 400},
		"control in the target":          {"GET /\x01 HTTP/1.1\r\n" + host + "\r\n", 400},
		"DEL in the target":              {"GET /\x7f HTTP/1.1\r\n" + host + "\r\n", 400},
		"long request line":              {"GET /" + long + " HTTP/1.1\r\n" + host + "\r\n", 414},
		"long field":                     {"GET / HTTP/1.1\r\n" + host + "X: " + long + "\r\n\r\n", 431},
		"101 fields":                     {"GET / HTTP/1.1\r\n" + host + strings.Repeat("X: y\r\n", 100) + "\r\n", 431},
		"relative target":                {"GET index.html HTTP/1.1\r\n" + host + "\r\n", 400},
		"authority-form":                 {"GET git.example.com:80 HTTP/1.1\r\n" + host + "\r\n", 400},
		"asterisk":                       {"OPTIONS * HTTP/1.1\r\n" + host + "\r\n", 400},
		"ftp":                            {"GET ftp://git.example.com/ HTTP/1.1\r\n" + host + "\r\n", 400},
		"user in the authority":          {"GET http://a@git.example.com/ HTTP/1.1\r\n" + host + "\r\n", 400},
		"CONNECT":                        {"CONNECT git.example.com:443 HTTP/1.1\r\n" + host + "\r\n", 405},
		"TRACE":                          {"TRACE / HTTP/1.1\r\n" + host + "\r\n", 405},
		"PRI":                            {"PRI / HTTP/1.1\r\n" + host + "\r\n", 405},
		"blank before the first field":   {"GET / HTTP/1.1\r\n " + host + "\r\n", 400},
		"obs-fold":                       {"GET / HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n", 400},
		"blank before the colon":         {"GET / HTTP/1.1\r\n" + host + "X : a\r\n\r\n", 400},
		"no colon":                       {"GET / HTTP/1.1\r\n" + host + "X\r\n\r\n", 400},
		"no name":                        {"GET / HTTP/1.1\r\n" + host + ": a\r\n\r\n", 400},
		"name with a bracket":            {"GET / HTTP/1.1\r\n" + host + "X[]: a\r\n\r\n", 400},
		"NUL":                            {"GET / HTTP/1.1\r\n" + host + "X: a\x00\r\n\r\n", 400},
		"no Host":                        {"GET / HTTP/1.1\r\n\r\n", 400},
		"empty Host":                     {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
		"two Hosts":                      {"GET / HTTP/1.1\r\n" + host + host + "\r\n", 400},
		"path in Host":                   {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
		"list in Host":                   {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
		"signed length":                  {"POST / HTTP/1.1\r\n" + host + "Content-Length: +1\r\n\r\n", 400},
		"hexadecimal length":             {"POST / HTTP/1.1\r\n" + host + "Content-Length: 0x1\r\n\r\n", 400},
		"list of lengths":                {"POST / HTTP/1.1\r\n" + host + "Content-Length: 1, 1\r\n\r\n", 400},
		"empty length":                   {"POST / HTTP/1.1\r\n" + host + "Content-Length:\r\n\r\n", 400},
		"length beyond all bounds":       {"POST / HTTP/1.1\r\n" + host + "Content-Length: 18446744073709551617\r\n\r\n", 400},
		"the same length twice":          {"POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
		"both lengths":                   {"POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		"both lengths, the other way":    {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 400},
		"chunked in HTTP/1.0":            {"POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n", 400},
		"chunked twice":                  {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		"chunked twice in one":           {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
		"chunked first":                  {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
		"empty Transfer-Encoding":        {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding:\r\n\r\n", 400},
		"quoted chunked":                 {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \"chunked\"\r\n\r\n", 400},
		"another coding":                 {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n", 501},
		"another coding, then chunked":   {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
		"twin of Transfer-Encoding":      {"POST / HTTP/1.1\r\n" + host + "Transfer_Encoding: chunked\r\n\r\n", 400},
		"twin of Content-Length":         {"POST / HTTP/1.1\r\n" + host + "Content.Length: 1\r\n\r\n", 400},
		"another expectation":            {"POST / HTTP/1.1\r\n" + host + "Expect: miracles\r\n\r\n", 417},
		"Upgrade twice":                  {"GET / HTTP/1.1\r\n" + host + "Upgrade: websocket\r\nUpgrade: h2c\r\n\r\n", 400},
		"body of a GET in HTTP/1.0":      {"GET / HTTP/1.0\r\n" + host + "Content-Length: 1\r\n\r\n", 413},
		"TLS client on a plain listener": {"\x16\x03\x01\x02\x00\x01", 400},
	} {
		for _, piece := range []int{1, 7, len(tt.head)} {
			_, err := feed(newRequest(), []byte(tt.head), piece)
			var broken *h1.Error
			if !errors.As(err, &broken) || broken.Status != tt.status {
				t.Errorf("%s, in pieces of %d: %v, want %d", name, piece, err, tt.status)
			}
		}
	}
}

func TestRequestsThatPass(t *testing.T) {
	for name, tt := range map[string]struct{ head, want string }{
		"plain":            {"GET /a%2Fb?c;d HTTP/1.1\r\n" + host + "X:  a b \t\r\nx-y:\r\n\r\n", `GET /a%2Fb?c;d minor=1 host=git.example.com kind=0 0 [Host=git.example.com X=a b x-y=]`},
		"empty line first": {"\r\nGET / HTTP/1.1\r\n" + host + "\r\n", `GET / minor=1 host=git.example.com kind=0 0 [Host=git.example.com]`},
		"length":           {"POST / HTTP/1.1\r\n" + host + "content-length: 007\r\n\r\n", `POST / minor=1 host=git.example.com kind=1 7 [Host=git.example.com content-length=007]`},
		"chunked":          {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: Chunked\r\n\r\n", `POST / minor=1 host=git.example.com kind=2 0 [Host=git.example.com Transfer-Encoding=Chunked]`},
		"HTTP/1.0":         {"GET / HTTP/1.0\r\n\r\n", `GET / minor=0 host= kind=0 0 [] close`},
		"close":            {"GET / HTTP/1.1\r\n" + host + "Connection: x, Close\r\n\r\n", `GET / minor=1 host=git.example.com kind=0 0 [Host=git.example.com Connection=x, Close] close`},
		"expect":           {"PUT / HTTP/1.1\r\n" + host + "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", `PUT / minor=1 host=git.example.com kind=1 1 [Host=git.example.com Expect=100-Continue Content-Length=1] expect`},
		"upgrade":          {"GET / HTTP/1.1\r\n" + host + "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n", `GET / minor=1 host=git.example.com kind=0 0 [Host=git.example.com Connection=upgrade Upgrade=websocket] upgrade=websocket`},
		"absolute-form":    {"GET hTTps://Git.example.com?x HTTP/1.1\r\n" + host + "\r\n", `GET /?x minor=1 host=git.example.com kind=0 0 [Host=git.example.com] authority=Git.example.com`},
		"two names":        {"GET http://other.example/ HTTP/1.1\r\n" + host + "\r\n", `GET / minor=1 host=git.example.com kind=0 0 [Host=git.example.com] authority=other.example close`},
		"obs-text":         {"GET /\xe9 HTTP/1.1\r\n" + host + "X: \xff\r\n\r\n", "GET /\xe9 minor=1 host=git.example.com kind=0 0 [Host=git.example.com X=\xff]"},
	} {
		for _, piece := range []int{1, 5, len(tt.head)} {
			r := newRequest()
			n, err := feed(r, []byte(tt.head), piece)
			if err != nil || n != len(tt.head) {
				t.Errorf("%s: %d %v", name, n, err)
				continue
			}
			if got := describe(r); got != tt.want {
				t.Errorf("%s:\n got %s\nwant %s", name, got, tt.want)
			}
		}
	}
}

func describe(r *h1.Request) string {
	var fields []string
	for _, f := range r.Fields {
		fields = append(fields, fmt.Sprintf("%s=%s", f.Name, f.Value))
	}
	s := fmt.Sprintf("%s %s minor=%d host=%s kind=%d %d %s", r.Method, r.Target, r.Minor, r.Host, r.Kind, r.Length, fields)
	if r.Authority != nil {
		s += " authority=" + string(r.Authority)
	}
	if r.Close {
		s += " close"
	}
	if r.Expect {
		s += " expect"
	}
	if r.Upgrade != nil {
		s += " upgrade=" + string(r.Upgrade)
	}
	return s
}

func TestHeadEndsWhereTheNextMessageBegins(t *testing.T) {
	first, second := "POST /a HTTP/1.1\r\n"+host+"\r\n", "GET /b HTTP/1.1\r\n"+host+"\r\n"
	r := newRequest()
	n, err := r.Feed([]byte(first + second))
	if err != nil || n != len(first) {
		t.Fatalf("%d %v", n, err)
	}
	r.Reset()
	if n, err := r.Feed([]byte(second)); err != nil || n != len(second) || string(r.Target) != "/b" || len(r.Fields) != 1 {
		t.Errorf("%d %v %s", n, err, describe(r))
	}
}

func TestHeadsAreReadWithoutAllocation(t *testing.T) {
	head := []byte("GET /bitbucket/projects HTTP/1.1\r\n" + host + strings.Repeat("Accept: text/html\r\n", 10) + "\r\n")
	r := newRequest()
	if n := testing.AllocsPerRun(100, func() {
		r.Reset()
		if n, err := r.Feed(head); n == 0 || err != nil {
			t.Fatal(n, err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzRequest: whatever is accepted is accepted in the same way in pieces, and
// what is written of it is read back as the same request.
func FuzzRequest(f *testing.F) {
	for _, seed := range corpus(f) {
		f.Add(seed)
	}
	f.Add([]byte("POST /a HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, pieces := newRequest(), newRequest()
		n, err := whole.Feed(in)
		m, failed := feed(pieces, in, 1)
		if (err == nil) != (failed == nil) || n != m {
			t.Fatalf("whole: %d %v, in pieces: %d %v", n, err, m, failed)
		}
		if err != nil || n == 0 {
			return
		}
		if bytes.ContainsAny(in[:n], "\x00\x7f") || bytes.Contains(bytes.ReplaceAll(in[:n], []byte("\r\n"), nil), []byte("\n")) {
			t.Fatalf("accepted %q", in[:n])
		}
		if whole.Minor == 0 {
			return // written as HTTP/1.1, it would lack a Host
		}
		out := h1.AppendRequestLine(nil, whole.Method, whole.Target)
		for _, f := range whole.Fields {
			out = h1.AppendField(out, f.Name, f.Value)
		}
		out = append(out, "\r\n"...)
		again := newRequest()
		again.MaxHead *= 2
		if n, err := again.Feed(out); n != len(out) || err != nil {
			t.Fatalf("%q is not read back from %q: %v", in, out, err)
		}
		if !bytes.Equal(again.Target, whole.Target) || len(again.Fields) != len(whole.Fields) || again.Kind != whole.Kind || again.Length != whole.Length {
			t.Fatalf("%q reads back as another request", in)
		}
	})
}
