package abuse

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// attacker is one HTTP/2 connection whose frames are what the test says.
type attacker struct {
	*http2.Framer
	conn   *tls.Conn
	out    *bufio.Writer
	block  bytes.Buffer
	hpack  *hpack.Encoder
	host   string
	stream uint32          // the last one it opened
	over   <-chan struct{} // the attack's time
}

// attack opens a connection; a deaf one reads nothing that the proxy sends.
func (f *front) attack(over <-chan struct{}, deaf bool, settings ...http2.Setting) (*attacker, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", f.addr, &tls.Config{RootCAs: f.roots, ServerName: "localhost", NextProtos: []string{"h2"}})
	if err != nil {
		return nil, err
	}
	a := &attacker{conn: conn, out: bufio.NewWriterSize(conn, 64<<10), host: f.url.Authority(), over: over}
	a.Framer = http2.NewFramer(a.out, nil)
	a.AllowIllegalWrites = true
	a.hpack = hpack.NewEncoder(&a.block)
	a.out.WriteString(http2.ClientPreface)
	if err := a.WriteSettings(settings...); err != nil {
		return nil, err
	}
	if !deaf {
		go io.Copy(io.Discard, conn)
	}
	return a, a.out.Flush()
}

// send has everything written on its way, for a second at most: a proxy that
// reads no more has won.
func (a *attacker) send() error {
	_ = a.conn.SetWriteDeadline(time.Now().Add(time.Second))
	return a.out.Flush()
}

// head encodes a request's fields, name after value.
func (a *attacker) head(method string, fields ...string) []byte {
	a.block.Reset()
	all := append([]string{":method", method, ":scheme", "https", ":authority", a.host, ":path", abusedPath}, fields...)
	for i := 0; i < len(all); i += 2 {
		_ = a.hpack.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1], Sensitive: true}) // into memory
	}
	return a.block.Bytes()
}

// open starts a stream with a request's head.
func (a *attacker) open(method string, end bool, fields ...string) error {
	a.stream = max(1, a.stream+2) | 1
	return a.WriteHeaders(http2.HeadersFrameParam{StreamID: a.stream, BlockFragment: a.head(method, fields...), EndStream: end, EndHeaders: true})
}

// hold waits for the attack's end.
func (a *attacker) hold() error {
	if err := a.send(); err != nil {
		return err
	}
	<-a.over
	return io.EOF
}

// long fields, which differ from each other, of about n bytes together.
func longFields(n int) []string {
	var all []string
	for i := range n / 1000 {
		all = append(all, "x-long-"+strconv.Itoa(i), strings.Repeat("v", 950))
	}
	return all
}
