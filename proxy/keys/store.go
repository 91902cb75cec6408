// Package keys holds the certificates that the proxy serves: RSA and ECDSA side
// by side, chosen by the name a client asks for, replaced while it serves. A
// certificate and its key are swapped together or not at all: a pair that is
// broken or half written leaves the one before in use.
package keys

import (
	"crypto/tls"
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"bitgate/certs"
	"bitgate/internal/problem"
)

// settle is how old a file's time stamp must be before the same stamp proves the
// same content: file systems count in steps of up to two seconds.
const settle = 2 * time.Second

// Store serves pairs of certificate and key.
type Store struct {
	serving atomic.Pointer[selection] // what handshakes see

	open  func(path string) (*os.File, error)
	mu    sync.Mutex // of Reload
	pairs []*pair
}

// pair is the files of one certificate and what was last read from them.
type pair struct {
	paths    certs.Paths
	files    []string
	seen     []os.FileInfo // when last read, nil where there was none
	settled  bool          // seen proves that nothing changed
	digest   string
	refused  string // the last error that was told
	material *certs.Material
	cert     *tls.Certificate
}

// Change is one thing that Reload found.
type Change struct {
	Material *certs.Material // now served, nil with Err
	Err      error           // why the files are not served; what was served before still is
}

// Open reads all pairs; the first is the default, for clients that name no host
// or an unknown one. A pair that cannot be served is an error here.
func Open(paths []certs.Paths, now time.Time) (*Store, error) { return OpenBy(certs.Open, paths, now) }

// OpenBy is Open for files that something else opens.
func OpenBy(open func(path string) (*os.File, error), paths []certs.Paths, now time.Time) (*Store, error) {
	if len(paths) == 0 {
		return nil, problem.New("no certificate is given", "HTTPS needs one", "name a certificate and its key (pem, or cert and key)").WithKind(problem.Usage)
	}
	s := &Store{open: open}
	for _, p := range paths {
		one := &pair{paths: p}
		for _, file := range []string{p.PEM, p.Cert, p.Chain, p.Key} {
			if file != "" {
				one.files = append(one.files, file)
			}
		}
		one.look(open, now)
		if _, err := one.load(open); err != nil {
			return nil, err
		}
		s.pairs = append(s.pairs, one)
	}
	s.serving.Store(newSelection(s.pairs))
	return s, nil
}

// Materials that are served, in the order of Open.
func (s *Store) Materials() []*certs.Material {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*certs.Material, 0, len(s.pairs))
	for _, p := range s.pairs {
		all = append(all, p.material)
	}
	return all
}

// Reload looks whether files have changed (another file, size or time stamp), or
// could not be served before, and serves what they hold now. force reads them in any
// case (SIGHUP). An error is told once, and with force again.
func (s *Store) Reload(now time.Time, force bool) []Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	var changes []Change
	swapped := false
	for _, p := range s.pairs {
		if !p.look(s.open, now) && !force {
			continue
		}
		changed, err := p.load(s.open)
		switch {
		case err == nil:
			p.refused = ""
		case force || err.Error() != p.refused:
			p.refused = err.Error()
			changes = append(changes, Change{Err: err})
		}
		p.settled = p.settled && err == nil // what kept it from being read may be over without a change
		if changed {
			swapped = true
			changes = append(changes, Change{Material: p.material})
		}
	}
	if swapped {
		s.serving.Store(newSelection(s.pairs))
	}
	return changes
}

// look reports whether the files may hold something else than when last read.
func (p *pair) look(open func(string) (*os.File, error), now time.Time) bool {
	same := p.settled
	settled := true
	infos := make([]os.FileInfo, len(p.files))
	for i, file := range p.files {
		if info := stat(open, file); info != nil {
			infos[i] = info
			settled = settled && now.Sub(info.ModTime()) > settle
		}
		same = same && unchanged(p.seen[i], infos[i])
	}
	p.seen, p.settled = infos, settled
	return !same
}

// stat is nil for a file that cannot be opened.
func stat(open func(string) (*os.File, error), path string) os.FileInfo {
	file, err := open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil
	}
	return info
}

func unchanged(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// load reads the files and keeps what they hold if it can be served; it reports
// whether that is new.
func (p *pair) load(open func(string) (*os.File, error)) (changed bool, err error) {
	material, err := certs.LoadBy(open, p.paths)
	if errors.Is(err, os.ErrPermission) && p.cert != nil {
		return false, problem.Wrap(err, "the new certificate cannot be read", "the proxy is not root while it serves; the previous certificate stays in use",
			"let the proxy's user read the file (setfacl -m u:NAME:r FILE), or restart the proxy")
	}
	if err != nil {
		return false, err
	}
	digest := material.BundleDigest()
	if digest == p.digest {
		return false, nil
	}
	bundle := material.Bundle()
	cert, err := tls.X509KeyPair(bundle, bundle)
	if err != nil {
		return false, problem.Wrap(err, "the certificate cannot be served with its key", "", "name a certificate and the key it was issued for")
	}
	p.digest, p.material, p.cert = digest, material, &cert
	return true, nil
}

// certificates of all pairs.
func certificates(pairs []*pair) []*tls.Certificate {
	all := make([]*tls.Certificate, 0, len(pairs))
	for _, p := range pairs {
		all = append(all, p.cert)
	}
	// Clients that can do both get ECDSA: its signature costs a thirtieth of RSA's.
	slices.SortStableFunc(all, func(a, b *tls.Certificate) int { return rank(a) - rank(b) })
	return all
}
