package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"

	"bitgate/certs/keystore"
	"bitgate/internal/problem"
)

// Bounds of fetching a chain: who made the certificate chose the addresses.
const (
	maxFetch  = 64 << 10
	fetchTime = 10 * time.Second
	maxUp     = 4 // intermediates in a row
)

// FetchChain adds the intermediate certificates that are missing from where each
// certificate says its issuer's is (RFC 5280, 4.2.2.1). It asks over plain HTTP, which
// is as good as any, because a certificate that did not sign the one below is refused.
// Addresses of this machine and of private networks are asked only where private
// allows it. It returns what was added.
func (m *Material) FetchChain(ctx context.Context, private bool) ([]*x509.Certificate, error) {
	var added []*x509.Certificate
	for range maxUp {
		if m.MissingAt() == "" {
			return added, nil
		}
		issuer, err := fetchIssuer(ctx, m.last(), private)
		if err != nil {
			return added, err
		}
		if selfSigned(issuer) {
			m.roots = append(m.roots, issuer)
			return added, nil
		}
		m.intermediates, added = append(m.intermediates, issuer), append(added, issuer)
	}
	return added, nil
}

// MissingAt is where the certificate above the last of the chain lies, "" where none is
// missing or the last one does not say.
func (m *Material) MissingAt() string {
	last := m.last()
	known := slices.ContainsFunc(m.roots, func(root *x509.Certificate) bool { return issued(root, last) })
	if len(last.IssuingCertificateURL) == 0 || selfSigned(last) || known || m.acceptedHere(m.intermediates) {
		return ""
	}
	return last.IssuingCertificateURL[0]
}

// last of the chain, the leaf where it is alone.
func (m *Material) last() *x509.Certificate {
	if n := len(m.intermediates); n > 0 {
		return m.intermediates[n-1]
	}
	return m.leaf
}

// fetchIssuer gets the certificate that signed c.
func fetchIssuer(ctx context.Context, c *x509.Certificate, private bool) (*x509.Certificate, error) {
	where := c.IssuingCertificateURL[0]
	failed := func(err error) error {
		return problem.Wrap(err, "the intermediate certificate could not be fetched from "+where, "without it git, Java and CI refuse the connection",
			"get it from the authority by hand, and name it with --chain")
	}
	if u, err := url.Parse(where); err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, failed(errors.New("it is no http address"))
	}
	ctx, done := context.WithTimeout(ctx, fetchTime)
	defer done()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, failed(err)
	}
	transport := &http.Transport{DialContext: (&net.Dialer{Control: func(_, address string, _ syscall.RawConn) error { return refusePrivate(address, private) }}).DialContext, DisableKeepAlives: true}
	client := http.Client{Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Scheme != "http" || len(via) > 2 {
			return errors.New("it leads elsewhere")
		}
		return nil
	}}
	answer, err := client.Do(request)
	if err != nil {
		return nil, failed(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxFetch+1))
	switch {
	case err != nil:
		return nil, failed(err)
	case answer.StatusCode != http.StatusOK:
		return nil, failed(errors.New("the answer is " + answer.Status))
	case len(data) > maxFetch:
		return nil, failed(errors.New("the answer is larger than 64 KiB"))
	}
	p, err := parse(where, data, nil)
	if err != nil {
		return nil, failed(err)
	}
	for _, s := range p.stores {
		if s.Format == keystore.Cert || s.Format == keystore.PKCS7 {
			p.certs = append(p.certs, s.Certs()...)
		}
	}
	i := slices.IndexFunc(p.certs, func(issuer *x509.Certificate) bool { return issuer.IsCA && issued(issuer, c) })
	if i < 0 {
		return nil, failed(errors.New("what lies there did not sign this certificate"))
	}
	return p.certs[i], nil
}

// refusePrivate looks at the address that is connected to, after any lookup of a name.
func refusePrivate(address string, private bool) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := at.Addr().Unmap()
	if !private && (!ip.IsGlobalUnicast() || ip.IsPrivate()) {
		return problem.New(ip.String()+" is an address of this machine or of a private network",
			"a certificate from elsewhere could have it ask anything there", "for a company's own authority allow your own network (--fetch-chain=private)")
	}
	return nil
}
