package acme

import (
	"cmp"
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/mholt/acmez/v3/acme"

	"bitgate/certs/caa"
	"bitgate/certs/store"
	"bitgate/internal/problem"
	"bitgate/internal/trusted"
)

// AnyTerms agrees to whatever terms an authority has.
const AnyTerms = "agree"

// Binding joins a new account to one that somebody has at the authority (external
// account binding, RFC 8555, 7.3.4). It is used for the first order alone.
type Binding struct {
	ID  string
	mac string
}

// ReadBinding reads the MAC key from a file. Authorities show it in each kind of
// base64, and people copy it with blanks.
func ReadBinding(id, file string) (*Binding, error) {
	data, err := trusted.ReadFile("the key of the external account", file, 4096)
	if err != nil {
		return nil, problem.Wrap(err, "--acme-eab-file "+file+" cannot be read", "the authority binds the account by the key in it", "check the path")
	}
	defer clear(data)
	mac := strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(strings.Join(strings.Fields(string(data)), ""), "="))
	if raw, err := base64.RawURLEncoding.DecodeString(mac); err != nil || len(raw) < 16 {
		return nil, problem.New("--acme-eab-file "+file+" holds no key in base64", "the authority binds the account by it", "copy the HMAC key that the authority shows beside the key id, and nothing else")
	}
	return &Binding{ID: id, mac: mac}, nil
}

// String exists so that no print verb can reach the key.
func (b *Binding) String() string { return "binding to " + b.ID }

// GoString is String, for %#v.
func (b *Binding) GoString() string { return b.String() }

// Thumbprint is what a front answers HTTP-01 with behind the token (RFC 8555, 8.3),
// "" where there is no account key yet.
func Thumbprint(s store.Store) (string, error) {
	key, err := s.AccountKey()
	if key == nil || err != nil {
		return "", err
	}
	account := acme.Account{PrivateKey: key}
	return account.Thumbprint()
}

// accountKey is the key of all accounts, and its id.
func (c *Client) accountKey() (key crypto.Signer, id string, err error) {
	if key, err = c.Store.EnsureAccountKey(); err != nil {
		return nil, "", err
	}
	id, err = store.KeyID(key.Public())
	return key, id, err
}

// account is the kept account at the authority, or a new one.
func (c *Client) account(ctx context.Context, info Info, binding *Binding) (acme.Account, error) {
	key, id, err := c.accountKey()
	if err != nil {
		return acme.Account{}, err
	}
	kept, found, err := c.Store.Account(c.Order.Directory)
	if err != nil {
		return acme.Account{}, err
	}
	if found && kept.Key == id {
		if info.Terms != kept.Terms {
			c.tell("the authority's terms of service have changed since the account was made: " + info.Terms)
		}
		return acme.Account{Status: acme.StatusValid, Location: kept.URL, PrivateKey: key}, nil
	}
	return c.newAccount(ctx, info, binding)
}

// newAccount is one in the place of any that is kept, which stays until the new one is made.
func (c *Client) newAccount(ctx context.Context, info Info, binding *Binding) (acme.Account, error) {
	if err := c.agreed(info); err != nil {
		return acme.Account{}, err
	}
	key, id, err := c.accountKey()
	if err != nil {
		return acme.Account{}, err
	}
	wanted := acme.Account{PrivateKey: key, TermsOfServiceAgreed: info.Terms != ""}
	if binding == nil && info.Bound {
		return acme.Account{}, unbound()
	}
	if binding != nil {
		if err := wanted.SetExternalAccountBinding(ctx, c.acme.Client, acme.EAB{KeyID: binding.ID, MACKey: binding.mac}); err != nil {
			return acme.Account{}, c.explain(err, "the external account cannot be bound")
		}
	}
	made, err := c.acme.NewAccount(ctx, wanted)
	if err != nil {
		return acme.Account{}, c.explain(err, "the authority makes no account")
	}
	c.tell("account " + made.Location)
	return made, c.Store.SaveAccount(store.Account{Directory: c.Order.Directory, URL: made.Location, Terms: info.Terms, Key: id, Made: c.now().UTC()})
}

func unbound() error {
	return problem.New("the authority makes accounts only for those who have one with it already", "it gives them a key id and a key for that (external account binding)",
		"get both from the authority, then --acme-eab-id ID --acme-eab-file FILE").WithKind(problem.Usage)
}

// agreed: no account is made under terms that nobody has agreed to.
func (c *Client) agreed(info Info) error {
	switch c.Order.Terms {
	case info.Terms, AnyTerms:
		return nil
	case "":
		return problem.New("the authority has terms of service: "+info.Terms, "an account is made only for those who agree to them",
			"read them, then --acme-terms "+problem.ShellWord(info.Terms)).WithKind(problem.Usage)
	}
	return problem.New("the authority's terms of service are now "+info.Terms, "others were agreed to: "+c.Order.Terms,
		"read them, then --acme-terms "+problem.ShellWord(info.Terms)).WithKind(problem.Usage)
}

// gone: the authority does not know the kept account any more.
func gone(err error) bool {
	var p acme.Problem
	return errors.As(err, &p) && p.Type == acme.ProblemTypeAccountDoesNotExist
}

// introduce makes the account before an order where DNS must name it: no record can name
// one that is not there. The error has what is to be set; there is none where DNS need
// not name it.
func (c *Client) introduce(ctx context.Context, info Info, binding *Binding) error {
	bound := c.bound(ctx, info, "")
	if c.Order.Challenge != DNSPersist01 && len(bound) == 0 {
		return nil
	}
	account, err := c.account(ctx, info, binding)
	if err != nil {
		return err
	}
	var records []string
	if c.Order.Challenge == DNSPersist01 {
		for _, name := range c.Order.Names {
			records = append(records, c.persistRecord(name))
		}
	}
	for _, at := range bound {
		records = append(records, at+`. CAA 0 issue "`+info.Identities[0]+"; accounturi="+account.Location+`"`)
	}
	return problem.New("the account at the authority was made just now, "+account.Location+", so that DNS does not name it yet",
		"the authority would refuse the order, and refusals are counted; nothing was ordered", "set "+strings.Join(records, " and ")+", then run this again")
}

// bound are the names whose CAA records let the authority issue for another account than
// the one with that URL alone. What cannot be looked up is the authority's to judge.
func (c *Client) bound(ctx context.Context, info Info, account string) []string {
	server := cmp.Or(c.DNS, caa.Resolver())
	if server == "" || len(info.Identities) == 0 {
		return nil
	}
	var at []string
	for _, name := range c.Order.Names {
		set, err := caa.Find(ctx, server, name)
		o := caa.Order{Issuers: info.Identities, Account: account, Challenge: c.Order.Challenge, Wildcard: strings.HasPrefix(name, "*.")}
		if err == nil && set.ByAccount(o) && !slices.Contains(at, set.At) {
			at = append(at, set.At)
		}
	}
	return at
}

// ForOthersAlone reports whether an authority that knows us by another account refused
// for CAA records that let c's authority issue for c's account: that says nothing of an
// order at c's.
func (c *Client) ForOthersAlone(ctx context.Context, err error) bool {
	r, is := errors.AsType[*refusal](err)
	if !is || r.Type != acme.ProblemTypeCAA {
		return false
	}
	info, err := c.Info(ctx)
	if err != nil {
		return false
	}
	kept, found, err := c.Store.Account(c.Order.Directory)
	return err == nil && found && len(c.bound(ctx, info, "")) > 0 && len(c.bound(ctx, info, kept.URL)) == 0
}

// AccountURL makes sure of an account and returns its URL, which the records of
// dns-persist-01 and CAA name.
func (c *Client) AccountURL(ctx context.Context, binding *Binding) (string, error) {
	info, err := c.Info(ctx)
	if err != nil {
		return "", err
	}
	a, err := c.account(ctx, info, binding)
	return a.Location, err
}
