package process

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"bitgate/internal/hostport"
	"bitgate/internal/problem"
)

// inherited are bound sockets that the service manager keeps, so that none is
// lost over a restart: connections wait in them until the next process accepts.
type inherited []net.Listener

// inherit takes over the sockets.
func inherit(files []*os.File) (inherited, error) {
	var all inherited
	for i, file := range files {
		l, err := listenerOf(file)
		if err != nil {
			for _, rest := range files[i+1:] {
				rest.Close()
			}
			all.close()
			return nil, problem.Wrap(err, fmt.Sprintf("descriptor %s, which was passed as a socket, is not one to listen on", file.Name()), "", "correct the .socket unit: ListenStream=")
		}
		all = append(all, l)
	}
	return all, nil
}

// listenerOf takes the descriptor over.
func listenerOf(file *os.File) (net.Listener, error) {
	defer file.Close() // the listener has a copy
	return net.FileListener(file)
}

func (i inherited) close() {
	for _, l := range i {
		l.Close()
	}
}

// overlapping are those that keep another socket from being bound to address.
func (i inherited) overlapping(address string) (all inherited) {
	at, err := hostport.Parse(address)
	for _, l := range i {
		have, boundErr := hostport.Parse(l.Addr().String())
		if err == nil && boundErr == nil && at.Overlaps(have) {
			all = append(all, l)
		}
	}
	return all
}

// match finds the socket of each address, which has one at most; rest are those of
// none. A name comes after the addresses that are written out, for it may be several
// and is bound to one.
func (i inherited) match(addresses []string) (found map[string]net.Listener, rest inherited) {
	found, rest = map[string]net.Listener{}, slices.Clone(i)
	for _, same := range []func(wanted string, bound net.Addr) bool{sameAddress, sameName} {
		for _, address := range addresses {
			if found[address] != nil {
				continue
			}
			at := slices.IndexFunc(rest, func(l net.Listener) bool { return same(address, l.Addr()) })
			if at >= 0 {
				found[address] = rest[at]
				rest = slices.Delete(rest, at, at+1)
			}
		}
	}
	return found, rest
}

// sameAddress compares a configured address with a bound one: ":443" is bound as
// "[::]:443".
func sameAddress(wanted string, bound net.Addr) bool {
	if bound.Network() == "unix" {
		return wanted == "unix:"+bound.String()
	}
	want, have, ok := samePort(wanted, bound)
	if ok && want.Wildcard() && want.Network() == "tcp" { // which is to be IPv4 and IPv6
		want.Host = everyAddress()
	}
	return ok && want.IP().IsValid() && want.IP() == have.IP()
}

// everyAddress is what a socket on all addresses is bound to: "::", which takes IPv4
// too, or "0.0.0.0" where the machine has no IPv6.
var everyAddress = sync.OnceValue(func() string {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		return "::"
	}
	defer l.Close()
	at, _ := hostport.Parse(l.Addr().String())
	return at.Host
})

// sameName reports whether the host that is to be listened on is a name, and the
// bound address one of those that it has: net.Listen binds one of several, and
// servers of names tell them in any order.
func sameName(wanted string, bound net.Addr) bool {
	want, have, ok := samePort(wanted, bound)
	if !ok || want.Host == "" || want.IP().IsValid() {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	defer cancel()
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", want.Host)
	return err == nil && slices.ContainsFunc(all, func(ip netip.Addr) bool { return ip.Unmap() == have.IP() })
}

// lookupTime is for one name; a reload with several must end before handoverTime.
const lookupTime = 5 * time.Second

func samePort(wanted string, bound net.Addr) (want, have hostport.Addr, ok bool) {
	want, err := hostport.Parse(wanted)
	have, boundErr := hostport.Parse(bound.String())
	return want, have, err == nil && boundErr == nil && want.Port == have.Port
}
