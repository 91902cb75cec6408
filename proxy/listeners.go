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
	SSH      net.Listener
	Admin    net.Listener // metrics and status page
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

// closeClients closes those that clients connect to.
func (l Listeners) closeClients() {
	l.Admin = nil
	_ = l.Close() // what does not close is closed already
}

// LeaveAdmin closes the administrator's, which another process has from now on.
func (l Listeners) LeaveAdmin() {
	if socket, ok := l.Admin.(*net.UnixListener); ok {
		socket.SetUnlinkOnClose(false)
	}
	if l.Admin != nil {
		_ = l.Admin.Close()
	}
}

// All of them.
func (l Listeners) All() []net.Listener {
	all := slices.Concat(l.HTTPS, l.Redirect)
	for _, one := range []net.Listener{l.SSH, l.Admin} {
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
