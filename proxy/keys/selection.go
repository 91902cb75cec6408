package keys

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/tls"
	"slices"
	"strings"
)

// selection answers which certificate a client gets. It is never changed, only
// replaced.
type selection struct {
	names    map[string][]*tls.Certificate // lower case, also "*.example.com"
	fallback []*tls.Certificate
}

func newSelection(pairs []*pair) *selection {
	s := &selection{names: map[string][]*tls.Certificate{}}
	for _, c := range certificates(pairs) {
		for _, name := range names(c) {
			s.names[name] = append(s.names[name], c)
		}
	}
	// The default is the first pair, with its twin of the other kind of key.
	s.fallback = []*tls.Certificate{pairs[0].cert}
	if own := names(pairs[0].cert); len(own) > 0 {
		s.fallback = s.names[own[0]]
	}
	return s
}

func names(c *tls.Certificate) []string {
	var all []string
	for _, name := range c.Leaf.DNSNames {
		if name = strings.ToLower(strings.TrimSuffix(name, ".")); !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// Names reports whether a certificate that is served is for exactly this name, and not
// only for a wildcard that covers it.
func (s *Store) Names(host string) bool { return s.serving.Load().names[strings.ToLower(host)] != nil }

func rank(c *tls.Certificate) int {
	switch c.Leaf.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return 0
	case ed25519.PublicKey: // clients that know it know ECDSA, the reverse does not hold
		return 2
	}
	return 1
}

// candidates for a server name (RFC 6066, 3): its own certificates, else those
// with a wildcard in place of its first label (RFC 9525, 6.3), else the default.
func (s *selection) candidates(name string) []*tls.Certificate {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if found := s.names[name]; found != nil {
		return found
	}
	if _, domain, ok := strings.Cut(name, "."); ok {
		if found := s.names["*."+domain]; found != nil {
			return found
		}
	}
	return s.fallback
}

// GetCertificate is tls.Config's: the first of the candidates whose key the
// client can verify.
func (s *Store) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	candidates := s.serving.Load().candidates(hello.ServerName)
	if len(candidates) > 1 {
		anyName := *hello // the name was judged above; an unknown one gets the default
		anyName.ServerName = ""
		for _, c := range candidates {
			if anyName.SupportsCertificate(c) == nil {
				return c, nil
			}
		}
	}
	return candidates[0], nil
}
