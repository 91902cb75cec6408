package renew

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/certs/acme"
	"bitgate/certs/store"
	"bitgate/internal/atomicfile"
	"bitgate/setup"
)

// issuer is an authority that issues at once, and knows what it issued.
type issuer struct {
	site    *site
	issued  []string // fingerprints
	secrets []string // lines of the keys
}

func (*issuer) RenewalInfo(context.Context, *x509.Certificate, *store.Renewal) (store.Renewal, error) {
	return store.Renewal{}, acme.ErrNoRenewalInfo
}

func (i *issuer) Obtain(context.Context, *x509.Certificate) ([]byte, error) {
	cert, key := selfMade(i.site.t, time.Now().Add(-time.Hour), 90*day, host)
	block, _ := pem.Decode(cert)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	i.issued = append(i.issued, certs.Fingerprint(leaf))
	for line := range strings.Lines(string(key)) {
		if line = strings.TrimSpace(line); len(line) == 64 && !strings.HasPrefix(line, "-") {
			i.secrets = append(i.secrets, line)
		}
	}
	return append(cert, key...), nil
}

// issuing is a front whose certificate bitgate orders from i.
func issuing(t *testing.T) (*site, *issuer) {
	t.Helper()
	s := newSite(t, setup.FrontBuiltin, options{skip: true, order: true})
	s.ordered(store.Order{Names: []string{host}, Directory: "https://ca.test/dir", Challenge: acme.HTTP01})
	return s, &issuer{site: s}
}

func (i *issuer) renew(o Options) error {
	r := i.site.renewer()
	r.Order = func(store.Order) Authority { return i }
	_, err := r.Renew(context.Background(), o)
	return err
}

// settled: after one attempt and the look that follows it, the front has the newest
// certificate that was kept, which is the one of before or the one that was issued,
// and no second one was ordered for it.
func (i *issuer) settled(n int, old string, orders int) {
	s := i.site
	s.t.Helper()
	if err := i.renew(Options{}); err != nil {
		s.t.Fatalf("after operation %d: %v\n%s", n, err, s.log.String())
	}
	newest, _, err := s.renewer().newest(s.d, Options{})
	s.must(err)
	held := s.held(s.bundle())
	if newest != "" && held != s.held(newest) {
		s.t.Errorf("after operation %d: the front has not what was kept", n)
	}
	if last := i.issued[len(i.issued)-1]; held != old && held != last {
		s.t.Errorf("after operation %d: the front has neither", n)
	}
	if len(i.issued) > orders {
		s.t.Errorf("after operation %d: %d certificates were ordered", n, len(i.issued)-orders+1)
	}
	s.whole(n)
	i.canaries(n)
}

// canaries: the bytes of no key lie anywhere but in the store, the bundle, the files
// of before and a run's backups, nor are they told.
func (i *issuer) canaries(n int) {
	s := i.site
	s.must(filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.Contains(path, "/backups/") || strings.HasPrefix(path, s.path("state/certificates/")) || path == s.bundle() || strings.HasPrefix(path, s.path("tls/")) {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, secret := range i.secrets {
			if strings.Contains(string(data), secret) {
				s.t.Errorf("operation %d: %s holds bytes of a key", n, path)
			}
		}
		return nil
	}))
	for _, secret := range i.secrets {
		if strings.Contains(s.log.String(), secret) {
			s.t.Errorf("operation %d: bytes of a key are told", n)
		}
	}
}

// TestIssuanceKilledAtEveryOperation: a process that dies at any operation of an
// issuance, from the first one's state to the last of its deployment, leaves the old
// certificate or the new one in force; what was issued and kept is not ordered again.
func TestIssuanceKilledAtEveryOperation(t *testing.T) {
	t.Parallel()
	s, by := issuing(t)
	s.must(by.renew(Options{}))
	n := 1
	for ; ; n++ {
		old, orders := s.held(s.bundle()), len(by.issued)+1
		if !s.killed(n, func(*Renewer) error {
			r := s.renewer()
			r.Order = func(store.Order) Authority { return by }
			_, err := r.Renew(context.Background(), Options{Force: true})
			return err
		}) {
			break
		}
		if held := s.held(s.bundle()); held != old && held != by.issued[len(by.issued)-1] {
			t.Errorf("operation %d: the bundle is neither", n)
		}
		by.settled(n, old, orders)
	}
	if s.held(s.bundle()) != by.issued[len(by.issued)-1] {
		t.Error("what is issued undisturbed is not in force")
	}
	t.Logf("%d operations", n-1)
}

// errnos are what a disk may refuse with.
func errnos() []syscall.Errno {
	if torture {
		return []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EROFS, syscall.EDQUOT, syscall.EACCES, syscall.EMFILE}
	}
	return []syscall.Errno{syscall.ENOSPC}
}

// TestIssuanceWithEveryErrno: no error of the disk at any operation of an issuance
// leaves anything but the old certificate or the new one.
func TestIssuanceWithEveryErrno(t *testing.T) {
	t.Parallel()
	s, by := issuing(t)
	s.must(by.renew(Options{}))
	tried, failed := 0, 0
	for _, errno := range errnos() {
		for n := 1; ; n++ {
			old, orders := s.held(s.bundle()), len(by.issued)+1
			count := s.at(n, func() error { return errno })
			err := by.renew(Options{Force: true})
			s.files = atomicfile.Writer{}
			if *count < n {
				break
			}
			if tried++; err != nil {
				failed++
			}
			if len(by.issued) == orders-1 { // it failed before the order
				by.issued = append(by.issued, old)
			}
			s.moved.Add(int64(2 * time.Hour)) // behind the pause after a failure
			by.settled(n, old, orders)
			s.moved.Add(-int64(2 * time.Hour))
		}
	}
	t.Logf("%d operations failed, %d stopped the renewal", tried, failed)
}

// TestStatusOfAnOrder: a certificate that was just ordered is due when its life says so,
// not when its authority is next asked; that nothing runs the renewals is told.
func TestStatusOfAnOrder(t *testing.T) {
	t.Parallel()
	s, by := issuing(t)
	s.must(by.renew(Options{}))
	st, found, err := s.renewer().Status(t.Context(), s.path("root"))
	if err != nil || !found || st.Renewer != "bitgate" || st.Next.Before(time.Now().Add(59*day)) {
		t.Errorf("%t, %v, %+v", found, err, st)
	}
	if told := st.Findings(time.Now()); len(told) != 1 || !strings.Contains(told[0].Found, "nothing has it renewed") {
		t.Errorf("%+v", told)
	}
}
