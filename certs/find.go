package certs

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bitgate/internal/pattern"
	"bitgate/internal/problem"
)

// Pair is a server's certificate and where its key lies.
type Pair struct {
	Cert     string // file of the certificate
	Key      string // file of its key; Cert itself where both are in one
	Names    []string
	NotAfter time.Time
	Chain    bool // intermediate certificates stand in Cert too
}

// Folders are where administrators and their tools keep certificates.
var Folders = []string{"/etc/letsencrypt/live", "/etc/ssl", "/etc/pki/tls", "/etc/haproxy", "/etc/nginx"}

// Bounds of a search: a folder of certificates is small.
const (
	maxDepth   = 3
	maxFiles   = 2000
	maxPEMFile = 128 << 10 // a certificate with its chain and key has 10, the bundle of all authorities 200
)

// authorities is where distributions keep those of the browsers, a file each, to which
// Debian's /etc/ssl/certs links.
const authorities = "/usr/share/ca-certificates/"

// Find looks for certificates of servers with their keys, by public key, in the
// folders and three levels below; those that end last come first. It is a look
// and not a proof: what cannot be read, or is no PEM, is passed over.
func Find(folders []string) []Pair {
	type held struct {
		path string
		parsed
	}
	var files []held
	for _, path := range candidates(folders) {
		data, _, err := read(OpenTrusted, path)
		if err != nil || len(data) > maxPEMFile || !bytes.Contains(data, beginMark) {
			continue
		}
		if p, err := parsePEM(path, data, nil); err == nil && len(p.certs)+len(p.keys) > 0 {
			files = append(files, held{path, p})
		}
	}
	var out []Pair
	leaves := map[string]int{} // raw leaf -> index in out
	for _, f := range files {
		i := slices.IndexFunc(f.certs, func(c *x509.Certificate) bool { return !c.IsCA && len(c.DNSNames)+len(c.IPAddresses) > 0 })
		if i < 0 {
			continue
		}
		leaf := f.certs[i]
		key := ""
		for _, k := range files {
			if !slices.ContainsFunc(k.keys, func(p privateKey) bool { return sameKey(p.public, leaf.PublicKey) }) {
				continue
			}
			if key == "" || nearer(k.path, key, f.path) {
				key = k.path
			}
		}
		if key == "" {
			continue
		}
		p := Pair{Cert: f.path, Key: key, Names: names(leaf), NotAfter: leaf.NotAfter, Chain: len(f.certs) > 1}
		if at, twice := leaves[string(leaf.Raw)]; !twice {
			leaves[string(leaf.Raw)] = len(out)
			out = append(out, p)
		} else if p.Chain && !out[at].Chain {
			out[at] = p
		}
	}
	slices.SortStableFunc(out, func(a, b Pair) int { return b.NotAfter.Compare(a.NotAfter) })
	return out
}

// nearer prefers the key in the certificate's own file, then in its folder.
func nearer(path, than, cert string) bool {
	rank := func(p string) int {
		switch {
		case p == cert:
			return 0
		case filepath.Dir(p) == filepath.Dir(cert):
			return 1
		}
		return 2
	}
	return rank(path) < rank(than)
}

// hashLink is a name that openssl-rehash(1) gives to each certificate of a folder
// a second time, as in Debian's /etc/ssl/certs.
var hashLink = pattern.Lazy(`^[0-9a-f]{8}\.[0-9]+$`)

// snakeoil is the certificate that Debian's package ssl-cert signs itself, which
// no client accepts.
const snakeoil = "ssl-cert-snakeoil.pem"

// candidates are the regular files below the folders, links followed, each by the
// name that people know. What bitgate itself wrote is a copy of another file.
func candidates(folders []string) []string {
	var out []string
	var walk func(dir string, depth int)
	walk = func(dir string, depth int) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if to, err := os.Readlink(path); err == nil && strings.HasPrefix(to, authorities) || hashLink().MatchString(e.Name()) {
				continue
			}
			info, err := os.Stat(path)
			switch {
			case err != nil || len(out) >= maxFiles || strings.HasPrefix(e.Name(), "bitgate-") || e.Name() == snakeoil:
			case info.IsDir() && depth < maxDepth && e.Type()&os.ModeSymlink == 0:
				walk(path, depth+1)
			case info.Mode().IsRegular() && info.Size() <= maxPEMFile && !slices.Contains(out, path):
				out = append(out, path)
			}
		}
	}
	for _, f := range folders {
		walk(f, 1)
	}
	return out
}

// Part is what a file may be named for.
type Part string

// Parts of the material.
const (
	CertPart  Part = "certificate"
	KeyPart   Part = "private key"
	ChainPart Part = "chain"
)

// Check reports why a file cannot be the named part, nil where it can.
func Check(part Part, path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return problem.New(path+" is a folder", "", "name the file with the "+string(part))
	}
	data, _, err := read(OpenTrusted, path)
	if errors.Is(err, fs.ErrNotExist) {
		return problem.New(path+" does not exist", "", "name the file with the "+string(part))
	}
	if err != nil {
		return err
	}
	p, err := parse(path, data, nil)
	if err != nil {
		return err
	}
	have := len(p.all()) > 0
	haveKey := len(p.keys) > 0 || p.locked != nil || slices.ContainsFunc(p.stores, namedStore.hasKeys)
	switch {
	case part == KeyPart && haveKey, part != KeyPart && have:
		return nil
	case part == CertPart && p.locked != nil && p.locked.store:
		return nil // its password will show
	case bytes.Contains(data, []byte("CERTIFICATE REQUEST-----")):
		return problem.New(path+" is a certificate request, not a certificate", "an authority makes the certificate of it", "name the file that the authority sent back")
	case haveKey:
		return problem.New(path+" holds a private key and no certificate", "", "name the file with the "+string(part))
	}
	return problem.New(path+" holds no "+string(part), "", "name the file with the "+string(part))
}

// Roots are the authorities that stand in a file and signed themselves, which is what
// clients are told to trust.
func Roots(path string) ([]*x509.Certificate, error) {
	data, _, err := read(Open, path)
	if err != nil {
		return nil, err
	}
	p, err := parse(path, data, nil)
	if err != nil {
		return nil, err
	}
	roots := slices.DeleteFunc(distinct(p.all()), func(c *x509.Certificate) bool { return !c.IsCA || !selfSigned(c) })
	if len(roots) == 0 {
		return nil, problem.New(path+" holds no root certificate", "clients are told to trust the authority at the top, which signed itself", "ask the authority for it, or take ca.pem of bitgate cert dev")
	}
	return roots, nil
}

// Leaf is the server's certificate that a file shows without a password: the first
// that is no authority's, else the first. Nil where it shows none.
func Leaf(path string) *x509.Certificate {
	data, _, err := read(OpenTrusted, path)
	if err != nil {
		return nil
	}
	p, err := parse(path, data, nil)
	if err != nil {
		return nil
	}
	all := p.all()
	if i := slices.IndexFunc(all, func(c *x509.Certificate) bool { return !c.IsCA }); i >= 0 {
		return all[i]
	}
	if len(all) > 0 {
		return all[0]
	}
	return nil
}
