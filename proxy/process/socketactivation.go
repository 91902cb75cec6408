package process

import (
	"fmt"
	"net"
	"os"

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

// take returns the socket that is bound to address and removes it, nil if there
// is none.
func (i *inherited) take(address string) net.Listener {
	for n, l := range *i {
		if sameAddress(address, l.Addr()) {
			*i = append((*i)[:n:n], (*i)[n+1:]...)
			return l
		}
	}
	return nil
}

// sameAddress compares a configured address with a bound one: ":443" is bound as
// "[::]:443".
func sameAddress(wanted string, bound net.Addr) bool {
	if bound.Network() == "unix" {
		return wanted == "unix:"+bound.String()
	}
	want, err := hostport.Parse(wanted)
	have, boundErr := hostport.Parse(bound.String())
	if err != nil || boundErr != nil || want.Port != have.Port {
		return false
	}
	return want.Host == "" && have.Wildcard() || want.IP().IsValid() && want.IP() == have.IP()
}
