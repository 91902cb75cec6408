package h1_test

import (
	"errors"
	"strings"
	"testing"

	"bitgate/proxy/h1"
)

func newResponse(toHEAD bool) *h1.Response {
	r := &h1.Response{MaxHead: 64 << 10, MaxFields: 200}
	r.Reset(toHEAD)
	return r
}

func TestAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		head   string
		toHEAD bool
		kind   h1.Kind
		length int64
		close  bool
	}{
		"length":                 {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false, h1.Length, 3, false},
		"length zero":            {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, h1.None, 0, false},
		"chunked":                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, h1.Chunked, -1, false},
		"until the end":          {"HTTP/1.1 200 OK\r\n\r\n", false, h1.UntilEnd, -1, true},
		"to HEAD":                {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true, h1.None, 3, false},
		"to HEAD, chunked":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, h1.None, -1, false},
		"204":                    {"HTTP/1.1 204 No Content\r\n\r\n", false, h1.None, -1, false},
		"304 with a length":      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", false, h1.None, 7, false},
		"100":                    {"HTTP/1.1 100 Continue\r\n\r\n", false, h1.None, -1, false},
		"no reason":              {"HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\n", false, h1.Length, 3, false},
		"no reason, no blank":    {"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\n", false, h1.Length, 3, false},
		"close":                  {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n", false, h1.Length, 3, true},
		"HTTP/1.0":               {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", false, h1.Length, 3, true},
		"HTTP/1.0 that is kept":  {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n", false, h1.Length, 3, false},
		"field with odd letters": {"HTTP/1.1 200 OK\r\nX_y: \xff\r\nContent-Length: 3\r\n\r\n", false, h1.Length, 3, false},
	} {
		r := newResponse(tt.toHEAD)
		n, err := r.Feed([]byte(tt.head))
		if err != nil || n != len(tt.head) || r.Kind != tt.kind || r.Length != tt.length || r.Close != tt.close {
			t.Errorf("%s: %d %v kind=%d length=%d close=%v", name, n, err, r.Kind, r.Length, r.Close)
		}
	}
}

func TestAnswersThatAreRefused(t *testing.T) {
	for name, head := range map[string]string{
		"another protocol":  "SSH-2.0-x\r\n\r\n",
		"HTTP/2":            "HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.2":          "HTTP/1.2 200 OK\r\n\r\n",
		"status of two":     "HTTP/1.1 20 OK\r\n\r\n",
		"status of four":    "HTTP/1.1 2000 OK\r\n\r\n",
		"status 099":        "HTTP/1.1 099 OK\r\n\r\n",
		"status 600":        "HTTP/1.1 600 OK\r\n\r\n",
		"two blanks":        "HTTP/1.1  200 OK\r\n\r\n",
		"bare LF":           "HTTP/1.1 200 OK\n\n",
		"control in reason": "HTTP/1.1 200 O\x01K\r\n\r\n",
		"fold":              "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
		"two lengths":       "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
		"both lengths":      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
		"another coding":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"too long":          "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 70<<10) + "\r\n\r\n",
	} {
		var broken *h1.Error
		_, err := newResponse(false).Feed([]byte(head))
		if err == nil {
			t.Errorf("%s passes", name)
		} else if !errors.As(err, &broken) || broken.Status != 502 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzResponse: pieces make no difference.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n", "HTTP/1.0 304 \r\n\r\n"} {
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, in []byte, toHEAD bool) {
		whole, pieces := newResponse(toHEAD), newResponse(toHEAD)
		n, err := whole.Feed(in)
		m, broken := 0, (*h1.Error)(nil)
		for end := 1; end <= len(in) && m == 0 && broken == nil; end++ {
			m, broken = pieces.Feed(in[:end])
		}
		if n != m || (err == nil) != (broken == nil) {
			t.Fatalf("%d %v, in pieces %d %v", n, err, m, broken)
		}
		if n > 0 && (whole.Kind != pieces.Kind || whole.Length != pieces.Length || whole.Status != pieces.Status) {
			t.Fatal("in pieces it is another answer")
		}
	})
}
