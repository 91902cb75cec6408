package abuse

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/internal/peers"
)

// A key that only root may read, in a folder that only root may enter, is
// replaced while the proxy, which gave up root, serves: the new certificate is
// served, at once by SIGHUP and soon without. It holds for a proxy that root
// starts, and for one that systemd starts as another user with two capabilities; the
// bound socket that it passes outlives the program's start without them.
func TestRenewedKeyOfRootIsServed(t *testing.T) {
	if os.Geteuid() != 0 {
		if peers.Required() {
			t.Fatal("this test must run as root")
		}
		t.Skip("NOT TESTED: needs root")
	}
	for name, as := range map[string][]string{
		"root":    nil,
		"systemd": {peers.Path(t, "setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+dac_read_search,+net_bind_service", "--ambient-caps=+dac_read_search,+net_bind_service"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBitbucket(t)
			dir := public(t)
			secret := filepath.Join(dir, "secret")
			must(t, os.Mkdir(secret, 0o700))
			pem := filepath.Join(secret, "front.pem")
			bound, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			defer bound.Close() // it stays open: to bind the address again would fail
			socket, err := bound.(*net.TCPListener).File()
			must(t, err)
			defer socket.Close()
			f := &front{t: t, addr: bound.Addr().String(), log: filepath.Join(dir, "log"), roots: x509.NewCertPool()}
			f.renew(pem)
			must(t, os.WriteFile(f.log, nil, 0o600))
			must(t, os.Chmod(f.log, 0o666)) // the umask would not have it
			command := append(as, program, "proxy", "--config", f.configure(dir, b.addr, pem, nil))
			cmd := exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"`, "sh"}, command...)...)
			cmd.ExtraFiles = []*os.File{socket}
			f.run(cmd)

			first := f.serial()
			f.renew(pem)
			must(t, cmd.Process.Signal(syscall.SIGHUP))
			peers.WaitFor(t, "the new certificate after SIGHUP", func() bool { return f.serial() != first })
			second := f.serial()
			f.renew(pem)
			peers.WaitFor(t, "the new certificate without a signal", func() bool { return f.serial() != second })

			opener := f.child()
			if caps := status(t, fmt.Sprint(f.PID()), "CapPrm"); caps&^netBind != 0 {
				t.Errorf("the proxy has capabilities %x", caps)
			}
			if caps := status(t, opener, "CapPrm"); caps&^(netBind|readSearch) != 0 {
				t.Errorf("its opener has capabilities %x", caps)
			}
			for _, pid := range []string{fmt.Sprint(f.PID()), opener} {
				if status(t, pid, "Uid") == 0 {
					t.Errorf("process %s is root's", pid)
				}
			}
			f.ended = true
			f.Stop()
			peers.WaitFor(t, "its opener's end", func() bool { _, err := os.Stat("/proc/" + opener); return err != nil })
		})
	}
}

const (
	readSearch = 1 << 2 // capabilities(7)
	netBind    = 1 << 10
)

// child is the process that the proxy started.
func (f *front) child() string {
	f.t.Helper()
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", f.PID())) // of each thread
	var all []string
	for _, list := range lists {
		text, _ := os.ReadFile(list) // the thread may have ended
		all = append(all, strings.Fields(string(text))...)
	}
	if len(all) != 1 {
		f.t.Fatalf("the proxy has the children %v", all)
	}
	return all[0]
}

// status reads a number of /proc/PID/status, of several the first.
func status(t *testing.T, pid, name string) (n uint64) {
	t.Helper()
	text, err := os.ReadFile("/proc/" + pid + "/status")
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			format := "%x"
			if name == "Uid" {
				format = "%d"
			}
			_, err := fmt.Sscanf(strings.TrimSpace(value), format, &n)
			must(t, err)
			return n
		}
	}
	t.Fatalf("process %s has no %s", pid, name)
	return 0
}

// public is a folder that every user may enter, unlike t.TempDir.
func public(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "abuse")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	return dir
}

// renew writes another certificate with its key, for its owner alone.
func (f *front) renew(pem string) {
	f.t.Helper()
	ca, cert, key, err := certs.Dev([]string{"localhost"}, 90, time.Now())
	must(f.t, err)
	f.roots.AppendCertsFromPEM(ca)
	must(f.t, os.WriteFile(pem+".new", append(cert, key...), 0o600))
	must(f.t, os.Rename(pem+".new", pem))
}

// serial is the served certificate's.
func (f *front) serial() string {
	f.t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 20 * time.Second}, "tcp", f.addr, &tls.Config{RootCAs: f.roots, ServerName: "localhost"})
	must(f.t, err)
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}
