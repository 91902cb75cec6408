package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// TLSResponder answers TLS-ALPN-01 itself, where no front listens on port 443 yet.
type TLSResponder struct {
	mu        sync.Mutex
	certs     map[string]*tls.Certificate
	listeners []net.Listener
	open      sync.WaitGroup
}

// Type is Solver's.
func (*TLSResponder) Type() string { return TLSALPN01 }

// Present is Solver's.
func (r *TLSResponder) Present(_ context.Context, c acme.Challenge) error {
	cert, err := acmez.TLSALPN01ChallengeCert(c)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.certs == nil {
		r.certs = map[string]*tls.Certificate{}
	}
	r.certs[ServerName(c.Identifier.Value)] = cert
	return nil
}

// CleanUp is Solver's.
func (r *TLSResponder) CleanUp(_ context.Context, c acme.Challenge) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.certs, ServerName(c.Identifier.Value))
	return nil
}

// Open listens on each address.
func (r *TLSResponder) Open(addresses []string) error {
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{acmez.ACMETLS1Protocol}, GetCertificate: r.certificate}
	bound, err := listen(addresses)
	for _, l := range bound {
		r.listeners = append(r.listeners, l)
		r.open.Go(func() { accept(l, config) })
	}
	return err
}

func (r *TLSResponder) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if cert := r.certs[ServerName(hello.ServerName)]; cert != nil {
		return cert, nil
	}
	return nil, errors.New("no certificate is ordered for that name")
}

// accept does one handshake after the other: an authority makes a few, from several
// places, and who does not go on is not waited for.
func accept(l net.Listener, config *tls.Config) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // closed
		}
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		_ = tls.Server(conn, config).Handshake() // that is all; who fails it asks again
		_ = conn.Close()
	}
}

// Close ends it.
func (r *TLSResponder) Close() error {
	for _, l := range r.listeners {
		_ = l.Close() // closing twice is as good
	}
	r.open.Wait()
	return nil
}
