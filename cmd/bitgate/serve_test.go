package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/peers"
)

// client trusts the machine's certificate authority.
func (m machine) client(t *testing.T) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(m.dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Timeout: peers.Limit, Transport: transport}
}

// serving starts `apply --serve` and waits until it serves.
func (m machine) serving(t *testing.T, restart string) (stop func(), output *bytes.Buffer) {
	t.Helper()
	password := filepath.Join(m.dir, "password")
	if err := os.WriteFile(password, []byte("right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, _, output := bitgate(t, append([]string{"apply", "--yes", "--serve", "--admin-password-file", password, "--restart", restart}, m.args...)...)
	cmd.Env = append(cmd.Env, m.env...)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	cmd.Stdout, cmd.Stderr = w, w // one stream, read by this goroutine alone
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if !readUntil(r, output, "Serving https://localhost:"+strconv.Itoa(m.port)) {
		t.Fatalf("it does not serve:\n%s", output)
	}
	return func() {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		readUntil(r, output, "no such line")
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, output)
		}
		noneRuns(t, m.dir)
	}, output
}

// TestServe: apply --serve goes on as the front, as somebody else than root,
// until a signal; then nothing is left running. With nothing to do it serves, too.
func TestServe(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	restarts := filepath.Join(m.dir, "restart")
	stop := m.firstServing(t, restarts)
	m.running(t)
	if os.Geteuid() == 0 {
		unprivileged(t, filepath.Join(m.dir, "proxy.yaml"))
	}
	stop()

	stop, output := m.serving(t, "touch "+restarts)
	if !strings.Contains(output.String(), "Nothing to do.") {
		t.Errorf("the second time:\n%s", output)
	}
	m.running(t)
	stop()
}

// TestServeOnAllAddresses: "*" is what people know from HAProxy; the built-in
// proxy serves it too, as the file that apply wrote has it.
func TestServeOnAllAddresses(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	listen := slices.Index(m.args, "--listen") + 1
	m.args[listen] = "*:" + strconv.Itoa(m.port)
	stop := m.firstServing(t, filepath.Join(m.dir, "restart"))
	m.running(t)
	stop()
}

// firstServing is the run that restarts Bitbucket, by a file, and verifies.
func (m machine) firstServing(t *testing.T, restarts string) (stop func()) {
	t.Helper()
	restarted := make(chan struct{})
	go func() {
		defer close(restarted)
		restartOn(t, m.Server, restarts)
	}()
	stop, output := m.serving(t, "touch "+restarts)
	<-restarted
	if !strings.Contains(output.String(), "ok  Bitbucket answers through the front") {
		t.Errorf("it was not verified:\n%s", output)
	}
	return stop
}

// running asks for the status through the front.
func (m machine) running(t *testing.T) {
	t.Helper()
	res, err := m.client(t).Get("https://localhost:" + strconv.Itoa(m.port) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || string(body) != `{"state":"RUNNING"}` {
		t.Errorf("status %s, %v", body, err)
	}
}

// restartOn plays the service manager: the restart command leaves a file.
func restartOn(t *testing.T, s *bitbuckettest.Server, file string) {
	peers.WaitFor(t, "the restart command ran", func() bool { return exists(file) })
	if err := s.Restart(); err != nil {
		t.Error(err)
	}
}

// unprivileged: the process that talks to the network is not root and has no
// effective capability (proc(5), Uid and CapEff).
func unprivileged(t *testing.T, config string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		line, _ := os.ReadFile(f)
		if !strings.Contains(string(line), "proxy\x00--config\x00"+config) {
			continue
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(f), "status"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(status), "\nUid:\t0\t") || !strings.Contains(string(status), "\nCapEff:\t0000000000000000\n") {
			t.Errorf("the front still has rights:\n%s", status)
		}
		return
	}
	t.Error("no front runs")
}

// TestServeEndsWithParent: whoever kills bitgate does not leave its front behind.
func TestServeEndsWithParent(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	bundle := filepath.Join(m.dir, "bundle.pem")
	pem, err := os.ReadFile(filepath.Join(m.dir, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(m.dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bundle, append(pem, key...), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, _, output := bitgate(t, "proxy", "--with-parent", "--url", "https://localhost:"+strconv.Itoa(m.port),
		"--listen", "127.0.0.1:"+strconv.Itoa(m.port), "--upstream", m.Upstream(), "--pem", bundle)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	peers.WaitFor(t, "the front answers", func() bool {
		res, err := m.client(t).Get("https://localhost:" + strconv.Itoa(m.port) + "/status")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}
