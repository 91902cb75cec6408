package proxy_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// What comes over HTTP/2 reaches the server strictly framed, under the same
// rules as over HTTP/1.1.
func TestHTTP2ReachesTheServerStrictlyFramed(t *testing.T) {
	o := newOracle(t)
	r := start(t, o.addr, nil)
	c := r.client(true)
	forged := http.Header{
		"X-Forwarded-For": {"6.6.6.6"}, "X_forwarded_for": {"6.6.6.6"}, "X-Original-Url": {"/admin"}, "Te": {"trailers"},
		"Authorization": {"Basic eDp5"}, "Cookie": {"a=1", "b=2"}, "X-Empty": {""},
	}
	for _, tt := range []struct {
		method, target, body string
		unknown              bool // the length is not told
		want                 []string
	}{
		{"GET", "/bitbucket/a%2Fb;c//d?e=f;g&h=%2F", "", false, nil},
		{"HEAD", "/bitbucket/x", "", false, nil},
		{"POST", "/bitbucket/x", "", false, []string{"Content-Length: 0"}},
		{"POST", "/bitbucket/x", "hello", false, []string{"Content-Length: 5"}},
		{"PUT", "/bitbucket/x", "hello", true, []string{"Transfer-Encoding: chunked"}},
		{"DELETE", "/bitbucket/x?", "", false, nil},
	} {
		path, query, _ := strings.Cut(tt.target, "?")
		var body io.Reader
		if tt.body != "" {
			body = strings.NewReader(tt.body)
		}
		if tt.unknown {
			body = io.MultiReader(body)
		}
		req, err := http.NewRequest(tt.method, r.url.Origin(), body)
		if err != nil {
			t.Fatal(err)
		}
		req.URL = &url.URL{Scheme: "https", Host: r.url.Authority(), Opaque: "//" + r.url.Authority() + path, RawQuery: query, ForceQuery: strings.HasSuffix(tt.target, "?")}
		req.Header = forged.Clone()
		res, err := c.Do(req)
		if err != nil {
			t.Errorf("%s %s: %v", tt.method, tt.target, err)
			continue
		}
		res.Body.Close()
		got := o.take()
		if res.StatusCode != 200 || res.ProtoMajor != 2 || len(got) != 1 {
			t.Errorf("%s %s: %s, %d messages", tt.method, tt.target, res.Status, len(got))
			continue
		}
		lines := strings.Split(got[0].head, "\r\n")
		want := append(tt.want, tt.method+" "+tt.target+" HTTP/1.1", "Host: "+r.url.Authority(), "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https", "Authorization: Basic eDp5", "X-Empty: ")
		for _, line := range want {
			if !slices.ContainsFunc(lines, func(l string) bool { return sameLine(l, line) }) {
				t.Errorf("%s %s: no line %q in %q", tt.method, tt.target, line, got[0].head)
			}
		}
		if len(got[0].faults) > 0 || strings.Contains(got[0].head, "6.6.6.6") || strings.Contains(got[0].head, "/admin") || strings.Contains(got[0].head, "trailers") {
			t.Errorf("%s %s: %v in %q", tt.method, tt.target, got[0].faults, got[0].head)
		}
	}
}

// A stream that was answered while its trailers arrive costs nobody anything.
func TestAnsweredWithinTrailers(t *testing.T) {
	r := start(t, server(t, func(http.ResponseWriter, *http.Request) {}), nil)
	c := r.tls()
	c.NextProtos = []string{"h2"}
	conn, err := dialTLS(r.addr, c)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	fields := func(pairs ...string) []byte {
		block.Reset()
		for i := 0; i < len(pairs); i += 2 {
			_ = encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}) // into memory
		}
		return bytes.Clone(block.Bytes())
	}
	_, _ = io.WriteString(conn, http2.ClientPreface)
	f := http2.NewFramer(conn, conn)
	until := func(kind http2.FrameType, stream uint32) {
		t.Helper()
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				t.Fatalf("waiting for %v: %v", kind, err)
			}
			if frame.Header().Type == kind && frame.Header().StreamID == stream {
				return
			}
		}
	}
	_ = f.WriteSettings()
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields(":method", "POST", ":scheme", "https", ":path", "/bitbucket/x", ":authority", "other.example.com"), EndHeaders: true})
	trailers := fields("x-sum", "1")
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: trailers[:1], EndStream: true})
	until(http2.FrameRSTStream, 1)
	_ = f.WriteContinuation(1, true, trailers[1:])
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: fields(":method", "GET", ":scheme", "https", ":path", "/bitbucket/x", ":authority", r.url.Authority(), "x-sum", "1"), EndHeaders: true, EndStream: true})
	until(http2.FrameHeaders, 3)
	if res, _ := r.get("/bitbucket/x"); res.StatusCode != http.StatusOK {
		t.Errorf("then another client: %s", res.Status)
	}
}

// sameLine compares lines of a head; fields come in lower case (RFC 9113, 8.2.1),
// and an engine may leave them so.
func sameLine(a, b string) bool {
	nameA, valueA, fieldA := strings.Cut(a, ": ")
	nameB, valueB, fieldB := strings.Cut(b, ": ")
	return a == b || fieldA && fieldB && strings.EqualFold(nameA, nameB) && valueA == valueB
}
