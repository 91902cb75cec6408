package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/node"
	"bitgate/internal/problem"
	"bitgate/internal/sockets"
	"bitgate/setup"
	"bitgate/setup/detect"
)

// check looks at one answer in a way that takes time: DNS, ports, Bitbucket
// itself, the certificate.
func (ses *session) check(ctx context.Context, question string, f setup.Facts, a setup.Answers) []problem.Finding {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	switch question {
	case "url":
		return []problem.Finding{checkName(ctx, a)}
	case "upstream":
		return []problem.Finding{ses.checkUpstream(ctx, a)}
	case "cert", "cert-alias", "key", "chain", "pem":
		return checkCertificate(question, a, time.Now(), ses.creds.cert.ask(ctx))
	case "node", "ssh-upstream":
		return checkNodes(ctx, question, f, a)
	}
	return nil
}

// checkNodes looks at what every node says, or whether its SSH server is there.
func checkNodes(ctx context.Context, question string, f setup.Facts, a setup.Answers) []problem.Finding {
	nodes, err := node.ParseAll(a.Nodes)
	if err != nil {
		return nil // the question refuses it
	}
	if len(nodes) == 0 && question == "ssh-upstream" {
		return []problem.Finding{checkDial(ctx, question, a.SSHUpstream)}
	}
	var out []problem.Finding
	if question == "node" {
		for _, s := range detect.AskNodes(ctx, f, a) {
			out = append(out, nodeFinding(s))
		}
		return out
	}
	for _, n := range nodes {
		out = append(out, checkDial(ctx, question, n.At(a.SSHUpstream)))
	}
	return out
}

func nodeFinding(s setup.NodeState) problem.Finding {
	if s.State == bitbucket.Unreachable {
		return problem.Finding{
			ID: "node", Level: problem.Warn, Found: fmt.Sprintf("nothing answers as Bitbucket on node %s at %s: %s", s.Name, s.Base, s.Detail),
			Do: "start it, or correct the address",
		}
	}
	return problem.Finding{ID: "node", Level: problem.OK, Found: fmt.Sprintf("node %s at %s says %s", s.Name, s.Base, s.State)}
}

// checkUpstream looks for Bitbucket at an address that was typed.
func (ses *session) checkUpstream(ctx context.Context, a setup.Answers) problem.Finding {
	probe := ses.probe
	probe.Input = a
	f, err := detect.Facts(ctx, probe)
	switch in := f.Instance; {
	case err != nil:
		return problem.Finding{ID: "upstream", Level: problem.Warn, Found: err.Error()}
	case in.State == bitbucket.Unreachable:
		return problem.Finding{
			ID: "upstream", Level: problem.Warn, Found: fmt.Sprintf("nothing answers as Bitbucket at %s: %s", in.Base, in.Detail),
			Do: "start Bitbucket, or correct the address",
		}
	default:
		return problem.Finding{ID: "upstream", Level: problem.OK, Found: fmt.Sprintf("%s says %s", in.Base, in.State)}
	}
}

// checkName: clients find the front by the public name.
func checkName(ctx context.Context, a setup.Answers) problem.Finding {
	f := problem.Finding{ID: "url", Level: problem.OK}
	if a.URL.IsZero() {
		return f
	}
	host := a.URL.Host()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		f.Level, f.Found = problem.Warn, fmt.Sprintf("%s does not resolve here: %v", host, err)
		f.Why, f.Do = "clients find the front by this name", "add the name to DNS before clients use it"
		return f
	}
	for _, a := range addrs {
		// All of 127/8 is this machine (RFC 1122); Debian's installer gives the host
		// name 127.0.1.1.
		if ip := net.ParseIP(a); ip != nil && ip.IsLoopback() {
			f.Level, f.Found = problem.Note, fmt.Sprintf("%s is %s here, this machine itself (/etc/hosts); other machines ask DNS", host, a)
			return f
		}
	}
	mine, _ := sockets.Addresses() // none: nothing is known to be here
	for _, ip := range mine {
		if slices.Contains(addrs, ip.String()) {
			f.Found = fmt.Sprintf("%s resolves to this machine (%s)", host, ip)
			return f
		}
	}
	f.Level, f.Found = problem.Note, fmt.Sprintf("%s resolves to %s, which is not an address of this machine", host, strings.Join(addrs, ", "))
	f.Why = "that is right behind a load balancer or NAT, and wrong otherwise"
	return f
}

func checkDial(ctx context.Context, id, address string) problem.Finding {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return problem.Finding{
			ID: id, Level: problem.Warn, Found: err.Error(), Why: "the front would have nowhere to forward SSH to",
			Do: "enable SSH in Bitbucket (Administration, Server settings), or correct the address",
		}
	}
	conn.Close()
	return problem.Finding{ID: id, Level: problem.OK, Found: "something listens on " + address}
}
