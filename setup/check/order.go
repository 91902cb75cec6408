package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"bitgate/certs/acme"
	"bitgate/certs/caa"
	"bitgate/internal/problem"
	"bitgate/internal/sockets"
	"bitgate/setup"
)

// DNS is who is asked about the names that a certificate is to be ordered for.
type DNS struct {
	Server string                               // host:port; "" is what the machine asks
	Own    func() (own []netip.Addr, err error) // addresses of this machine; nil: its interfaces'
}

// lookTime bounds the questions about the names of one order.
const lookTime = 20 * time.Second

// checkOrder looks at what an authority will look at, before an order counts against
// one of its limits: the clock, where the names lead, and who may issue for them. What
// this machine sees of DNS need not be what the world sees, so that most of it warns.
func (pr Prover) checkOrder(ctx context.Context, f setup.Facts, p setup.Plan) []problem.Finding {
	ctx, done := context.WithTimeout(ctx, lookTime)
	defer done()
	var out []problem.Finding
	for _, c := range p.Changes() {
		o := c.Obtain
		if o == nil {
			continue
		}
		out = append(out, clock(f.Authority.Ahead)...)
		for _, name := range o.Names {
			if _, err := netip.ParseAddr(name); err == nil {
				continue
			}
			if o.Challenge == setup.HTTP01 || o.Challenge == setup.TLSALPN01 {
				out = append(out, pr.DNS.leads(ctx, name, o.Challenge)...)
			}
			if o.Challenge == setup.DNSPersist01 {
				out = append(out, pr.DNS.persists(ctx, name, f.Authority)...)
			}
			out = append(out, pr.DNS.mayIssue(ctx, name, f.Authority, o.Challenge)...)
		}
	}
	return out
}

// A certificate begins to be valid when it is issued, or an hour (Let's Encrypt) or a
// minute (step-ca) before.
const (
	clockOff = 30 * time.Second
	clockBad = time.Hour
)

// clock compares the authority's with this machine's. An answer may take seconds.
func clock(ahead time.Duration) []problem.Finding {
	f := problem.Finding{ID: "clock", Level: problem.Warn, Why: "a certificate may not be valid yet, or have ended, by one of them", Do: "set the clock (timedatectl set-ntp true)"}
	switch off := ahead.Abs(); {
	case off < clockOff:
		return nil
	case off >= clockBad:
		f.Level = problem.Fail
	}
	which := "behind"
	if ahead < 0 {
		which = "ahead of"
	}
	f.Found = fmt.Sprintf("this machine's clock is %s %s the authority's", ahead.Abs(), which)
	return []problem.Finding{f}
}

// leads looks where a name leads: to this machine by every record, or else an
// authority asks somebody else. It tries IPv6 first.
func (d DNS) leads(ctx context.Context, name, challenge string) []problem.Finding {
	const elsewhere = "or show by DNS whose the name is: --acme-challenge dns-01 --acme-dns-hook FILE"
	port := map[string]string{setup.HTTP01: "80", setup.TLSALPN01: "443"}[challenge]
	all, err := d.resolver().LookupNetIP(ctx, "ip", name+".")
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return warn("dns", name+" has no address in DNS, as this machine sees it",
			"an authority connects to the name's port "+port+" from outside", "see that the name has an address in public DNS that leads here, "+elsewhere)
	case err != nil:
		return warn("dns", "where "+name+" leads is not known: "+err.Error(), "an authority has to find this machine by it", "check /etc/resolv.conf")
	}
	own, err := d.own()
	if err != nil {
		return nil // nothing to compare with
	}
	var here, there []string
	v6 := false
	for _, a := range all {
		a = a.Unmap()
		if slices.Contains(own, a) || a.IsLoopback() {
			here = append(here, a.String())
		} else {
			there, v6 = append(there, a.String()), v6 || a.Is6()
		}
	}
	switch {
	case len(there) == 0:
		return []problem.Finding{{ID: "dns", Level: problem.OK, Found: name + " leads to this machine (" + strings.Join(here, ", ") + ")"}}
	case v6:
		return warn("dns", fmt.Sprintf("%s leads to %s, which is no address of this machine", name, strings.Join(there, ", ")),
			"an authority tries IPv6 first, and whoever answers there is asked whose the name is", "see that it leads here; else remove that AAAA record, "+elsewhere)
	case len(here) > 0:
		return warn("dns", fmt.Sprintf("%s leads to %s as well, which is no address of this machine", name, strings.Join(there, ", ")),
			"an authority may ask there", "see that port "+port+" of all of them leads here, "+elsewhere)
	}
	return []problem.Finding{{
		ID: "dns", Level: problem.Note, Found: fmt.Sprintf("%s leads to %s, which is not an address of this machine itself", name, strings.Join(there, ", ")),
		Why: "an authority connects to port " + port + " there", Do: "see that what has this address passes that port on to this machine",
	}}
}

func warn(id, found, why, do string) []problem.Finding {
	return []problem.Finding{problem.Warning(id, found, why, do)}
}

// mayIssue asks for CAA records, as the authority will.
func (d DNS) mayIssue(ctx context.Context, name string, by setup.Authority, challenge string) []problem.Finding {
	server := d.Server
	if server == "" {
		server = caa.Resolver()
	}
	if server == "" || len(by.Issuers) == 0 {
		return nil // nobody to ask, or an authority that no record can name
	}
	set, err := caa.Find(ctx, server, name)
	if err != nil {
		return warn("caa", err.Error(), "an authority issues nothing while it cannot know who may (CAA)", "ask by hand: dig CAA "+name)
	}
	order := caa.Order{Issuers: by.Issuers, Account: by.Account, Challenge: challenge, Wildcard: strings.HasPrefix(name, "*.")}
	why := set.Forbids(order)
	if why == "" {
		return nil
	}
	record := set.At + `. CAA 0 issue "` + by.Issuers[0]
	if set.ByAccount(order) {
		if by.Account == "" {
			return warn("caa", why+" (at "+set.At+"), and there is no account yet", "the authority would refuse the order",
				"apply makes the account, says its URL for the record, and orders nothing before that")
		}
		record += "; accounturi=" + by.Account
	}
	return []problem.Finding{{
		ID: "caa", Level: problem.Fail, Found: "DNS does not let this authority issue for " + name + ": " + why + " (at " + set.At + ")",
		Why: "it would refuse the order, and refusals are counted", Do: "add the record " + record + `", or order where it allows (--acme-ca)`,
	}}
}

// persists looks for the record of dns-persist-01, which a person sets.
func (d DNS) persists(ctx context.Context, name string, by setup.Authority) []problem.Finding {
	if by.Account == "" {
		return warn("dns", "there is no account at the authority yet, and the record of dns-persist-01 names it", "the authority would refuse the order",
			"apply makes the account, says the record, and orders nothing before that")
	}
	if len(by.Issuers) == 0 {
		return nil // the order says so
	}
	fqdn, want, err := acme.PersistRecord(name, by.Issuers[0], by.Account)
	if err != nil {
		return warn("dns", err.Error(), "", "")
	}
	values, _ := d.resolver().LookupTXT(ctx, fqdn+".") // none: not seen
	if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, "accounturi="+by.Account) }) {
		return []problem.Finding{{ID: "dns", Level: problem.OK, Found: fqdn + " names the account " + by.Account}}
	}
	return warn("dns", "the record of dns-persist-01 is not seen from this machine at "+fqdn, "the authority looks for it, and refusals are counted", "set it once, and leave it: "+fqdn+`. TXT "`+want+`"`)
}

func (d DNS) resolver() *net.Resolver {
	if d.Server == "" {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, d.Server)
	}}
}

func (d DNS) own() ([]netip.Addr, error) {
	if d.Own != nil {
		return d.Own()
	}
	return sockets.Addresses()
}
