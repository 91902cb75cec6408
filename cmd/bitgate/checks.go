package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"bitgate/bitbucket"
	"bitgate/setup"
)

// slowChecks looks at one answer in a way that takes time: DNS, ports,
// Bitbucket itself, the certificate.
func slowChecks(ctx context.Context, question string, f setup.Facts, a setup.Answers) []setup.Finding {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	switch question {
	case "url":
		return []setup.Finding{checkName(ctx, a)}
	case "upstream":
		if f.Instance.State == bitbucket.Unreachable {
			return []setup.Finding{{
				ID: question, Level: setup.Warn, Seen: fmt.Sprintf("nothing answers as Bitbucket at %s: %s", f.Instance.Base, f.Instance.Detail),
				Do: "start Bitbucket, or correct the address",
			}}
		}
		return []setup.Finding{{ID: question, Level: setup.OK, Seen: fmt.Sprintf("%s says %s", f.Instance.Base, f.Instance.State)}}
	case "cert", "key", "chain", "pem":
		return checkCertificate(f)
	case "ssh-upstream":
		return []setup.Finding{checkDial(ctx, question, a.SSHUpstream)}
	}
	return nil
}

// checkName: clients find the front by the public name.
func checkName(ctx context.Context, a setup.Answers) setup.Finding {
	f := setup.Finding{ID: "url", Level: setup.OK}
	if a.URL.IsZero() {
		return f
	}
	host := a.URL.Host()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		f.Level, f.Seen = setup.Warn, fmt.Sprintf("%s does not resolve here: %v", host, err)
		f.Why, f.Do = "clients find the front by this name", "add the name to DNS before clients use it"
		return f
	}
	mine, err := net.InterfaceAddrs()
	if err != nil {
		mine = nil
	}
	for _, m := range mine {
		if ip, _, err := net.ParseCIDR(m.String()); err == nil && slices.Contains(addrs, ip.String()) {
			f.Seen = fmt.Sprintf("%s resolves to this machine (%s)", host, ip)
			return f
		}
	}
	f.Level, f.Seen = setup.Note, fmt.Sprintf("%s resolves to %s, which is not an address of this machine", host, strings.Join(addrs, ", "))
	f.Why = "that is right behind a load balancer or NAT, and wrong otherwise"
	return f
}

func checkCertificate(f setup.Facts) []setup.Finding {
	c := f.Certificate
	switch {
	case !c.Given:
		return nil
	case c.Error != "":
		return []setup.Finding{{ID: "cert", Level: setup.Warn, Seen: c.Error}}
	case len(c.Findings) > 0:
		return c.Findings
	}
	return []setup.Finding{{ID: "cert", Level: setup.OK, Seen: fmt.Sprintf("for %s, until %.10s", strings.Join(c.Names, ", "), c.NotAfter)}}
}

func checkDial(ctx context.Context, id, address string) setup.Finding {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return setup.Finding{
			ID: id, Level: setup.Warn, Seen: err.Error(), Why: "the front would have nowhere to forward SSH to",
			Do: "enable SSH in Bitbucket (Administration, Server settings), or correct the address",
		}
	}
	conn.Close()
	return setup.Finding{ID: id, Level: setup.OK, Seen: "something listens on " + address}
}
