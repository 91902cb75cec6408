package clients

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"bitgate/proxy/config"
	"bitgate/proxy/conns"
)

// said is a connection on which a trusted proxy has said something.
type said struct {
	net.Conn
	in *bytes.Reader
}

func (s said) Read(p []byte) (int, error)      { return s.in.Read(p) }
func (s said) SetReadDeadline(time.Time) error { return nil }
func (s said) RemoteAddr() net.Addr            { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7} }

// FuzzPROXYHeader: whatever a trusted proxy sends, it is refused, or names an
// address, and what follows the header comes through unchanged.
func FuzzPROXYHeader(f *testing.F) {
	for _, header := range []string{
		"PROXY TCP4 192.0.2.7 192.0.2.8 56324 443\r\n", "PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "PROXY UNKNOWN\r\n", "PROXY TCP4 1 2\r\n",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x08\xdc\x04\x01\xbb", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", "\r\n\r\n\x00\r\nQUIT\n\x21\x21\xff\xff",
	} {
		f.Add([]byte(header), []byte("\x16\x03\x01rest"))
	}
	c := config.Config{ProxyProtocol: true, TrustedProxies: []string{"10.0.0.0/8"}, RequestTimeout: time.Second}.WithDefaults()
	f.Fuzz(func(t *testing.T, header, rest []byte) {
		input := append(bytes.Clone(header), rest...)
		conn, err := Introduced(c, said{in: bytes.NewReader(input)})
		if err != nil {
			return
		}
		if addr := conns.RemoteOf(conn).Addr(); !addr.IsValid() {
			t.Errorf("%q names %v", header, conn.RemoteAddr())
		}
		left, err := io.ReadAll(conn)
		if err != nil || !bytes.HasSuffix(input, left) || len(left) == len(input) {
			t.Errorf("%q: %q is left, %v", input, left, err)
		}
	})
}
