package h1_test

import (
	"testing"

	"bitgate/proxy/h1"
)

// How an answer is framed for each kind of client (RFC 9112, 6.3 and 9.6).
func TestAnswerFraming(t *testing.T) {
	const start = "HTTP/1.1 200 OK\r\nA: b\r\n"
	for _, tt := range []struct {
		name  string
		a     h1.Answer
		head  h1.Head
		want  string
		close bool
	}{
		{"length", h1.Answer{Minor: 1}, h1.Head{Length: 4}, start + "Content-Length: 4\r\n\r\nbody", false},
		{"length, closing", h1.Answer{Minor: 1, Close: true}, h1.Head{Length: 4}, start + "Content-Length: 4\r\nConnection: close\r\n\r\nbody", true},
		{"unknown length", h1.Answer{Minor: 1}, h1.Head{Length: -1}, start + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", false},
		{"unknown length to HTTP/1.0", h1.Answer{}, h1.Head{Length: -1}, start + "Connection: close\r\n\r\nbody", true},
		{"HEAD", h1.Answer{Minor: 1, HEAD: true}, h1.Head{Length: 4}, start + "Content-Length: 4\r\n\r\n", false},
		{"HEAD of unknown length", h1.Answer{Minor: 1, HEAD: true}, h1.Head{Length: -1}, start + "\r\n", false},
		{"no body", h1.Answer{Minor: 1}, h1.Head{Length: -1, Empty: true}, start + "\r\n", false},
		{"the server closes", h1.Answer{Minor: 1}, h1.Head{Length: 4, Close: true}, start + "Content-Length: 4\r\nConnection: close\r\n\r\nbody", true},
	} {
		tt.head.Status, tt.head.Reason = 200, []byte("OK")
		tt.head.Fields = []h1.Field{{Name: []byte("A"), Value: []byte("b")}}
		got := tt.a.End(tt.a.Data(tt.a.Begin(nil, tt.head), []byte("body")))
		if string(got) != tt.want || tt.a.Close != tt.close {
			t.Errorf("%s: %q, close %v", tt.name, got, tt.a.Close)
		}
	}
}

func TestInterimAnswers(t *testing.T) {
	a := h1.Answer{Minor: 1}
	if got := a.Interim(nil, 103, []byte("Early Hints"), nil); string(got) != "HTTP/1.1 103 Early Hints\r\n\r\n" {
		t.Errorf("%q", got)
	}
	a.Minor = 0
	if got := a.Interim(nil, 100, []byte("Continue"), nil); len(got) > 0 {
		t.Errorf("HTTP/1.0 is sent %q", got)
	}
}
