package keys_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/proxy/keys"
)

// later is after the time in which a time stamp proves nothing.
func later() time.Time { return time.Now().Add(time.Minute) }

func TestReload(t *testing.T) {
	i, dir := newIssuer(t), t.TempDir()
	paths := certs.Paths{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	write := func(cert, key []byte) {
		t.Helper()
		if cert != nil {
			bundle(t, paths.Cert, cert)
		}
		if key != nil {
			bundle(t, paths.Key, key)
		}
	}
	cert1, key1 := i.issue(ecKey(t), "localhost")
	cert2, key2 := i.issue(ecKey(t), "localhost")
	write(cert1, key1)
	s := open(t, paths)
	addr := listen(t, s)
	serial := func() int64 {
		t.Helper()
		state, err := shake(addr, &tls.Config{RootCAs: i.roots, ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		return state.PeerCertificates[0].SerialNumber.Int64()
	}
	first := serial()
	step := func(what string, force bool, wantErr, wantSwap bool) {
		t.Helper()
		var failed, swapped bool
		for _, c := range s.Reload(later(), force) {
			failed = failed || c.Err != nil
			swapped = swapped || c.Material != nil
		}
		if failed != wantErr || swapped != wantSwap {
			t.Errorf("%s: error %v, swapped %v", what, failed, swapped)
		}
	}
	step("nothing happened", false, false, false)
	step("nothing happened, on demand", true, false, false)
	write(cert2, nil)
	step("only the certificate is new", false, true, false)
	step("told once", false, false, false)
	step("told again on demand", true, true, false)
	if got := serial(); got != first {
		t.Errorf("a half written pair is served: %d", got)
	}
	write(nil, key2)
	step("the key came", false, false, true)
	second := serial()
	if second == first {
		t.Error("the old certificate is still served")
	}
	step("and stays", false, false, false)
	if err := os.Truncate(paths.Cert, 100); err != nil { // in place: same file, other size
		t.Fatal(err)
	}
	step("cut off", false, true, false)
	if err := os.Remove(paths.Cert); err != nil {
		t.Fatal(err)
	}
	step("gone", false, true, false)
	if got := serial(); got != second {
		t.Errorf("a broken pair is served: %d", got)
	}
	write(cert1, key1)
	step("whole again", false, false, true)
	if got := serial(); got != first {
		t.Errorf("serial %d", got)
	}
}

// What keeps a new certificate from being read for a while (no descriptor is left, say)
// does not keep it from being served: nobody changes the files once more.
func TestReloadTriesAgainWhatCouldNotBeRead(t *testing.T) {
	i, path := newIssuer(t), filepath.Join(t.TempDir(), "front.pem")
	cert, key := i.issue(ecKey(t), "localhost")
	bundle(t, path, cert, key)
	fails, opens := false, 0
	s, err := keys.OpenBy(func(path string) (*os.File, error) {
		if opens++; fails && opens > 1 { // the first one looks at it
			return nil, &os.PathError{Op: "open", Path: path, Err: syscall.EMFILE}
		}
		return os.Open(path)
	}, []certs.Paths{{PEM: path}}, later())
	if err != nil {
		t.Fatal(err)
	}
	cert, key = i.issue(ecKey(t), "localhost")
	bundle(t, path, cert, key)
	fails = true
	for n, want := range []int{1, 0, 0} { // told once
		opens = 0
		if got := s.Reload(later(), false); len(got) != want || want > 0 && !errors.Is(got[0].Err, syscall.EMFILE) {
			t.Fatalf("look %d, no file can be opened: %v", n, got)
		}
	}
	fails = false
	if got := s.Reload(later(), false); len(got) != 1 || got[0].Material == nil {
		t.Errorf("files can be opened again: %v", got)
	}
	if got := s.Reload(later(), false); len(got) != 0 {
		t.Errorf("and then: %v", got)
	}
}

// A change within the time stamp's step must not be missed.
func TestReloadSeesChangesUnderTheSameTimeStamp(t *testing.T) {
	i := newIssuer(t)
	path := filepath.Join(t.TempDir(), "front.pem")
	stamp := time.Now()
	write := func() {
		cert, key := i.issue(ecKey(t), "localhost")
		all := append(cert, key...)
		for len(all) < 2000 {
			all = append(all, '\n')
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Write(all); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	write()
	s := open(t, certs.Paths{PEM: path})
	write()
	if got := s.Reload(stamp.Add(time.Second), false); len(got) != 1 || got[0].Material == nil {
		t.Errorf("missed: %v", got)
	}
}

// Handshakes go on while certificates are swapped: none fails, and none meets a
// certificate with another one's key (its verification would fail).
func TestSwapsUnderLoad(t *testing.T) {
	swaps := 1000
	if testing.Short() {
		swaps = 100
	}
	i := newIssuer(t)
	path := filepath.Join(t.TempDir(), "front.pem")
	var versions [][2][]byte
	for range 4 {
		cert, key := i.issue(ecKey(t), "localhost")
		versions = append(versions, [2][]byte{cert, key})
	}
	bundle(t, path, versions[0][0], versions[0][1])
	s := open(t, certs.Paths{PEM: path})
	addr := listen(t, s)
	stop := make(chan struct{})
	var shaken atomic.Int64
	var load sync.WaitGroup
	failed := make(chan error, 4)
	for range 4 {
		load.Go(func() {
			cache := tls.NewLRUClientSessionCache(1) // resumption must survive, too
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := shake(addr, &tls.Config{RootCAs: i.roots, ServerName: "localhost", ClientSessionCache: cache}); err != nil {
					failed <- err
					return
				}
				if shaken.Add(1)%2 == 0 {
					cache = tls.NewLRUClientSessionCache(1)
				}
			}
		})
	}
	seen := map[string]bool{}
	for n := 1; n <= swaps; n++ {
		v := versions[n%len(versions)]
		bundle(t, path, v[0], v[1])
		changes := s.Reload(time.Now(), false)
		if len(changes) != 1 || changes[0].Material == nil {
			t.Fatalf("swap %d: %v", n, changes)
		}
		seen[fmt.Sprint(changes[0].Material.BundleDigest())] = true
	}
	close(stop)
	load.Wait()
	select {
	case err := <-failed:
		t.Error(err)
	default:
	}
	if len(seen) != len(versions) || shaken.Load() == 0 {
		t.Errorf("%d versions served, %d handshakes", len(seen), shaken.Load())
	}
	t.Logf("%d swaps, %d handshakes", swaps, shaken.Load())
}
