package certs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"bitgate/internal/problem"
	"bitgate/internal/trusted"
)

// maxFile is the largest file read, in bytes (crypto/x509 has had several
// denials of service by size).
const maxFile = 1 << 20

// Load reads and parses the files (at most 1 MiB each). The certificate that
// the key belongs to is the leaf, wherever it stands; the chain is put in order.
func Load(p Paths) (*Material, error) { return LoadBy(Open, p) }

// LoadBy is Load for files that something else opens.
func LoadBy(open func(path string) (*os.File, error), p Paths) (*Material, error) {
	paths, err := p.list()
	if err != nil {
		return nil, err
	}
	var all parsed
	var locked error // about a key with a passphrase, which another may replace
	m := &Material{sources: map[string]string{}}
	for _, path := range paths {
		if _, seen := m.sources[path]; seen {
			continue
		}
		data, mode, err := read(open, path)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		m.sources[path] = hex.EncodeToString(sum[:])
		got, err := parsePEM(path, data)
		if err != nil {
			return nil, err
		}
		if len(got.keys) > 0 && mode&0o077 != 0 {
			m.exposed = append(m.exposed, fmt.Sprintf("%s (mode %04o)", path, mode))
		}
		all.certs = append(all.certs, got.certs...)
		all.keys = append(all.keys, got.keys...)
		if got.locked != "" {
			locked = got.lockedKey()
		}
	}
	if locked != nil && len(all.keys) == 0 {
		return nil, locked
	}
	if err := m.arrange(all, strings.Join(paths, ", ")); err != nil {
		return nil, err
	}
	if locked != nil && !sameKey(m.leaf.PublicKey, m.public) {
		return nil, locked // the other key is not the certificate's
	}
	return m, nil
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
		var told *problem.Error
		if errors.As(err, &told) {
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
		return nil, 0, problem.New(path+" is not a regular file", "", "name a PEM file")
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, 0, problem.Wrap(err, path+" cannot be read", "", "")
	}
	if len(data) > maxFile {
		return nil, 0, problem.New(path+" is larger than 1 MiB", "no certificate file is", "name the certificate's own PEM file")
	}
	return data, info.Mode().Perm(), nil
}
