package proxy

import (
	"errors"
	"net"
	"slices"
)

// Listeners are the bound sockets of a proxy.
type Listeners struct {
	HTTPS    []net.Listener
	Redirect []net.Listener
	Plain    net.Listener // for trusted proxies that have taken TLS off
	SSH      net.Listener
	Admin    net.Listener // metrics and status page
	Health   net.Listener // nothing but /healthz
}

// Close closes all of them.
func (l Listeners) Close() error {
	var failed []error
	for _, listener := range l.All() {
		if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// closeClients closes those that clients connect to. Whoever looks at us may do so
// until the end.
func (l Listeners) closeClients() {
	l.Admin, l.Health = nil, nil
	_ = l.Close() // what does not close is closed already
}

// LeaveAdmin closes those for whoever looks at us, which another process has from
// now on.
func (l Listeners) LeaveAdmin() {
	if socket, ok := l.Admin.(*net.UnixListener); ok {
		socket.SetUnlinkOnClose(false)
	}
	_ = Listeners{Admin: l.Admin, Health: l.Health}.Close()
}

// All of them.
func (l Listeners) All() []net.Listener {
	all := slices.Concat(l.HTTPS, l.Redirect)
	for _, one := range []net.Listener{l.Plain, l.SSH, l.Admin, l.Health} {
		if one != nil {
			all = append(all, one)
		}
	}
	return all
}

// Addresses that they are bound to.
func (l Listeners) Addresses() []string {
	var all []string
	for _, listener := range l.All() {
		all = append(all, listener.Addr().String())
	}
	return all
}
