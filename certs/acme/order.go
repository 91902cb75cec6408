package acme

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"

	"bitgate/certs/store"
	"bitgate/internal/problem"
)

// Issued is a certificate that an authority has made. Its key is in Bundle alone.
type Issued struct {
	Leaf   *x509.Certificate
	Bundle []byte // leaf, chain and key in PEM, as a front reads them. Secret bytes
}

// String exists so that no print verb can reach the key.
func (i Issued) String() string { return "certificate for " + strings.Join(i.Leaf.DNSNames, ", ") }

// GoString is String, for %#v.
func (i Issued) GoString() string { return i.String() }

// Obtain orders one certificate; solver answers the challenges. replaces is the one
// that this authority issued before, nil for none: an order that names it counts
// against none of the authority's limits. Where the authority has no account of ours
// (any more), one is made, with binding where it wants one. Errors are *problem.Error
// with the authority's own words; see RetryAfter.
func (c *Client) Obtain(ctx context.Context, solver Solver, replaces *x509.Certificate, binding *Binding) (Issued, error) {
	info, err := c.Info(ctx)
	if err != nil {
		return Issued{}, err
	}
	if err := c.profile(info); err != nil {
		return Issued{}, err
	}
	if !info.RenewalInfo {
		replaces = nil // it would not know the field
	}
	account, err := c.account(ctx, info, binding)
	if err != nil {
		return Issued{}, err
	}
	issued, err := c.order(ctx, account, solver, replaces)
	if !gone(err) {
		return issued, err
	}
	c.tell("the authority does not know the account any more; a new one is made")
	made, err := c.newAccount(ctx, info, binding)
	if err != nil { // the one of before is kept: the authority may know it again, and no binding is there to make another by night
		return Issued{}, problem.Wrap(err, "the authority does not know the account "+account.Location, "it is tried again with that one", "").WithKind(problem.KindOf(err))
	}
	return c.order(ctx, made, solver, replaces)
}

// Orderable reports, without an order being made, what would keep the authority from one:
// it does not answer, its terms are not agreed to, it has no such profile, it wants a
// binding. An account is made where records in DNS have to name it first, which is then
// reported.
func (c *Client) Orderable(ctx context.Context, binding *Binding) error {
	info, err := c.Info(ctx)
	if err != nil {
		return err
	}
	if err := c.profile(info); err != nil {
		return err
	}
	if _, found, err := c.Store.Account(c.Order.Directory); found || err != nil {
		return err
	}
	if binding == nil && info.Bound {
		return unbound()
	}
	if err := c.agreed(info); err != nil {
		return err
	}
	return c.introduce(ctx, info, binding)
}

// profile: an unknown one is refused before anything counts.
func (c *Client) profile(info Info) error {
	if _, known := info.Profiles[c.Order.Profile]; known || c.Order.Profile == "" {
		return nil
	}
	has := "it has none"
	if len(info.Profiles) > 0 {
		has = "it has " + strings.Join(slices.Sorted(maps.Keys(info.Profiles)), ", ")
	}
	return problem.New("the authority has no profile "+problem.ShellWord(c.Order.Profile), has, "leave --acme-profile out, or choose one of its own").WithKind(problem.Usage)
}

func (c *Client) order(ctx context.Context, account acme.Account, solver Solver, replaces *x509.Certificate) (Issued, error) {
	key, err := store.NewKey(store.KeyType(c.Order.KeyType))
	if err != nil {
		return Issued{}, err
	}
	csr, err := acmez.NewCSR(key, c.Order.Names)
	if err != nil {
		return Issued{}, problem.Wrap(err, "no request can be made for "+strings.Join(c.Order.Names, ", "), "", "check the names")
	}
	params, err := acmez.OrderParametersFromCSR(account, csr)
	if err != nil {
		return Issued{}, err
	}
	params.Profile, params.Replaces = c.Order.Profile, replaces
	c.acme.ChallengeSolvers = map[string]acmez.Solver{solver.Type(): &watched{Solver: solver, tell: c.tell}}
	c.tell("order for " + strings.Join(c.Order.Names, ", "))
	if solver.Type() == DNSPersist01 {
		for _, name := range c.Order.Names {
			c.tell("the authority looks for " + c.persistRecord(name))
		}
	}
	chains, err := c.acme.ObtainCertificate(ctx, params)
	if err != nil && replaces != nil && c.refusedReplacing(err) {
		c.tell("the authority does not take this order as a renewal; it is made as a new one")
		params.Replaces = nil
		chains, err = c.acme.ObtainCertificate(ctx, params)
	}
	if gone(err) {
		return Issued{}, err // Obtain makes another account
	}
	if err != nil {
		return Issued{}, c.explain(err, "the authority issued no certificate for "+strings.Join(c.Order.Names, ", "))
	}
	if len(chains) == 0 {
		return Issued{}, problem.New("the authority answered the order without a certificate", "", "ask the authority, or take another")
	}
	return issue(chains[0].ChainPEM, key)
}

// refusedReplacing: the order itself was refused, for what it was to replace: another
// account's, or one that the authority does not know. (One that was replaced already
// is handled by the library.)
func (c *Client) refusedReplacing(err error) bool {
	var p acme.Problem
	if !errors.As(err, &p) || p.Resource != nil {
		return false
	}
	request := c.talk.refused(p.Status).request
	dir, derr := c.acme.GetDirectory(context.Background()) // it is known by now
	if derr != nil || request != "POST "+dir.NewOrder {
		return false
	}
	switch p.Type {
	case acme.ProblemTypeMalformed, acme.ProblemTypeUnauthorized, acme.ProblemTypeServerInternal, acme.ProblemTypeAlreadyReplaced:
		return true
	}
	return p.Status == 404
}

// issue judges what came: it must be for the key it was asked for with.
func issue(chain []byte, key crypto.Signer) (Issued, error) {
	var out Issued
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if out.Leaf == nil {
			leaf, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return Issued{}, problem.Wrap(err, "the authority's certificate cannot be read", "", "ask the authority, or take another")
			}
			out.Leaf = leaf
		}
		out.Bundle = append(out.Bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes})...)
	}
	if out.Leaf == nil {
		return Issued{}, problem.New("the authority answered the order without a certificate", "", "ask the authority, or take another")
	}
	if k, is := out.Leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !is || !k.Equal(key.Public()) {
		return Issued{}, problem.New("the authority's certificate is for another key", "the front could not start with it", "ask the authority, or take another")
	}
	secret, err := store.EncodeKey(key)
	if err != nil {
		return Issued{}, err
	}
	defer clear(secret)
	out.Bundle = append(out.Bundle, secret...)
	return out, nil
}
