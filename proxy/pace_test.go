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

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"bitgate/proxy/config"
)

// drip is a body that comes in so many pieces of so many bytes, with pauses.
type drip struct {
	pieces, size int
	pause        time.Duration
}

func (d *drip) Read(p []byte) (int, error) {
	if d.pieces == 0 {
		return 0, io.EOF
	}
	d.pieces--
	time.Sleep(d.pause)
	return copy(p, make([]byte, d.size)), nil
}

// A body may take longer than a head, as long as it comes on; below the floor it is
// given up.
func TestShortBodiesAreLimitedByTheirPace(t *testing.T) {
	r := start(t, server(t, func(w http.ResponseWriter, q *http.Request) {
		n, _ := io.Copy(io.Discard, q.Body)
		fmt.Fprint(w, n)
	}), func(c *config.Config) { c.RequestTimeout = 4 * time.Second })
	for name, tt := range map[string]struct {
		drip
		want int
	}{
		"comes on":      {drip{60, 50, 100 * time.Millisecond}, http.StatusOK},
		"hardly at all": {drip{200, 1, 100 * time.Millisecond}, http.StatusRequestTimeout},
	} {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %v", name, http2), func(t *testing.T) {
				t.Parallel()
				thrice(t, func() string {
					body := tt.drip
					req, _ := http.NewRequestWithContext(t.Context(), "POST", r.url.BaseURL()+"/x", &body)
					req.ContentLength = int64(body.pieces * body.size)
					res, text, err := r.try(r.client(http2), req)
					switch {
					case err != nil:
						return err.Error()
					case res.StatusCode != tt.want || tt.want == http.StatusOK && text != "3000":
						return fmt.Sprintf("%s %q, want %d", res.Status, text, tt.want)
					}
					return ""
				})
			})
		}
	}
}

// An HTTP/2 client that expects 100 and sends its body all the same, with its head
// or soon after, is not waited for where the server sends no 100.
func TestBodyThatCameIsNotAwaited(t *testing.T) {
	r := start(t, tcpServer(t, func(conn net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		body, _ := io.ReadAll(req.Body)
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX-Body: %s\r\n\r\n.", body)
	}), nil)
	for _, pause := range []time.Duration{0, 50 * time.Millisecond} {
		config := r.tls()
		config.NextProtos = []string{"h2"}
		conn, err := dialTLS(r.addr, config)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, http2.ClientPreface)
		frames := http2.NewFramer(conn, conn)
		frames.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		var head strings.Builder
		encoder := hpack.NewEncoder(&head)
		for _, f := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", r.url.Authority()}, {":path", "/bitbucket/x"}, {"expect", "100-continue"}} {
			_ = encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		frames.WriteSettings()
		begun := time.Now()
		frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(head.String()), EndHeaders: true})
		time.Sleep(pause)
		frames.WriteData(1, true, []byte("body"))
		for {
			frame, err := frames.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			if answer, ok := frame.(*http2.MetaHeadersFrame); ok {
				if took := time.Since(begun); answer.PseudoValue("status") != "200" || took > 4*time.Second {
					t.Errorf("pause %v: %s after %v", pause, answer.PseudoValue("status"), took)
				}
				break
			}
		}
	}
}

// An answer that is malformed from the start is the server's fault, and the client
// is told so, where head and body come together, too.
func TestAnswerThatIsMalformedFromTheStart(t *testing.T) {
	for name, chunks := range map[string]string{
		"negative": "-5\r\nhello\r\n0\r\n\r\n", "no number": "zz\r\n", "junk after a chunk": "5\r\nhelloXX5\r\n", "size too long": strings.Repeat("f", 20) + "\r\n",
	} {
		r := start(t, tcpServer(t, func(conn net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s", chunks)
			}
		}), nil)
		for _, http2 := range []bool{false, true} {
			if res, _ := r.do(r.client(http2), "GET", "/bitbucket/x", nil); res.StatusCode != http.StatusBadGateway {
				t.Errorf("%s, HTTP/2 %v: %s", name, http2, res.Status)
			}
		}
	}
}
