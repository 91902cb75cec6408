package process

import (
	"context"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"bitgate/proxy"
	"bitgate/proxy/config"
)

// A restart without a closed port: systemd keeps a copy of each bound socket
// (sd_notify(3), FDSTORE=1) for as long as the unit is wanted, and passes them to
// the next process. Who connects meanwhile waits in the socket; a process that
// crashes is succeeded in the same way. What the configuration names no longer is
// taken out of the store, for there nobody would ever answer.

// storePrefix begins the name of a stored socket.
const storePrefix = "bitgate-"

// storeName is the name of the socket that is bound there. A name has no colon
// (systemd's FileDescriptorName=).
func storeName(at net.Addr) string { return storePrefix + strings.ReplaceAll(at.String(), ":", ",") }

// forget picks out the sockets that the configuration does not name.
func (i *inherited) forget(c config.Config) inherited {
	found, rest := i.match(c.Addresses())
	*i = slices.Collect(maps.Values(found))
	return rest
}

// vacate has the sockets listen no more, whoever has copies of them: systemd closes
// its own some time after it was told to. Who waits in them is refused.
func (i inherited) vacate() {
	for _, l := range i {
		if socket, ok := l.(*net.TCPListener); ok {
			if raw, err := socket.SyscallConn(); err == nil {
				_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RD) }) // what fails, binding tells
			}
		}
	}
}

// store has the service manager keep what this process listens on, and drop stale.
// A socket with a path is left out, for the process before removes the path.
func (n *notifier) store(sockets proxy.Listeners, stale inherited) {
	if n.keep == nil {
		return
	}
	for _, l := range stale {
		n.send("FDSTOREREMOVE=1\nFDNAME=" + storeName(l.Addr()))
	}
	for _, l := range sockets.All() {
		socket, ok := l.(*net.TCPListener)
		if !ok {
			continue
		}
		if err := n.keep(storeName(l.Addr()), socket); err != nil {
			n.log("the service manager does not keep the socket of %s, so that a restart closes it: %v", l.Addr(), err)
		}
	}
}

// stored are the sockets of files that were in the store, others those that a .socket
// unit passes, which go by its name: bitgate-proxy.socket, for one, without a comma.
func stored(files []*os.File) (kept, others []*os.File) {
	for _, f := range files {
		if strings.HasPrefix(f.Name(), storePrefix) && strings.Contains(f.Name(), ",") {
			kept = append(kept, f)
		} else {
			others = append(others, f)
		}
	}
	return kept, others
}

// restarting reports whether a restart was announced. Signals that come together are
// told in the order of their numbers, and not in that in which they came.
func restarting(announced <-chan os.Signal) bool {
	if announced == nil {
		return false
	}
	select {
	case <-announced:
		return true
	case <-time.After(100 * time.Millisecond):
		return false
	}
}

// serveOn is the first half of a stop that is half of a restart: the next process
// cannot start before this one has ended, so this one serves on until what was open
// when it was told to stop has ended, or ctx. Who comes after that waits in the
// sockets for as long as what came meanwhile takes.
func serveOn(ctx context.Context, p *proxy.Proxy) {
	told := time.Now()
	for p.OpenSince(told) > 0 {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
}
