package process

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/proxy"
	"bitgate/proxy/config"
)

// Listen binds what the configuration names (as root, before privileges are
// dropped): everything or nothing.
func Listen(c config.Config) (proxy.Listeners, error) { return listen(c, bound{}) }

// listen takes what is bound already, and closes the rest.
func listen(c config.Config, before bound) (proxy.Listeners, error) {
	c = c.WithDefaults()
	found, rest := before.named.match(c.Addresses())
	defer func() {
		slices.Concat(rest, before.stale()).close()
		for _, l := range found {
			l.Close()
		}
	}()
	if err := rest.nobodys(found); err != nil {
		return proxy.Listeners{}, err
	}
	var l proxy.Listeners
	var err error
	bind := func(address string, open func(string) (net.Listener, error)) net.Listener {
		if address == "" || err != nil {
			return nil
		}
		if listener := found[address]; listener != nil {
			delete(found, address)
			return listener
		}
		listener, failed := open(address)
		if old := before.stored.overlapping(address); len(old) > 0 && errors.Is(failed, syscall.EADDRINUSE) {
			old.vacate()
			listener, failed = open(address)
		}
		if old := before.serving.overlapping(address); len(old) > 0 && errors.Is(failed, syscall.EADDRINUSE) {
			err = stillServing(address, old[0], failed)
		} else if failed != nil {
			err = cannotListen(address, failed)
		}
		if failed != nil {
			return nil
		}
		return listener
	}
	each := func(addresses []string) (all []net.Listener) {
		for _, address := range addresses {
			if listener := bind(address, listenTCP); listener != nil {
				all = append(all, listener)
			}
		}
		return all
	}
	l.HTTPS, l.Redirect = each(c.Listen), each(c.RedirectListen)
	l.SSH, l.Plain, l.Health = bind(c.SSHListen, listenTCP), bind(c.PlainListen, listenTCP), bind(c.HealthListen, listenTCP)
	l.Admin = bind(c.MetricsListen, listenAdmin)
	if err != nil {
		l.Close()
		return proxy.Listeners{}, err
	}
	return l, nil
}

// nobodys is an error where one of the sockets is not just another copy of one that was
// found: systemd passes those of a .socket unit and, beside them, the store's.
func (i inherited) nobodys(found map[string]net.Listener) error {
	for _, l := range i {
		copied := false
		for _, known := range found {
			copied = copied || known.Addr().String() == l.Addr().String()
		}
		if !copied {
			return problem.New("the service manager passed a socket of "+l.Addr().String()+", which the configuration does not name",
				"nothing would answer there", "give the .socket unit and the configuration (listen, redirect-listen, ssh-listen) the same addresses").WithKind(problem.Usage)
		}
	}
	return nil
}

func listenTCP(address string) (net.Listener, error) {
	at, err := hostport.Parse(address)
	if err != nil {
		return nil, err
	}
	return net.Listen(at.Network(), at.String())
}

// stillServing: what the process before listens on is closed only when this one serves.
func stillServing(address string, old net.Listener, err error) error {
	return problem.Wrap(err, "the proxy that runs listens on "+old.Addr().String()+", which overlaps "+address,
		"it serves until this one does, and both cannot be bound at once", "restart it: systemctl restart bitgate-proxy; without systemd stop it first")
}

func cannotListen(address string, err error) error {
	if path := strings.TrimPrefix(address, "unix:"); strings.HasPrefix(path, "/") {
		return cannotMakeSocket(path, err)
	}
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

// cannotMakeSocket is for a socket that is a file.
func cannotMakeSocket(path string, err error) error {
	if told, is := errors.AsType[*problem.Error](err); is {
		return told
	}
	what, why, todo := "cannot make the socket "+path, "", "choose another path"
	info, missing := os.Lstat(path)
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && missing == nil && info.Mode().Type() != fs.ModeSocket:
		why, todo = "a file that is no socket lies there", "move it away, or "+todo
	case errors.Is(err, syscall.EADDRINUSE):
		why, todo = "another program has just made one there", "stop that program, or "+todo
	case errors.Is(err, fs.ErrPermission):
		why = "this user may not write to the folder " + filepath.Dir(path)
		todo = "let it, or choose a path in a folder that it may write to"
	case errors.Is(err, fs.ErrNotExist):
		why, todo = "the folder "+filepath.Dir(path)+" does not exist", "make it, or "+todo
	}
	return problem.Wrap(err, what, why, todo)
}

// listenAdmin binds "unix:/path", for its owner alone, or an address. A socket
// that a killed process left is replaced; one that answers is not.
func listenAdmin(address string) (net.Listener, error) {
	path, unix := strings.CutPrefix(address, "unix:")
	if !unix {
		return listenTCP(address)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if conn, err := net.Dial("unix", path); err == nil {
			conn.Close()
			return nil, problem.New("another program already listens on "+address, "only one can answer there", "stop it or choose another path")
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}
