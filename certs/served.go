package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"
)

// handshakeTime bounds one look at what a front serves.
const handshakeTime = 5 * time.Second

// Served is the certificate that whoever listens on address (host:port) shows a
// client that asks for host, or, with an empty host, for no name, as health checks
// do. It is not judged. A refusal of this client after that (one that wants a
// certificate of the client, for example) is no error.
func Served(ctx context.Context, address, host string) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var leaf *x509.Certificate
	name := host
	if net.ParseIP(host) != nil {
		name = "" // no name is sent for an address (RFC 6066, 3)
	}
	client := tls.Client(conn, &tls.Config{
		ServerName: name, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, //nolint:gosec // which one it is, is the question
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) > 0 {
				leaf = s.PeerCertificates[0]
			}
			return nil
		},
	})
	err = client.HandshakeContext(ctx)
	switch {
	case leaf != nil:
		return leaf, nil
	case err == nil:
		err = errors.New("no certificate was shown")
	}
	return nil, fmt.Errorf("no TLS at %s: %w", address, err)
}

// Fingerprint is the SHA-256 of a certificate in hex.
func Fingerprint(c *x509.Certificate) string { return digest(c.Raw) }

// Trusted reports whether a client with this machine's authorities accepts the chain
// that is sent, whatever the name.
func (m *Material) Trusted() bool { return m.acceptedHere(m.intermediates) }

// Leaf is the certificate itself.
func (m *Material) Leaf() *x509.Certificate { return m.leaf }
