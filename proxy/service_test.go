package proxy_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
	"bitgate/proxy/config"
)

// A service manager passes the socket, is told when the proxy is ready, lives
// and stops, and has the certificate read anew by SIGHUP.
func TestRunUnderAServiceManager(t *testing.T) {
	dir, err := os.MkdirTemp("", "bitgate") // t.TempDir is closed to the user it becomes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	pem := filepath.Join(dir, "front.pem")
	roots := x509.NewCertPool()
	renew := func() {
		t.Helper()
		ca, cert, key, err := certs.Dev([]string{"localhost"}, 90, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		roots.AppendCertsFromPEM(ca)
		if err := os.WriteFile(pem, append(cert, key...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	renew()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	addr := socket.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	url, _ := publicurl.Parse("https://localhost:" + port + "/bitbucket")
	file := configFile(t, dir, config.Config{URL: url, Listen: []string{addr}, Upstream: "http://" + newRecorder(t).addr, PEM: pem, HealthPath: config.HealthNone})
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	if err := os.Chmod(filepath.Join(dir, "notify"), 0o777); err != nil {
		t.Fatal(err)
	}
	told := make(chan string, 100)
	go func() {
		for buf := make([]byte, 4096); ; {
			n, err := manager.Read(buf)
			if err != nil {
				return
			}
			told <- string(buf[:n])
		}
	}()
	waitFor := func(what string) {
		t.Helper()
		for !strings.HasPrefix(receive(t, what, told), what) {
		}
	}

	passed, err := socket.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer passed.Close()
	p := child(t, os.Args[0], file, []string{"NOTIFY_SOCKET=" + filepath.Join(dir, "notify")}, passed)
	serial := func() string {
		conn, err := dialTLS(addr, &tls.Config{RootCAs: roots, ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	waitFor("READY=1")
	waitFor("WATCHDOG=1")
	c := &http.Client{Timeout: peers.Limit, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	if res, err := c.Get(url.BaseURL() + "/x"); err != nil || res.StatusCode != 200 {
		t.Fatalf("%v %v", res, err)
	} else {
		res.Body.Close()
	}
	first := serial()
	renew()
	if err := syscall.Kill(p.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	until(t, "the new certificate", func() bool { return serial() != first })
	p.Stop()
	waitFor("STOPPING=1")
	endsWell(t, p)
	// Who connects between two processes waits in the socket that the manager keeps.
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatalf("the socket ended with the process: %v", err)
	}
	conn.Close()
}

func TestPassedSocketThatNobodyNamesIsRefused(t *testing.T) {
	_, c, dir := processRig(t)
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	passed, err := socket.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer passed.Close()
	p := child(t, os.Args[0], configFile(t, dir, c), nil, passed)
	receive(t, "the process ends", p.Done())
	if !strings.Contains(p.Output(), "which the configuration does not name") {
		t.Error(p.Output())
	}
}
