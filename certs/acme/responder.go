package acme

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"bitgate/certs/store"
	"bitgate/internal/pattern"
)

// ChallengePath is where HTTP-01 is asked.
const ChallengePath = "/.well-known/acme-challenge/"

// token is what stands behind it (RFC 8555, 8.3: base64url, at least 128 bits).
var token = pattern.Lazy(`^[A-Za-z0-9_-]{16,256}$`)

// Responder answers HTTP-01 itself, where no front listens on port 80 yet. Between
// Open and Close it answers every token, as the front's rule will.
type Responder struct {
	Standing
	Thumbprint string

	server *http.Server
}

// NewResponder is a Responder for the account key in s.
func NewResponder(s store.Store) (*Responder, error) {
	if _, err := s.EnsureAccountKey(); err != nil {
		return nil, err
	}
	thumb, err := Thumbprint(s)
	return &Responder{Standing: HTTP01, Thumbprint: thumb}, err
}

// Open listens on each address.
func (r *Responder) Open(addresses []string) error {
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	bound, err := listen(addresses)
	for _, l := range bound {
		go func() { _ = r.server.Serve(l) }() // ends with Close
	}
	return err
}

// Close ends it.
func (r *Responder) Close() error {
	if err := r.server.Close(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ServeHTTP is http.Handler's.
func (r *Responder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	t, is := strings.CutPrefix(req.URL.Path, ChallengePath)
	if !is || !token().MatchString(t) || req.Method != http.MethodGet && req.Method != http.MethodHead {
		http.NotFound(w, req)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, t+"."+r.Thumbprint) // a client that is gone wants no answer
}

var _ Solver = (*Responder)(nil)
