package certs

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"bitgate/certs/keystore"
	"bitgate/internal/problem"
	"bitgate/internal/trusted"
)

// maxFile is the largest file read, in bytes (crypto/x509 has had several
// denials of service by size).
const maxFile = 1 << 20

// Unlock is what opens files that are under a password, and chooses in those with
// several keys.
type Unlock struct {
	// Ask gives the passwords to try after locked, which says whether others were
	// tried; none ends the tries. Nil where nobody can be asked.
	Ask func(locked error) ([][]byte, error)
	// Keys finds the key of a certificate that came without one, nil where there is
	// none; nil where none is kept.
	Keys func(public crypto.PublicKey) (crypto.Signer, error)
	// Host is whose key is meant where a store has several, "" for no preference.
	Host string
}

// IsLocked reports whether err is for want of a password.
func IsLocked(err error) bool {
	var locked *keystore.LockedError
	return errors.As(err, &locked)
}

// Refused reports whether passwords were tried and none of them fits.
func Refused(err error) bool {
	var locked *keystore.LockedError
	return errors.As(err, &locked) && locked.Given
}

// Load reads and parses the files (at most 1 MiB each), in any format that bitgate
// knows (package keystore), none under a password. The certificate that the key
// belongs to is the leaf, wherever it stands; the chain is put in order.
func Load(p Paths) (*Material, error) { return LoadBy(Open, p) }

// LoadBy is Load for files that something else opens.
func LoadBy(open func(path string) (*os.File, error), p Paths) (*Material, error) {
	return LoadWith(open, p, Unlock{})
}

// LoadWith is LoadBy that asks for the passwords of what is locked.
func LoadWith(open func(path string) (*os.File, error), p Paths, u Unlock) (*Material, error) {
	paths, err := p.list()
	if err != nil {
		return nil, err
	}
	return LoadAll(open, paths, p.Alias, u)
}

// LoadAll is LoadWith for files of which nobody says what each is.
func LoadAll(open func(path string) (*os.File, error), paths []string, alias string, u Unlock) (*Material, error) {
	var passwords [][]byte
	for {
		m, err := loadOnce(open, paths, alias, passwords, u)
		if u.Ask == nil || !IsLocked(err) {
			return m, err
		}
		more, asked := u.Ask(err)
		if asked != nil {
			return nil, asked
		}
		if len(more) == 0 {
			return nil, err
		}
		passwords = more
	}
}

func loadOnce(open func(path string) (*os.File, error), paths []string, alias string, passwords [][]byte, u Unlock) (*Material, error) {
	var all parsed
	m := &Material{sources: map[string]string{}}
	for _, path := range paths {
		if _, seen := m.sources[path]; seen {
			continue
		}
		data, mode, err := read(open, path)
		if err != nil {
			return nil, err
		}
		m.sources[path] = digest(data)
		got, err := parse(path, data, passwords)
		if err != nil {
			return nil, err
		}
		if len(got.keys) > 0 && !got.opened && mode&0o077 != 0 {
			m.exposed = append(m.exposed, fmt.Sprintf("%s (mode %04o)", path, mode))
		}
		all.join(got)
	}
	if err := all.choose(alias, u.Host, len(passwords) > 0); err != nil {
		return nil, err
	}
	if err := all.findKeys(u); err != nil {
		return nil, err
	}
	if all.locked != nil && (len(all.keys) == 0 || len(all.certs) == 0) {
		return nil, all.locked.error(u.Ask != nil)
	}
	if err := m.arrange(all, strings.Join(paths, ", ")); err != nil {
		return nil, err
	}
	if all.locked != nil && !sameKey(m.leaf.PublicKey, m.public) {
		return nil, all.locked.error(u.Ask != nil) // the other key is not the certificate's
	}
	m.alias = all.alias
	return m, nil
}

// findKeys adds kept keys where the files have none.
func (p *parsed) findKeys(u Unlock) error {
	if u.Keys == nil || len(p.keys) > 0 || p.locked != nil {
		return nil
	}
	for _, c := range p.certs {
		if c.IsCA {
			continue
		}
		signer, err := u.Keys(c.PublicKey)
		if err != nil {
			return err
		}
		if signer == nil {
			continue
		}
		der, err := x509.MarshalPKCS8PrivateKey(signer)
		if err != nil {
			return err
		}
		p.keys = append(p.keys, privateKey{pem.Block{Type: "PRIVATE KEY", Bytes: der}, signer.Public()})
	}
	return nil
}

func (p Paths) list() ([]string, error) {
	switch {
	case p.PEM != "" && p.Cert+p.Key+p.Chain != "":
		return nil, problem.New("both one PEM file and separate certificate files are given", "only one of them can be served",
			"give either the one file (pem) or certificate and key (cert, key, chain)").WithKind(problem.Usage)
	case p.PEM != "":
		return []string{p.PEM}, nil
	case p.Cert == "":
		return nil, problem.New("no certificate file is given", "HTTPS needs a certificate and its key",
			"give one file with everything (pem) or certificate and key (cert, key)").WithKind(problem.Usage)
	}
	paths := []string{p.Cert}
	for _, more := range []string{p.Chain, p.Key} {
		if more != "" {
			paths = append(paths, more)
		}
	}
	return paths, nil
}

// OpenTrusted is Open for those who install what they read: nobody but root and
// the user may be able to exchange the file (internal/trusted).
func OpenTrusted(path string) (*os.File, error) { return trusted.Open("the certificate", path) }

// Open opens a file for reading; one that is no file keeps nobody waiting.
func Open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// read returns a regular file's bytes and permissions.
func read(open func(string) (*os.File, error), path string) ([]byte, os.FileMode, error) {
	file, err := open(path)
	if err != nil {
		if _, is := errors.AsType[*problem.Error](err); is {
			return nil, 0, err
		}
		return nil, 0, problem.Wrap(err, "the certificate file cannot be read", "", "check the path and who may read it")
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, 0, problem.Wrap(err, path+" cannot be read", "", "")
	}
	if !info.Mode().IsRegular() {
		return nil, 0, problem.New(path+" is not a regular file", "", "name a certificate file")
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, 0, problem.Wrap(err, path+" cannot be read", "", "")
	}
	if len(data) > maxFile {
		return nil, 0, problem.New(path+" is larger than 1 MiB", "no certificate file is", "name the certificate's own file")
	}
	return data, info.Mode().Perm(), nil
}
