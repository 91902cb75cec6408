package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"bitgate/proxy"
	"bitgate/proxy/config"
)

// behindBalancer is a proxy with a listener for a trusted one, where what is written
// at once is read at once; dial connects to that.
func behindBalancer(t *testing.T, bitbucket http.HandlerFunc) (dial func() net.Conn, host string) {
	t.Helper()
	var plain net.Listener
	r := startWith(t, server(t, bitbucket), func(c *config.Config) { c.TrustedProxies = []string{"127.0.0.1"} }, func(l *proxy.Listeners) {
		var err error
		if plain, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		l.Plain = plain
	})
	return func() net.Conn {
		t.Helper()
		conn, err := net.DialTimeout("tcp", plain.Addr().String(), patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(2 * patience))
		return conn
	}, r.url.Authority()
}

// headOf is a head of exactly n bytes.
func headOf(n int, line, host string, fields ...string) string {
	head := line + " HTTP/1.1\r\nHost: " + host + "\r\nX-Forwarded-Proto: https\r\n" + strings.Join(fields, "")
	for i := 0; n-len(head) > 8000; i++ {
		head += fmt.Sprintf("X-Long-%d: %s\r\n", i, strings.Repeat("a", 6000))
	}
	const end = "X-Last: \r\n\r\n"
	return head + end[:8] + strings.Repeat("a", n-len(head)-len(end)) + end[8:]
}

// wholeAnswer reads an answer to its end and returns the status and the body.
func wholeAnswer(t *testing.T, in *bufio.Reader) string {
	t.Helper()
	res := readAnswer(t, in)
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(res.StatusCode, " ", string(text))
}

// A head may fill the buffer to its last byte, with the body behind it.
func TestBodyBehindHeadThatFillsTheBuffer(t *testing.T) {
	dial, host := behindBalancer(t, func(w http.ResponseWriter, q *http.Request) {
		n, _ := io.Copy(io.Discard, q.Body)
		fmt.Fprint(w, n)
	})
	for _, n := range []int{8 << 10, 24 << 10, 24<<10 - 1, 48 << 10, 64<<10 - 1} {
		conn := dial()
		fmt.Fprint(conn, headOf(n, "POST /bitbucket/x", host, "Content-Length: 20000\r\n"))
		time.Sleep(10 * time.Millisecond) // the head is read by itself
		fmt.Fprint(conn, strings.Repeat("b", 20_000))
		if got := wholeAnswer(t, bufio.NewReader(conn)); got != "200 20000" {
			t.Errorf("behind a head of %d bytes: %s", n, got)
		}
	}
}

// However often long heads come, their room is given back: also behind a large
// upload, in the buffer of that.
func TestRoomForLongHeadsIsGivenBack(t *testing.T) {
	begun := make(chan struct{}, 1)
	dial, host := behindBalancer(t, func(w http.ResponseWriter, q *http.Request) {
		if q.Method == "POST" {
			_, _ = io.ReadFull(q.Body, make([]byte, 13_000))
			begun <- struct{}{}
		}
		n, _ := io.Copy(io.Discard, q.Body)
		fmt.Fprint(w, n)
	})
	conn := dial()
	in := bufio.NewReader(conn)
	upload := headOf(200, "POST /bitbucket/x", host, "Content-Length: 17000\r\n") + strings.Repeat("b", 13_000)
	next := strings.Repeat("b", 4000) + headOf(62_000, "GET /bitbucket/x", host)
	for i := range 600 {
		fmt.Fprint(conn, upload)
		receive(t, "the upload", begun)
		fmt.Fprint(conn, next)
		if first, second := wholeAnswer(t, in), wholeAnswer(t, in); first != "200 4000" || second != "200 0" {
			t.Fatalf("round %d: %s, then %s", i, first, second)
		}
	}
	other := dial()
	fmt.Fprint(other, headOf(60_000, "GET /bitbucket/x", host))
	if got := wholeAnswer(t, bufio.NewReader(other)); got != "200 0" {
		t.Errorf("then another client: %s", got)
	}
}
