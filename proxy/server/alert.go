package server

import (
	"crypto/tls"
	"net"
)

// alertRecord is the length, in bytes, of a TLS record with an alert (RFC 8446, 5.1
// and 6).
const alertRecord = 7

// overheard is a client's connection whose last word is kept. OpenSSL says in the
// clear why it gives up a handshake of TLS 1.3, most often that it does not trust the
// certificate; crypto/tls awaits that encrypted and calls it a bad record MAC.
type overheard struct {
	net.Conn
	last [alertRecord]byte
}

// Read implements net.Conn.
func (o *overheard) Read(p []byte) (int, error) {
	n, err := o.Conn.Read(p)
	if n >= alertRecord {
		copy(o.last[:], p[n-alertRecord:n])
	}
	return n, err
}

// alert is what the client gave up with, in the clear.
func (o *overheard) alert() (why tls.AlertError, said bool) {
	const record, major, fatal = 21, 3, 2
	b := o.last
	return tls.AlertError(b[6]), b[0] == record && b[1] == major && b[3] == 0 && b[4] == 2 && b[5] == fatal
}
