package sockets

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"testing"
)

// otherProc is the process table under another name, so that the files are read.
func otherProc(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink("/proc/self/net", filepath.Join(dir, "net")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestKernelAndFileAgree: what sock_diag answers is what the files say, for every
// kind of listener and for both ends of a connection, accepted or not.
func TestKernelAndFileAgree(t *testing.T) {
	files := otherProc(t)
	for name, network := range map[string][2]string{
		"IPv4": {"tcp4", "127.0.0.1:0"}, "every address of IPv4": {"tcp4", "0.0.0.0:0"},
		"every address of both": {"tcp", ":0"}, "IPv6": {"tcp6", "[::1]:0"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen(network[0], network[1])
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			port := netip.MustParseAddrPort(l.Addr().String()).Port()
			to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
			if network[0] == "tcp6" {
				to = netip.AddrPortFrom(netip.IPv6Loopback(), port)
			}
			same(t, files, port, 1)
			conn, err := net.Dial("tcp", to.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			client := netip.MustParseAddrPort(conn.LocalAddr().String())
			waiting := both(t, files, to, client)
			if waiting.Inode != "0" {
				t.Errorf("nobody has accepted it, and it is %+v", waiting)
			}
			accepted, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer accepted.Close()
			server := both(t, files, to, client)
			if server.Inode == "0" || server.UID != uint32(os.Geteuid()) {
				t.Errorf("accepted by us: %+v", server)
			}
			both(t, files, client, to)
			if s, found, err := Connection(kernelsProc, to, netip.AddrPortFrom(client.Addr(), port)); found || err != nil {
				t.Errorf("a connection that is none: %+v, %v", s, err)
			}
		})
	}
}

func same(t *testing.T, files string, port uint16, want int) {
	t.Helper()
	kernel, err1 := Listening(kernelsProc, port)
	file, err2 := Listening(files, port)
	for _, all := range [][]Socket{kernel, file} {
		sort.Slice(all, func(i, j int) bool { return all[i].Inode < all[j].Inode })
	}
	if err1 != nil || err2 != nil || len(kernel) != want || !reflect.DeepEqual(kernel, file) {
		t.Errorf("the kernel: %+v, %v\nthe files: %+v, %v", kernel, err1, file, err2)
	}
}

func both(t *testing.T, files string, local, remote netip.AddrPort) Socket {
	t.Helper()
	kernel, found1, err1 := diagConnection(local, remote)
	file, found2, err2 := Connection(files, local, remote)
	kernel.Local, kernel.Remote = Plain(kernel.Local), Plain(kernel.Remote)
	file.Local, file.Remote = Plain(file.Local), Plain(file.Remote)
	if err1 != nil || err2 != nil || !found1 || !found2 || kernel != file {
		t.Errorf("the kernel: %+v %v %v\nthe files: %+v %v %v", kernel, found1, err1, file, found2, err2)
	}
	return kernel
}
