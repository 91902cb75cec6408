package proxy_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestUploadIsNotHeldBack: what has come of a body goes to the server although
// the next chunk's head has come only half, and with it every reason to wait.
func TestUploadIsNotHeldBack(t *testing.T) {
	t.Parallel()
	arrived := make(chan string, 1)
	r := start(t, server(t, func(_ http.ResponseWriter, q *http.Request) {
		first := make([]byte, len("hello"))
		_, _ = io.ReadFull(q.Body, first)
		arrived <- string(first)
		_, _ = io.Copy(io.Discard, q.Body)
	}), nil)
	conn := r.dial()
	defer conn.Close()
	fmt.Fprintf(conn, "POST /bitbucket/x HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1", r.url.Authority())
	if got := receive(t, "the first chunk", arrived); got != "hello" {
		t.Errorf("the server got %q", got)
	}
	fmt.Fprint(conn, "\r\n!\r\n0\r\n\r\n")
	if res := readAnswer(t, bufio.NewReader(conn)); res.StatusCode != http.StatusOK {
		t.Error(res.Status)
	}
}

// TestLargeUploadsAndWhatFollows: bodies of all sizes around the buffers' arrive
// as they were sent, and so does a request that was sent together with the end.
func TestLargeUploadsAndWhatFollows(t *testing.T) {
	t.Parallel()
	random := rand.NewChaCha8([32]byte{1})
	r := start(t, server(t, func(w http.ResponseWriter, q *http.Request) {
		sum := sha256.New()
		n, _ := io.Copy(sum, q.Body)
		fmt.Fprintf(w, "%d %x", n, sum.Sum(nil))
	}), nil)
	conn := r.dial()
	defer conn.Close()
	in := bufio.NewReader(conn)
	for _, size := range []int{1, 12 << 10, 16<<10 - 1, 16 << 10, 24 << 10, 40_000, 64 << 10, 64<<10 + 1, 200_000, 3 << 20} {
		body := make([]byte, size)
		_, _ = random.Read(body)
		for _, chunk := range []int{0, 1000, 16 << 10, 100_000} { // 0: a Content-Length
			if chunk == 1000 && size > 200_000 {
				continue
			}
			go func() { // the proxy may answer before it has read all of what follows
				_, _ = io.WriteString(conn, post(r.url.Authority(), body, chunk)+"GET /bitbucket/next HTTP/1.1\r\nHost: "+r.url.Authority()+"\r\n\r\n")
			}()
			conn.SetDeadline(time.Now().Add(patience))
			for _, want := range []string{fmt.Sprintf("%d %x", size, sha256.Sum256(body)), fmt.Sprintf("0 %x", sha256.Sum256(nil))} {
				res := readAnswer(t, in)
				if got, err := io.ReadAll(res.Body); err != nil || string(got) != want {
					t.Fatalf("%d bytes in chunks of %d: %s, %v, want %s", size, chunk, got, err, want)
				}
			}
		}
	}
}

// post is a request with a body in chunks of the size given.
func post(host string, body []byte, chunk int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "POST /bitbucket/x HTTP/1.1\r\nHost: %s\r\n", host)
	if chunk == 0 {
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
		return b.String()
	}
	b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	for len(body) > 0 {
		n := min(chunk, len(body))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return b.String() + "0\r\n\r\n"
}
