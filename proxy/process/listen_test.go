package process

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"bitgate/internal/peers"
	"bitgate/internal/problem"
	"bitgate/proxy/config"
)

// inStore binds each address as a process before did, and passes it as systemd does
// from its store, which goes on having a copy.
func inStore(t *testing.T, addresses ...string) Surroundings {
	t.Helper()
	var passed []*os.File
	for _, address := range addresses {
		l, err := listenTCP(address)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := l.(*net.TCPListener).File()
		l.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { kept.Close() })
		fd, err := unix.FcntlInt(kept.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		passed = append(passed, os.NewFile(uintptr(fd), storeName(l.Addr())))
	}
	return Surroundings{Sockets: func() []*os.File { return passed }}
}

// restart listens on what the store passes, and on the rest anew.
func restart(t *testing.T, s Surroundings, listens ...string) (now, stale []string) {
	t.Helper()
	c := config.Config{Listen: listens}
	before, err := passedSockets(c, s)
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen(c, before)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for _, old := range before.stale() {
		stale = append(stale, storeName(old.Addr()))
	}
	return l.Addresses(), stale
}

// A name may be several addresses, which come in any order: the socket of the process
// before is bound to one of them.
func TestRestartOnAName(t *testing.T) { //nolint:paralleltest // it replaces the resolver of the process
	dns := peers.StartDNS(t)
	dns.Host("git.example.test", "127.0.0.2", "127.0.0.3")
	before := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = before })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, dns.Address)
	}}
	for name, c := range map[string]struct{ store, listens, want, stale string }{ // P is the port
		"localhost":                           {"127.0.0.1:P", "localhost:P", "127.0.0.1:P", ""},
		"its first address":                   {"127.0.0.2:P", "git.example.test:P", "127.0.0.2:P", ""},
		"its second":                          {"127.0.0.3:P", "git.example.test:P", "127.0.0.3:P", ""},
		"one of both":                         {"127.0.0.3:P 127.0.0.4:P", "git.example.test:P", "127.0.0.3:P", "bitgate-127.0.0.4,P"},
		"both, by one name":                   {"127.0.0.3:P 127.0.0.2:P", "git.example.test:P", "127.0.0.3:P", "bitgate-127.0.0.2,P"},
		"its other address is listened on":    {"127.0.0.2:P 127.0.0.3:P", "git.example.test:P 127.0.0.2:P", "127.0.0.3:P 127.0.0.2:P", ""},
		"it has moved":                        {"127.0.0.1:P", "git.example.test:P", "127.0.0.2:P", "bitgate-127.0.0.1,P"},
		"another address, written out before": {"127.0.0.1:P 127.0.0.3:P", "127.0.0.1:P git.example.test:P", "127.0.0.1:P 127.0.0.3:P", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, port, _ := net.SplitHostPort(peers.FreeAddress(t))
			words := func(s string) []string { return strings.Fields(strings.ReplaceAll(s, "P", port)) }
			now, stale := restart(t, inStore(t, words(c.store)...), words(c.listens)...)
			if !slices.Equal(now, words(c.want)) || !slices.Equal(stale, words(c.stale)) {
				t.Errorf("bound %q, stale %q; want %q, %q", now, stale, words(c.want), words(c.stale))
			}
		})
	}
}

// A .socket unit's sockets lie in the store, too, and systemd passes both.
func TestRestartWithASocketUnit(t *testing.T) {
	address := peers.FreeAddress(t)
	s := inStore(t, address)
	files := s.Sockets()
	fd, err := unix.FcntlInt(files[0].Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.Sockets = func() []*os.File { return append(files, os.NewFile(uintptr(fd), "bitgate-proxy.socket")) }
	if now, stale := restart(t, s, address); !slices.Equal(now, []string{address}) || len(stale) > 0 {
		t.Errorf("bound %q, stale %q", now, stale)
	}
}

// Who widens or narrows an address restarts: the socket of before, of which systemd has a
// copy, is in the way of the new one.
func TestRestartMovesAnAddress(t *testing.T) {
	for _, c := range []struct{ store, listens, want string }{ // P is the port
		{":P", "127.0.0.1:P", "127.0.0.1:P"},
		{":P", "0.0.0.0:P", "0.0.0.0:P"},
		{"127.0.0.1:P", ":P", "[::]:P"},
		{"127.0.0.1:P", "0.0.0.0:P", "0.0.0.0:P"},
		{"127.0.0.1:P 127.0.0.2:P", "[::]:P", "[::]:P"},
		{"0.0.0.0:P", "127.0.0.1:P 127.0.0.2:P", "127.0.0.1:P 127.0.0.2:P"},
		{"0.0.0.0:P", "[::]:P", "[::]:P"},
		{"0.0.0.0:P", ":P", "[::]:P"}, // the former takes no IPv6
	} {
		t.Run(c.store+" to "+c.listens, func(t *testing.T) {
			if everyAddress() == "0.0.0.0" && strings.Contains(c.want, "::") {
				t.Skip("SKIPPED: no IPv6")
			}
			_, port, _ := net.SplitHostPort(peers.FreeAddress(t))
			words := func(s string) []string { return strings.Fields(strings.ReplaceAll(s, "P", port)) }
			s := inStore(t, words(c.store)...)
			now, stale := restart(t, s, words(c.listens)...)
			if !slices.Equal(now, words(c.want)) || len(stale) != len(words(c.store)) {
				t.Errorf("bound %q, stale %q; want %q", now, stale, words(c.want))
			}
		})
	}
}

// told is all that a person reads of err.
func told(err error) string {
	e, is := errors.AsType[*problem.Error](err)
	if !is {
		return err.Error()
	}
	return e.Error() + "; " + e.Why + "; " + e.Do
}

// What is said of a socket that is a file is about files, not about ports.
func TestSocketThatCannotBeMade(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file.sock")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		err  error // nil: what the system says
		want []string
	}{
		"a file":          {file, nil, []string{"a file that is no socket lies there", "move it away"}},
		"no folder":       {filepath.Join(dir, "no", "such.sock"), nil, []string{"the folder " + dir + "/no does not exist"}},
		"no permission":   {filepath.Join(dir, "x.sock"), syscall.EACCES, []string{"may not write to the folder " + dir}}, // root may
		"read-only":       {filepath.Join(dir, "x.sock"), syscall.EROFS, []string{"read-only file system"}},
		"no more sockets": {filepath.Join(dir, "x.sock"), syscall.EMFILE, []string{"too many open files"}},
	} {
		err := cannotListen("unix:"+c.path, c.err)
		if c.err == nil {
			_, err = listen(config.Config{MetricsListen: "unix:" + c.path}, bound{})
		}
		if err == nil {
			t.Errorf("%s: it was made", name)
			continue
		}
		said := told(err)
		for _, want := range append(c.want, "cannot make the socket "+c.path) {
			if !strings.Contains(said, want) {
				t.Errorf("%s: no %q in %s", name, want, said)
			}
		}
		if strings.Contains(said, "port") || strings.Contains(said, "ss -ltnp") {
			t.Errorf("%s: it speaks of ports: %s", name, said)
		}
	}
	if said := told(cannotListen("/run/bitgate/handover.sock", syscall.EACCES)); strings.Contains(said, "port") {
		t.Errorf("the handover: %s", said)
	}
}
