package keys_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
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
	ends := pair(t)
	paths := []string{own, link}
	over := make(chan struct{})
	go func() {
		keys.ServeOpener(ends[1], paths)
		close(over)
	}()
	for n, path := range paths {
		if _, err := ends[0].Write([]byte{7, byte(n)}); err != nil {
			t.Fatal(err)
		}
		answer, control := make([]byte, 2), make([]byte, unix.CmsgSpace(4))
		got, rights, _, _, err := ends[0].ReadMsgUnix(answer, control)
		if err != nil || got != 2 || rights != 0 || answer[0] != 7 || unix.Errno(answer[1]) != unix.EPERM {
			t.Errorf("%s: %d bytes %v, %d of a descriptor, %v", path, got, answer, rights, err)
		}
	}
	ends[0].Close()
	<-over
	ends[1].Close()
}

// pair is a connection of sequenced packets, both ends.
func pair(t *testing.T) (ends [2]*net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "pair")
		conn, err := net.FileConn(file)
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
		ends[i] = conn.(*net.UnixConn)
		t.Cleanup(func() { conn.Close() })
	}
	return ends
}

// TestOpenerWhoseAnswerWasLate: an answer to a question that nobody waits for any longer
// is not taken for that to the next one, which asks for another file.
func TestOpenerWhoseAnswerWasLate(t *testing.T) {
	dir := t.TempDir()
	key, cert := filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem")
	for _, path := range []string{key, cert} {
		if err := os.WriteFile(path, []byte(filepath.Base(path)), 0); err != nil {
			t.Fatal(err)
		}
	}
	ends := pair(t)
	o := keys.NewOpener(ends[0], []string{key, cert})
	answer := func(number byte, path string) {
		file, err := os.CreateTemp(dir, filepath.Base(path))
		if err != nil {
			t.Error(err)
			return
		}
		defer file.Close()
		_, err = file.WriteString(filepath.Base(path))
		if _, serr := file.Seek(0, io.SeekStart); err != nil || serr != nil {
			t.Error(err, serr)
		}
		if _, _, err := ends[1].WriteMsgUnix([]byte{number, 0}, unix.UnixRights(int(file.Fd())), nil); err != nil {
			t.Error(err)
		}
	}
	go func() { // to the question before, and then to this one
		var asked [2]byte
		if _, err := ends[1].Read(asked[:]); err != nil {
			t.Error(err)
		}
		answer(asked[0]-1, key)
		answer(asked[0], cert)
	}()
	if os.Geteuid() == 0 { // who may open everything asks nobody
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := unix.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
	}
	file, err := o.Open(cert)
	if os.Geteuid() == 0 {
		err = errors.Join(err, unix.Setfsuid(0))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got, err := io.ReadAll(file); err != nil || string(got) != "cert.pem" {
		t.Errorf("%q was opened, %v", got, err)
	}
}
