package renew

import (
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/internal/peers"
	"bitgate/setup"
)

// TestRenewalUnderLoad: over renewals hundreds of new connections are made
// (BITGATE_TORTURE=1: a thousand) and one clone runs. None of them fails, the clone is whole, and every connection is shown the old
// or the new certificate, in the end the new one.
func TestRenewalUnderLoad(t *testing.T) {
	connections := int64(300)
	if os.Getenv("BITGATE_TORTURE") != "" {
		connections = 1000
	}
	for _, c := range []struct{ front, socket string }{
		{setup.FrontHAProxy, ""}, {setup.FrontHAProxy, "master"}, {setup.FrontHAProxy, "none"}, {setup.FrontBuiltin, ""},
	} {
		t.Run(strings.TrimSuffix(c.front+" "+c.socket, " "), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, c.front, options{socket: c.socket, repo: true})
			good := sync.Map{} // fingerprints that may be shown
			good.Store(s.shown(), true)
			enough := make(chan struct{})
			var made, failed atomic.Int64
			var first atomic.Pointer[string]
			fail := func(text string) { failed.Add(1); first.CompareAndSwap(nil, &text) }
			one := func() {
				conn, err := tls.Dial("tcp", s.address, &tls.Config{ServerName: host, InsecureSkipVerify: true}) //nolint:gosec // the certificate itself is looked at
				if err != nil {
					fail(err.Error())
					return
				}
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(peers.Limit)) // a TCP connection has one
				if _, known := good.Load(certs.Fingerprint(conn.ConnectionState().PeerCertificates[0])); !known {
					fail("a certificate that was never installed is shown")
				}
				fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n\r\n", host, port(s.address))
				if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200") {
					fail(fmt.Sprintf("%.60q, %v", answer, err))
				}
				if made.Add(1) == connections {
					close(enough)
				}
			}
			clone, cloned := s.clone(t)
			stop := make(chan struct{})
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
							one()
						}
					}
				})
			}
			renewals := 0
			for done := false; !done || renewals < 2; renewals++ {
				s.issue(time.Now(), 90*day)
				good.Store(s.held(s.cert()), true)
				s.renewed()
				if renewals == 0 {
					close(s.release) // the clone began before, and ends after it
				}
				select {
				case <-enough:
					done = true
				default:
				}
			}
			close(stop)
			all.Wait()
			if err := <-cloned; err != nil {
				t.Errorf("the clone: %v", err)
			}
			peers.Git(t, clone, peers.GitEnv(t), "fsck", "--full")
			if info, err := os.Stat(filepath.Join(clone, "blob.bin")); err != nil || info.Size() != 4<<20 {
				t.Errorf("the clone is not whole: %v", err)
			}
			if n := failed.Load(); n > 0 {
				t.Errorf("%d of %d connections failed: %s", n, made.Load(), *first.Load())
			}
			if s.shown() != s.held(s.cert()) {
				t.Error("the new certificate is not shown")
			}
			t.Logf("%d renewals, %d new connections, %d failed", renewals, made.Load(), failed.Load())
		})
	}
}

// clone starts a git clone through the front that takes a while.
func (s *site) clone(t *testing.T) (dir string, ended <-chan error) {
	t.Helper()
	peers.Need(t, "git")
	dir = filepath.Join(t.TempDir(), "clone")
	env := peers.GitEnv(t, "GIT_SSL_NO_VERIFY=1")
	cmd := exec.Command(peers.Path(t, "git"), "-c", "http.curloptResolve="+host+":"+port(s.address)+":127.0.0.1",
		"clone", "-q", "https://"+host+":"+port(s.address)+"/repo.git", dir)
	cmd.Env = env
	done := make(chan error, 1)
	go func() {
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		done <- err
	}()
	return dir, done
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
