package acme

import (
	"net"

	"bitgate/internal/hostport"
	"bitgate/internal/problem"
)

// listen binds the addresses on which a front will listen, so that connections to each
// come in: one that a wildcard among them takes as well is not bound twice, which a
// front may do (SO_REUSEPORT) and only makes this refuse itself.
func listen(addresses []string) (bound []net.Listener, err error) {
	all := make([]hostport.Addr, len(addresses))
	for i, address := range addresses {
		if all[i], err = hostport.Parse(address); err != nil {
			return nil, err
		}
	}
	for i, at := range all {
		if taken(all, i) {
			continue
		}
		l, err := net.Listen(at.Network(), at.String())
		if err != nil {
			for _, l := range bound {
				_ = l.Close()
			}
			return nil, problem.Wrap(err, "bitgate cannot listen on "+addresses[i], "the authority asks there whether the name is this machine's", "end what listens there, or use --acme-challenge dns-01")
		}
		bound = append(bound, l)
	}
	return bound, nil
}

// taken reports whether another address takes what comes in on the i-th; of two that
// take the same, the first does.
func taken(all []hostport.Addr, i int) bool {
	for k, other := range all {
		if k != i && takes(other, all[i]) && (k < i || !takes(all[i], other)) {
			return true
		}
	}
	return false
}

// takes reports whether a socket on a has all connections to b: package net has IPv4
// come in on [::], too.
func takes(a, b hostport.Addr) bool {
	switch {
	case a.Port != b.Port:
		return false
	case a == b, a.Wildcard() && !a.IP().Is4():
		return true
	}
	return a.Wildcard() && b.IP().Is4()
}
