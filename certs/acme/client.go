package acme

import (
	"context"
	"crypto/x509"
	"net/http"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"

	"bitgate/certs/store"
	"bitgate/internal/problem"
	"bitgate/internal/trusted"
)

// Client orders at one authority, with what is kept in a store.
type Client struct {
	Store   store.Store
	Order   store.Order
	Version string           // of bitgate, for User-Agent
	DNS     string           // host:port of who is asked for CAA records; "" is what the machine asks
	Log     func(string)     // what happens, for people; may be nil
	Now     func() time.Time // nil: time.Now

	talk *transport
	acme *acmez.Client
}

// Info is what an authority says of itself.
type Info struct {
	Terms       string            // URL of its terms of service, "" for none
	Bound       bool              // an account needs external account binding
	Profiles    map[string]string // name -> description
	Identities  []string          // what CAA records name it
	RenewalInfo bool              // it says when to renew (RFC 9773)
	Ahead       time.Duration     // its clock is before this machine's by that, to the second; 0 where it does not say
}

func (c *Client) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func (c *Client) tell(text string) {
	if c.Log != nil {
		c.Log(text)
	}
}

// connect makes the client of the library once.
func (c *Client) connect() error {
	if c.acme != nil {
		return nil
	}
	var roots *x509.CertPool
	if c.Order.CAFile != "" {
		data, err := trusted.ReadFile("the authority's own certificate", c.Order.CAFile, maxBody)
		if err != nil {
			return problem.Wrap(err, "--ca-file "+c.Order.CAFile+" cannot be read", "the authority's https is checked by it", "check the path")
		}
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(data) {
			return problem.New("--ca-file "+c.Order.CAFile+" holds no certificate in PEM", "the authority's https is checked by it", "name the root of the authority")
		}
	}
	c.talk = newTransport(roots, c.now)
	c.acme = &acmez.Client{Client: &acme.Client{
		Directory: c.Order.Directory, UserAgent: "bitgate/" + c.Version,
		HTTPClient: &http.Client{Transport: c.talk, Timeout: 60 * time.Second},
	}}
	return nil
}

// Info asks the authority for its directory.
func (c *Client) Info(ctx context.Context) (Info, error) {
	if err := c.connect(); err != nil {
		return Info{}, err
	}
	dir, err := c.acme.GetDirectory(ctx)
	if err != nil {
		return Info{}, c.explain(err, "the directory of the authority cannot be read")
	}
	info := Info{RenewalInfo: dir.RenewalInfo != "", Ahead: c.talk.clock()}
	if m := dir.Meta; m != nil {
		info.Terms, info.Bound, info.Profiles, info.Identities = m.TermsOfService, m.ExternalAccountRequired, m.Profiles, m.CAAIdentities
	}
	return info, nil
}
