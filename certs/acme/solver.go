package acme

import (
	"context"
	"net/netip"
	"strconv"
	"strings"

	"github.com/mholt/acmez/v3/acme"

	"bitgate/internal/problem"
)

// Types of challenges (RFC 8555, 8; RFC 8737; draft-ietf-acme-dns-persist).
const (
	HTTP01       = acme.ChallengeTypeHTTP01
	TLSALPN01    = acme.ChallengeTypeTLSALPN01
	DNS01        = acme.ChallengeTypeDNS01
	DNSPersist01 = "dns-persist-01"
)

// Solver answers one type of challenge.
type Solver interface {
	Type() string
	Present(ctx context.Context, c acme.Challenge) error
	CleanUp(ctx context.Context, c acme.Challenge) error
}

// Standing answers by something that stands already: the rule of a front for HTTP-01,
// the record of dns-persist-01.
type Standing string

// Type is Solver's.
func (s Standing) Type() string { return string(s) }

// Present is Solver's.
func (Standing) Present(context.Context, acme.Challenge) error { return nil }

// CleanUp is Solver's.
func (Standing) CleanUp(context.Context, acme.Challenge) error { return nil }

// Standing is what answers for the order without a run: the program that sets records,
// the folder that the proxy looks in, or what stands already.
func (c *Client) Standing() Solver {
	switch c.Order.Challenge {
	case DNS01:
		return Hook{Program: c.Order.DNSHook, Tell: c.Log}
	case TLSALPN01:
		return Folder{Dir: c.Order.Challenges, Group: -1}
	}
	return Standing(c.Order.Challenge)
}

// watched is a solver as the library wants it, cleaned up also after an interruption.
type watched struct {
	Solver
	tell func(string)
}

func (s *watched) Present(ctx context.Context, c acme.Challenge) error {
	s.tell(c.Type + " for " + c.Identifier.Value)
	return s.Solver.Present(ctx, c)
}

func (s *watched) CleanUp(ctx context.Context, c acme.Challenge) error {
	err := s.Solver.CleanUp(context.WithoutCancel(ctx), c)
	if err != nil {
		s.tell("cleaning up after the challenge: " + err.Error())
	}
	return err
}

// Wait is the library's: a solver may have to wait until the world sees its answer.
func (s *watched) Wait(ctx context.Context, c acme.Challenge) error {
	if w, is := s.Solver.(interface {
		Wait(context.Context, acme.Challenge) error
	}); is {
		return w.Wait(ctx, c)
	}
	return nil
}

// ServerName is the name in the TLS handshake of a validation: of an address it is
// the one of its reverse mapping (RFC 8738, 6).
func ServerName(identifier string) string {
	ip, err := netip.ParseAddr(identifier)
	if err != nil {
		return strings.ToLower(identifier)
	}
	const hex = "0123456789abcdef"
	var labels []string
	raw := ip.AsSlice()
	for i := len(raw) - 1; i >= 0; i-- {
		if ip.Is4() {
			labels = append(labels, strconv.Itoa(int(raw[i])))
			continue
		}
		labels = append(labels, string(hex[raw[i]&15]), string(hex[raw[i]>>4]))
	}
	if ip.Is4() {
		return strings.Join(labels, ".") + ".in-addr.arpa"
	}
	return strings.Join(labels, ".") + ".ip6.arpa"
}

// PersistRecord is the record that dns-persist-01 looks for; issuer is how the
// authority calls itself (Info.Identities), account its account's URL.
func PersistRecord(name, issuer, account string) (fqdn, value string, err error) {
	if issuer == "" {
		return "", "", problem.New("the authority does not say by which name records call it", "the record of dns-persist-01 begins with it", "use --acme-challenge dns-01")
	}
	c := acme.Challenge{Identifier: acme.Identifier{Type: "dns", Value: strings.TrimPrefix(name, "*.")}}
	return c.DNSPersist01TXTRecordName(), c.DNSPersist01TXTRecordValue(acme.Account{Location: account}, issuer, strings.HasPrefix(name, "*.")), nil
}
