package keys_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"bitgate/proxy/keys"
)

// TestOpenerOpensNothingOfItsOwnUser: with the right to read every file it runs as
// the proxy's user, and what that user can have put there, a link to a file of
// root's, say, is not opened for it.
func TestOpenerOpensNothingOfItsOwnUser(t *testing.T) {
	dir := t.TempDir()
	own, link := filepath.Join(dir, "own.pem"), filepath.Join(dir, "link.pem")
	if err := errors.Join(os.WriteFile(own, nil, 0o600), os.Symlink("/etc/passwd", link)); err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range pair {
		file := os.NewFile(uintptr(fd), "pair")
		conn, err := net.FileConn(file)
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
		ends[i] = conn.(*net.UnixConn)
	}
	paths := []string{own, link}
	over := make(chan struct{})
	go func() {
		keys.ServeOpener(ends[1], paths)
		close(over)
	}()
	for n, path := range paths {
		if _, err := ends[0].Write([]byte{byte(n)}); err != nil {
			t.Fatal(err)
		}
		answer, control := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
		got, rights, _, _, err := ends[0].ReadMsgUnix(answer, control)
		if err != nil || got != 1 || rights != 0 || unix.Errno(answer[0]) != unix.EPERM {
			t.Errorf("%s: %d bytes %v, %d of a descriptor, %v", path, got, answer, rights, err)
		}
	}
	ends[0].Close()
	<-over
	ends[1].Close()
}
