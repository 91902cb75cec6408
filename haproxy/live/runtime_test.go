package live_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"bitgate/haproxy"
	"bitgate/haproxy/live"
)

const certificateOnly = `global
    maxconn 400
    stats socket {DIR}/s level admin
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend www
    bind {ADDR} ssl crt {DIR}/certs/a.example.com.pem crt {DIR}/bitgate.pem
    default_backend a
backend a
    server a {A}
`

// A renewed certificate is served at once, by the process that serves already.
func TestCertificateIsSwappedWithoutAReload(t *testing.T) {
	t.Parallel()
	in := installed(t)
	if !in.Version.AtLeast(2, 4) {
		t.Skip("SKIPPED: HAProxy 2.4 is the first that is given certificates on its socket")
	}
	w := newTown(t)
	cfg := filepath.Join(w.dir, "haproxy.cfg")
	text := w.fill(certificateOnly)
	write(t, cfg, text)
	launch(t, in.Bin, w.addr, "-f", cfg)
	socket, admin := haproxy.ParseSet([]haproxy.Source{{Path: cfg, Data: text}}).RuntimeSocket()
	if socket != "unix:"+filepath.Join(w.dir, "s") || !admin {
		t.Fatalf("the socket is %q, admin %t", socket, admin)
	}
	process := ""
	await(t, "the socket tells which process serves", func() bool { // it is there a moment after the ports
		process, _ = live.Worker(t.Context(), socket)
		return process != ""
	})
	first := w.presented(t, ourHost)
	renewed, _ := certificate(t, ourHost)
	path := filepath.Join(w.dir, "bitgate.pem")
	withBlank := append([]byte("\n"), bytes.Replace(renewed, []byte("-----BEGIN PRIVATE"), []byte("\r\n\n-----BEGIN PRIVATE"), 1)...)
	if err := live.SwapCertificate(t.Context(), socket, path, withBlank); err != nil {
		t.Fatal(err)
	}
	if now := w.presented(t, ourHost); bytes.Equal(now, first) || len(now) == 0 {
		t.Error("the old certificate is still served")
	}
	if now, err := live.Worker(t.Context(), socket); now != process {
		t.Errorf("process %s became %s (%v)", process, now, err)
	}
	second := w.presented(t, ourHost)
	mixed := append(bytes.Clone(w.bundles[ourHost][:bytes.Index(w.bundles[ourHost], []byte("-----BEGIN PRIVATE"))]),
		renewed[bytes.Index(renewed, []byte("-----BEGIN PRIVATE")):]...)
	for name, c := range map[string]struct {
		path string
		pem  []byte
	}{"a key of another": {path, mixed}, "a file that is not loaded": {"/nowhere.pem", renewed}, "no certificate": {path, []byte("hello\n")}} {
		err := live.SwapCertificate(t.Context(), socket, c.path, c.pem)
		if err == nil || bytes.Contains([]byte(err.Error()), []byte("PRIVATE")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !bytes.Equal(w.presented(t, ourHost), second) {
		t.Error("a refused certificate replaced the good one")
	}
	if err := live.SwapCertificate(t.Context(), socket, path, w.bundles[ourHost]); err != nil || !bytes.Equal(w.presented(t, ourHost), first) {
		t.Errorf("after refused ones a good one is not taken: %v", err)
	}
}

// Both sockets tell of the process that serves, before and after a reload.
func TestWorkerOnBothSockets(t *testing.T) {
	t.Parallel()
	in := installed(t)
	if !in.Version.AtLeast(1, 9) {
		t.Skip("SKIPPED: HAProxy 1.9 is the first with a master's socket")
	}
	w := newTown(t)
	cfg, master := filepath.Join(w.dir, "haproxy.cfg"), filepath.Join(w.dir, "m")
	write(t, cfg, w.fill(certificateOnly))
	cmd := w.master(t, exec.Command(in.Bin, "-W", "-db", "-S", master, "-f", cfg))
	both := func() string {
		a, err := live.Worker(t.Context(), "unix:"+filepath.Join(w.dir, "s"))
		b, merr := live.Worker(t.Context(), "unix:"+master)
		if err != nil || merr != nil || a != b {
			return ""
		}
		return a
	}
	first := ""
	await(t, "both sockets tell the same", func() bool { first = both(); return first != "" })
	if pid, err := strconv.Atoi(first); err != nil || pid == cmd.Process.Pid {
		t.Errorf("the worker is %q, the master %d", first, cmd.Process.Pid)
	}
	if err := cmd.Process.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	await(t, "both sockets tell of another one", func() bool { now := both(); return now != "" && now != first })
	if _, err := live.Worker(t.Context(), "unix:"+cfg); err == nil {
		t.Error("a plain file told of a process")
	}
	if err := os.Remove(master); err != nil {
		t.Fatal(err)
	}
}

// Without a runtime socket the master's does the same, also after a reload and where
// the configuration names the file below crt-base or in a folder.
func TestCertificateIsSwappedByTheMaster(t *testing.T) {
	t.Parallel()
	in := installed(t)
	if !in.Version.AtLeast(2, 4) {
		t.Skip("SKIPPED: HAProxy 2.4 is the first that is given certificates on its socket")
	}
	for name, crt := range map[string]string{
		"whole path": "crt {DIR}/bitgate.pem", "relative": "crt bitgate.pem", "folder": "crt {DIR}/certs/a.example.com.pem crt {DIR}/ours",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			path := filepath.Join(w.dir, "bitgate.pem")
			if name == "folder" {
				path = filepath.Join(w.dir, "ours", "bitgate.pem")
				write(t, path, w.bundles[ourHost])
			}
			text := bytes.Replace([]byte(certificateOnly), []byte("    stats socket {DIR}/s level admin\n"), []byte("    crt-base {DIR}\n"), 1)
			text = bytes.Replace(text, []byte("crt {DIR}/certs/a.example.com.pem crt {DIR}/bitgate.pem"), []byte(crt), 1)
			cfg, master := filepath.Join(w.dir, "haproxy.cfg"), filepath.Join(w.dir, "m")
			write(t, cfg, w.fill(string(text)))
			cmd := w.master(t, exec.Command(in.Bin, "-W", "-db", "-S", master, "-f", cfg))
			worker := ""
			await(t, "the master tells of its worker", func() bool {
				worker, _ = live.Worker(t.Context(), "unix:"+master)
				return worker != ""
			})
			for range 2 {
				before := w.presented(t, ourHost)
				renewed, _ := certificate(t, ourHost)
				if err := live.SwapCertificate(t.Context(), "unix:"+master, path, renewed); err != nil {
					t.Fatal(err)
				}
				if now := w.presented(t, ourHost); bytes.Equal(now, before) || len(now) == 0 {
					t.Error("the old certificate is still served")
				}
				if err := cmd.Process.Signal(syscall.SIGUSR2); err != nil {
					t.Fatal(err)
				}
				await(t, "another worker", func() bool {
					now, _ := live.Worker(t.Context(), "unix:"+master)
					return now != "" && now != worker
				})
			}
			long := append(bytes.Clone(w.bundles[ourHost]), bytes.Repeat(w.bundles[ourHost], 40)...)
			if err := live.SwapCertificate(t.Context(), "unix:"+master, path, long); err == nil || !bytes.Contains([]byte(err.Error()), []byte("too long")) {
				t.Errorf("%d bytes: %v", len(long), err)
			}
		})
	}
}
