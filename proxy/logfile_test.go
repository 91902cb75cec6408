package proxy_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"bitgate/internal/peers"
)

// asRoot skips a test that needs a user to become.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("this test must run as root")
		}
		t.Skip("NOT TESTED: another user's files need root")
	}
}

const nobody = 65534

// nobodys makes a folder of the proxy's user.
func nobodys(t *testing.T, parent string) string {
	t.Helper()
	dir := filepath.Join(parent, "nobodys")
	for _, err := range []error{os.Mkdir(dir, 0o755), os.Chown(dir, nobody, nobody), os.Chmod(parent, 0o755), os.Chmod(filepath.Dir(parent), 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// failed waits for a child and returns what it said.
func failed(t *testing.T, p *peers.Process) string {
	t.Helper()
	receive(t, "the process ends", p.Done())
	if strings.HasSuffix(p.Output(), endedWell+"\n") {
		t.Errorf("it served:\n%s", p.Output())
	}
	return p.Output()
}

// Started by root, the proxy writes no file that its user chose by a link, and
// reads none for it.
func TestLinksOfTheProxysUserLeadNowhere(t *testing.T) {
	asRoot(t)
	r, c, dir := processRig(t)
	theirs := nobodys(t, dir)
	secret := filepath.Join(dir, "secret")
	pem, err := os.ReadFile(c.PEM)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secret, pem, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(theirs, "link")
	if err := os.Symlink(secret, link); err != nil {
		t.Fatal(err)
	}
	c.User = "nobody"
	t.Run("log", func(t *testing.T) {
		c := c
		c.AccessLog = link
		if out := failed(t, child(t, os.Args[0], configFile(t, t.TempDir(), c), nil)); !strings.Contains(out, "access log") {
			t.Errorf("it said:\n%s", out)
		}
		if now, _ := os.ReadFile(secret); string(now) != string(pem) {
			t.Error("the link's end was written to")
		}
	})
	t.Run("certificate", func(t *testing.T) {
		c := c
		c.PEM = link
		if out := failed(t, child(t, os.Args[0], configFile(t, t.TempDir(), c), nil)); !strings.Contains(out, "nobody") {
			t.Errorf("it said:\n%s", out)
		}
	})
	t.Run("log of its own", func(t *testing.T) {
		c := c
		c.AccessLog = filepath.Join(theirs, "access.log")
		p := child(t, os.Args[0], configFile(t, t.TempDir(), c), nil)
		until(t, "an answer", func() bool { return r.once(false) == nil })
		until(t, "its line, and those from before", func() bool {
			text, _ := os.ReadFile(c.AccessLog)
			return strings.Contains(string(text), "GET /bitbucket") && strings.Contains(string(text), "listens on")
		})
		p.Stop()
		endsWell(t, p)
	})
}

// A log that was moved away is opened anew by SIGHUP, SIGUSR1 and SIGUSR2.
func TestLogIsOpenedAnew(t *testing.T) {
	r, c, dir := processRig(t)
	logs := dir
	if os.Geteuid() == 0 {
		logs = nobodys(t, dir)
		c.User = "nobody"
	}
	c.AccessLog = filepath.Join(logs, "access.log")
	p := child(t, os.Args[0], configFile(t, t.TempDir(), c), nil)
	has := func(file string) bool {
		text, _ := os.ReadFile(file)
		return strings.Contains(string(text), "GET /bitbucket")
	}
	until(t, "an answer, and its line", func() bool { return r.once(false) == nil && has(c.AccessLog) })
	for s, old := range map[syscall.Signal]string{syscall.SIGHUP: c.AccessLog + ".1", syscall.SIGUSR1: c.AccessLog + ".2", syscall.SIGUSR2: c.AccessLog + ".3"} {
		if err := os.Rename(c.AccessLog, old); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(p.PID(), s); err != nil {
			t.Fatal(err)
		}
		until(t, "lines in the new file", func() bool {
			_ = r.once(false)
			return has(c.AccessLog)
		})
		if !has(old) {
			t.Errorf("%s: the old file lost its lines", s)
		}
	}
	p.Stop()
	endsWell(t, p)
}

// A log that nobody reads neither keeps the proxy from starting for ever nor from
// ending.
func TestLogThatNobodyReads(t *testing.T) {
	for _, opened := range []bool{false, true} {
		r, c, dir := processRig(t)
		fifo := filepath.Join(dir, "fifo")
		if err := syscall.Mkfifo(fifo, 0o622); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(fifo, 0o622); err != nil {
			t.Fatal(err)
		}
		c.AccessLog, c.User = fifo, ""
		if os.Geteuid() == 0 {
			c.User = "nobody"
			nobodys(t, dir)
		}
		if opened {
			reader, err := os.OpenFile(fifo, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			if _, err := unix.FcntlInt(reader.Fd(), unix.F_SETPIPE_SZ, 4096); err != nil {
				t.Fatal(err)
			}
		}
		p := child(t, os.Args[0], configFile(t, t.TempDir(), c), nil)
		if !opened {
			if out := failed(t, p); !strings.Contains(out, "access log") {
				t.Errorf("it said:\n%s", out)
			}
			continue
		}
		until(t, "an answer", func() bool { return r.once(false) == nil })
		for range 100 { // more than this pipe holds
			_ = r.once(false)
		}
		p.Stop()
		endsWell(t, p)
	}
}
