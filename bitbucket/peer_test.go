package bitbucket

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
)

const (
	mallory = 65534
	bbUser  = 1999 // runs the real Bitbucket
)

// as runs do on a thread with the file rights of a user, which the kernel notes
// on each socket that is made there (sock_alloc: current_fsuid).
func as(uid int, do func()) {
	done := make(chan bool)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
		defer close(done)
		_, _ = unix.SetfsuidRetUid(uid)
		do()
	}()
	<-done
}

// listenAs listens on address with a socket of the user begun, accepts as uid, and
// takes whatever comes. got reports whether it was sent a password.
func listenAs(t *testing.T, address string, begun, uid int) (port string, got func() bool) {
	t.Helper()
	var l net.Listener
	var err error
	as(begun, func() { l, err = net.Listen("tcp", net.JoinHostPort(address, "0")) })
	if err != nil {
		t.Fatal(err)
	}
	var password atomic.Bool
	ended := make(chan bool)
	go as(uid, func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				body, _ := io.ReadAll(req.Body)
				if strings.Contains(string(body), "canary-password") {
					password.Store(true)
				}
				fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 19\r\nConnection: close\r\n\r\n{\"state\":\"RUNNING\"}")
			}
			conn.Close()
		}
	})
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port, password.Load
}

func ownedHome(t *testing.T, uid int) string {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	if err := errors.Join(os.Mkdir(home, 0o755), os.Chown(home, uid, uid)); err != nil {
		t.Fatal(err)
	}
	return home
}

// TestWhoListensGetsThePassword: only the owner of the home, root, and whoever
// runs bitgate do, on whatever address of this machine they listen.
func TestWhoListensGetsThePassword(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to listen as others")
	}
	for name, c := range map[string]struct {
		address    string
		begun, uid int
		home       int // owner of the home, -1: none is known
		sent       bool
	}{
		"the owner of the home":                  {"127.0.0.1", bbUser, bbUser, bbUser, true},
		"on all addresses":                       {"0.0.0.0", bbUser, bbUser, bbUser, true},
		"on all addresses, IPv6 too":             {"::", bbUser, bbUser, bbUser, true},
		"root, as docker-proxy does":             {"0.0.0.0", 0, 0, bbUser, true},
		"root, no home known":                    {"0.0.0.0", 0, 0, -1, true},
		"began as root, as HAProxy does":         {"127.0.0.1", 0, mallory, bbUser, true},
		"another user":                           {"127.0.0.1", mallory, mallory, bbUser, false},
		"another user, on all addresses":         {"::", mallory, mallory, bbUser, false},
		"another user, the home is root's":       {"127.0.0.1", mallory, mallory, 0, false},
		"another user, no home known":            {"127.0.0.1", mallory, mallory, -1, false},
		"Bitbucket's user, but no home is known": {"127.0.0.1", bbUser, bbUser, -1, false},
	} {
		t.Run(name, func(t *testing.T) {
			port, got := listenAs(t, c.address, c.begun, c.uid)
			home := ""
			if c.home >= 0 {
				home = ownedHome(t, c.home)
			}
			client, err := NewClient("http://127.0.0.1:"+port, Options{Home: home})
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.Login(t.Context(), "admin", NewSecret([]byte("canary-password")), MethodAuto)
			if got() != c.sent {
				t.Errorf("password sent: %v, want %v (%v)", got(), c.sent, err)
			}
			var p *problem.Error
			if c.sent {
				return
			}
			if !errors.As(err, &p) || !strings.Contains(p.Found, "not sent to 127.0.0.1:"+port) || !strings.Contains(p.Found, fmt.Sprintf("uid %d", c.uid)) || p.Why == "" || !strings.Contains(p.Do, "--home") && c.home < 0 {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestConnectionOfSomebodyGone: who accepted a connection and made room for the
// real listener has it still.
func TestConnectionOfSomebodyGone(t *testing.T) {
	server, client := "0100007F:1F36", "0100007F:C000"
	table := func(socketsOf ...string) string {
		dir := t.TempDir()
		text := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
		for i, s := range socketsOf {
			text += fmt.Sprintf("%4d: %s\n", i, s)
		}
		if err := errors.Join(os.Mkdir(filepath.Join(dir, "net"), 0o755), os.WriteFile(filepath.Join(dir, "net", "tcp"), []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	line := func(local, remote, state string, uid int, inode string) string {
		return fmt.Sprintf("%s %s %s 00000000:00000000 00:00000000 00000000 %5d        0 %s 1", local, remote, state, uid, inode)
	}
	home := t.TempDir()
	mine := os.Geteuid()
	conn := fakeConn{local: "127.0.0.1:49152", remote: "127.0.0.1:7990"}
	ours := line(client, server, "01", mine, "9")
	for name, c := range map[string]struct {
		table []string
		ok    bool
	}{
		"accepted by the listener":                  {[]string{line(server, "00000000:0000", "0A", mine, "1"), line(server, client, "01", mine, "2"), ours}, true},
		"not accepted yet":                          {[]string{line(server, "00000000:0000", "0A", mine, "1"), line(server, client, "01", 0, "0"), ours}, true},
		"accepted by a stranger who has gone":       {[]string{line(server, client, "01", 4242, "2"), ours}, false},
		"and the real one listens now":              {[]string{line(server, "00000000:0000", "0A", mine, "1"), line(server, client, "01", 4242, "2"), ours}, false},
		"closed by whoever had it":                  {[]string{line(server, client, "05", 0, "0"), ours}, false},
		"a stranger beside the real one":            {[]string{line("00000000:1F36", "00000000:0000", "0A", mine, "1"), line(server, "00000000:0000", "0A", 4242, "3"), line(server, client, "01", 0, "0"), ours}, false},
		"led elsewhere by the kernel":               {[]string{ours}, true},
		"led elsewhere, the port is held by root's": {[]string{line("00000000:1F36", "00000000:0000", "0A", 0, "1"), ours}, true},
		"nothing can be seen":                       {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := receiver{home: home, proc: table(c.table...)}.check(conn)
			if (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

type fakeConn struct {
	net.Conn
	local, remote string
}

func (c fakeConn) LocalAddr() net.Addr  { return fakeAddr(c.local) }
func (c fakeConn) RemoteAddr() net.Addr { return fakeAddr(c.remote) }

type fakeAddr string

func (a fakeAddr) Network() string { return "tcp" }
func (a fakeAddr) String() string  { return string(a) }
