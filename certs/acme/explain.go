package acme

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"bitgate/internal/problem"
)

// refusal is what an authority said no with.
type refusal struct {
	acme.Problem
	request string
	until   time.Time
	reached bool // an authority answered, whatever it said
}

// Error has the authority's own words first.
func (r *refusal) Error() string {
	text := r.Detail
	for _, s := range r.Subproblems {
		text += fmt.Sprintf("; %s: %s", s.Identifier.Value, s.Detail)
	}
	text = cmp.Or(text, "no reason given")
	if r.Status == 0 { // nothing that speaks ACME has answered
		return fmt.Sprintf("%q (in answer to %s)", text, r.request)
	}
	return fmt.Sprintf("%q (%s, %d, in answer to %s)", text, strings.TrimPrefix(r.Type, acme.ProblemTypeNamespace), r.Status, r.request)
}

// RetryAfter is until when the authority does not want to be asked again, zero where
// it did not say.
func RetryAfter(err error) time.Time {
	if r, is := errors.AsType[*refusal](err); is {
		return r.until
	}
	return time.Time{}
}

// Unreached reports whether nothing that speaks ACME has answered: one that answers and
// refuses is there.
func Unreached(err error) bool {
	r, is := errors.AsType[*refusal](err)
	return is && r.Status == 0 && !r.reached
}

// AboutTheName reports whether an order failed because of the name or of how it was
// shown whose it is: another authority would find the same.
func AboutTheName(err error) bool {
	var own solverError
	var r *refusal
	switch {
	case errors.As(err, &own):
		return true
	case !errors.As(err, &r):
		return false
	}
	if _, challenged := r.Resource.(acme.Authorization); challenged {
		return true
	}
	return r.Type == acme.ProblemTypeRejectedIdentifier || r.Type == acme.ProblemTypeUnsupportedIdentifier
}

// solverError is what a solver itself failed with.
type solverError struct{ error }

func (e solverError) Unwrap() error { return e.error }

// explain makes an error for people of what the library says.
func (c *Client) explain(err error, found string) error {
	if told, is := errors.AsType[*problem.Error](err); is {
		return problem.Wrap(solverError{told}, found, "", "").WithKind(told.Kind)
	}
	last := c.talk.latest()
	reached := last.status > 0 && c.talk.answered()
	var p acme.Problem
	switch {
	case errors.As(err, &p):
		at := c.talk.refused(p.Status)
		a, challenged := p.Resource.(acme.Authorization)
		if challenged {
			at = exchange{request: "the challenge for " + a.IdentifierValue()}
		}
		why, do := advice(p, at.until)
		if own, o := c.challengeAdvice(p, a); challenged && own != "" {
			why, do = own, o
		}
		return problem.Wrap(&refusal{p, at.request, at.until, true}, found, why, do)
	case errors.Is(err, context.Canceled):
		return problem.Wrap(err, found, "", "")
	case reached && errors.Is(err, context.DeadlineExceeded):
		return problem.Wrap(err, found, "the authority had not decided when the time for an order was over", "try again later; where it goes so each time, ask the authority, or take another (--acme-ca)")
	}
	why, do := c.unreachable(err)
	return problem.Wrap(&refusal{acme.Problem{Type: "no answer", Detail: plain(err)}, last.request, last.until, reached}, found, why, do)
}

// plain drops the library's retry counters.
func plain(err error) string {
	if u, is := errors.AsType[*url.Error](err); is {
		return u.Err.Error()
	}
	return err.Error()
}

// unreachable: there was no answer that speaks ACME.
func (c *Client) unreachable(err error) (why, do string) {
	host := c.Order.Directory
	if u, perr := url.Parse(host); perr == nil {
		host = u.Host
	}
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var dns *net.DNSError
	var verify *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unknown):
		return "this machine does not trust the certificate of " + host, "name the authority's root with --ca-file"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate is outside its dates by this machine's clock (" + c.now().UTC().Format("2006-01-02 15:04 MST") + ")", "check the clock (timedatectl)"
	case errors.As(err, &verify):
		return "the certificate of " + host + " is not for it", "check the address of the authority, and what stands in between"
	case errors.As(err, &dns):
		return "the name " + host + " does not resolve on this machine", "check /etc/resolv.conf, or https_proxy where the way out leads through a proxy"
	}
	if c.talk.latest().status > 0 {
		return host + " answers, and not with what it was asked for", "try again later; where it is so each time, check the address of the authority, and what stands in between (a proxy that wants somebody to log in)"
	}
	if c.talk.answered() {
		return host + " has answered before, and the connection was lost in the middle", "try again; where it is lost each time, look at what stands in between (a proxy, or a limit of time)"
	}
	return "nothing can be ordered without it", "check that this machine reaches " + host + " (a firewall, or a proxy: https_proxy), and try again"
}

// advice is for what an authority says of the request itself.
func advice(p acme.Problem, until time.Time) (why, do string) {
	later := "try again later"
	if !until.IsZero() {
		later = "try again after " + until.UTC().Format("2006-01-02 15:04 MST")
	}
	switch p.Type {
	case acme.ProblemTypeRateLimited:
		return "the authority allows only so many of these in a time", later
	case acme.ProblemTypeCAA:
		return "a CAA record in DNS keeps this authority from issuing for the name", "add a CAA record that names it, or remove the one that forbids it"
	case acme.ProblemTypeDNS:
		return "the authority's resolvers find no usable answer for the name", "see that the name resolves in public DNS (a name that only the company knows cannot be validated from outside), or use --acme-challenge dns-01"
	case acme.ProblemTypeExternalAccountRequired:
		return "it makes accounts only for those who have one with it already", "--acme-eab-id ID --acme-eab-file FILE, with what the authority shows"
	case acme.ProblemTypeUserActionRequired:
		return "the authority waits for somebody to agree to its terms", "read " + cmp.Or(p.Instance, "its terms of service") + " and agree there"
	case acme.ProblemTypeRejectedIdentifier, acme.ProblemTypeUnsupportedIdentifier:
		return "this authority does not issue for the name", "use a public name of your own, or another authority (--acme-ca)"
	case acme.ProblemTypeBadCSR, acme.ProblemTypeBadPublicKey:
		return "it does not accept the key or the request", "try the other type of key (--acme-key ecdsa or rsa)"
	case acme.ProblemTypeUnauthorized:
		return "the account may not do this", "see that it was not deactivated, and that the id and key of an external account are those that the authority shows"
	case acme.ProblemTypeServerInternal:
		return "the fault is the authority's own", later
	case acme.ProblemTypeMalformed:
		return "it did not understand the request", "see that the id and key of an external account are those that the authority shows, or take another authority"
	}
	if p.Status == 429 || p.Status >= 500 {
		return "the authority is busy or out of order", later
	}
	return "nothing was issued", later
}

// challengeAdvice is for a name that the authority could not validate.
func (c *Client) challengeAdvice(p acme.Problem, a acme.Authorization) (why, do string) {
	name := a.IdentifierValue()
	switch p.Type {
	case acme.ProblemTypeConnection, acme.ProblemTypeUnauthorized, acme.ProblemTypeIncorrectResponse, acme.ProblemTypeTLS:
	default:
		return "", ""
	}
	reached := p.Type == acme.ProblemTypeUnauthorized || p.Type == acme.ProblemTypeIncorrectResponse
	switch c.Order.Challenge {
	case HTTP01:
		if reached {
			return "something else answers http://" + name + "/.well-known/acme-challenge/, or answers for another account",
				"see that every address of the name in public DNS (A and AAAA) leads to this machine, and what stands before it"
		}
		return "the authority connects to port 80 of every address that public DNS has for the name, IPv6 first",
			"open port 80 of the firewall to everybody, remove a stale AAAA record, or use --acme-challenge dns-01"
	case TLSALPN01:
		return "the authority connects to port 443 of the name and must meet the built-in proxy itself",
			"see that nothing before it ends TLS, or use --acme-challenge http-01"
	case DNS01:
		return "the authority did not find the record at _acme-challenge." + strings.TrimPrefix(name, "*."),
			"see that the hook changes the zone that the whole world sees, and returns only when all its servers have the record"
	case DNSPersist01:
		return "the authority did not find the record at _validation-persist." + strings.TrimPrefix(name, "*."),
			"set it once, and leave it: " + c.persistRecord(name)
	}
	return "", ""
}

// persistRecord is the record of dns-persist-01 as a zone file has it.
func (c *Client) persistRecord(name string) string {
	account, _, err := c.Store.Account(c.Order.Directory)
	dir, derr := c.acme.GetDirectory(context.Background()) // it is known by now
	if err != nil || derr != nil || dir.Meta == nil || len(dir.Meta.CAAIdentities) == 0 {
		return "_validation-persist." + strings.TrimPrefix(name, "*.") + ". TXT, with the authority's name and accounturi= of the account"
	}
	fqdn, value, err := PersistRecord(name, dir.Meta.CAAIdentities[0], account.URL)
	if err != nil {
		return err.Error()
	}
	return fqdn + `. TXT "` + value + `"`
}
