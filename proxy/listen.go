package proxy

import (
	"errors"
	"net"
	"slices"
	"syscall"

	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/proxy/config"
)

// Listeners are the bound sockets of a proxy.
type Listeners struct {
	HTTPS    []net.Listener
	Redirect []net.Listener
	SSH      net.Listener
	Admin    net.Listener // metrics and status page
}

// Listen binds what the configuration names (as root, before privileges are
// dropped): everything or nothing.
func Listen(c config.Config) (Listeners, error) { return listen(c, &inherited{}) }

// listen takes from passed what is bound already, all of it.
func listen(c config.Config, passed *inherited) (Listeners, error) {
	defer func() { passed.close() }()
	c = c.WithDefaults()
	var l Listeners
	bind := func(address string) (net.Listener, error) {
		if listener := passed.take(address); listener != nil {
			return listener, nil
		}
		listener, err := listenTCP(address)
		if err != nil {
			l.Close()
			return nil, cannotListen(address, err)
		}
		return listener, nil
	}
	for _, address := range c.Listen {
		listener, err := bind(address)
		if err != nil {
			return Listeners{}, err
		}
		l.HTTPS = append(l.HTTPS, listener)
	}
	for _, address := range c.RedirectListen {
		listener, err := bind(address)
		if err != nil {
			return Listeners{}, err
		}
		l.Redirect = append(l.Redirect, listener)
	}
	if c.SSHListen != "" {
		listener, err := bind(c.SSHListen)
		if err != nil {
			return Listeners{}, err
		}
		l.SSH = listener
	}
	if c.MetricsListen != "" {
		if l.Admin = passed.take(c.MetricsListen); l.Admin == nil {
			listener, err := listenAdmin(c.MetricsListen)
			if err != nil {
				l.Close()
				return Listeners{}, cannotListen(c.MetricsListen, err)
			}
			l.Admin = listener
		}
	}
	if len(*passed) > 0 {
		l.Close()
		return Listeners{}, problem.New("the service manager passed a socket of "+(*passed)[0].Addr().String()+", which the configuration does not name",
			"nobody would answer there", "give the .socket unit and the configuration (listen, redirect-listen, ssh-listen) the same addresses").WithKind(problem.Usage)
	}
	return l, nil
}

func listenTCP(address string) (net.Listener, error) {
	at, err := hostport.Parse(address)
	if err != nil {
		return nil, err
	}
	return net.Listen(at.Network(), at.String())
}

func cannotListen(address string, err error) error {
	_, port, _ := hostport.Cut(address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return problem.Wrap(err, "another program already listens on "+address, "only one can answer there",
			"see which: ss -ltnp 'sport = :"+port+"'; stop it or choose another address")
	case errors.Is(err, syscall.EACCES):
		return problem.Wrap(err, "not allowed to listen on "+address, "ports below 1024 need root or CAP_NET_BIND_SERVICE",
			"start it as root (it drops its privileges) or through its systemd unit")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return problem.Wrap(err, address+" is not an address of this machine", "", "see which are: ip address")
	}
	return problem.Wrap(err, "cannot listen on "+address, "", "")
}

// Close closes all of them.
func (l Listeners) Close() error {
	var failed []error
	for _, listener := range l.all() {
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

// leaveAdmin closes the administrator's, which another process has from now on.
func (l Listeners) leaveAdmin() {
	if socket, ok := l.Admin.(*net.UnixListener); ok {
		socket.SetUnlinkOnClose(false)
	}
	if l.Admin != nil {
		_ = l.Admin.Close()
	}
}

func (l Listeners) all() []net.Listener {
	all := slices.Concat(l.HTTPS, l.Redirect)
	for _, one := range []net.Listener{l.SSH, l.Admin} {
		if one != nil {
			all = append(all, one)
		}
	}
	return all
}
