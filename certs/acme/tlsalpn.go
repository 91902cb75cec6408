package acme

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"

	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
)

// Folder answers TLS-ALPN-01 by files that the built-in proxy reads (its
// acme-challenges): NAME.pem, a certificate that is good for nothing else, with its key.
type Folder struct {
	Dir   string
	Group int // whose members read the files; -1 for everybody: they prove nothing to anybody else
}

// Type is Solver's.
func (Folder) Type() string { return TLSALPN01 }

func (f Folder) file(c acme.Challenge) string {
	return filepath.Join(f.Dir, ServerName(c.Identifier.Value)+".pem")
}

// Present is Solver's.
func (f Folder) Present(_ context.Context, c acme.Challenge) error {
	cert, err := acmez.TLSALPN01ChallengeCert(c)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		return err
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	data = append(data, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	if err := f.make(); err != nil {
		return problem.Wrap(err, "the folder "+f.Dir+" cannot be made", "the proxy finds there what it shows the authority", "")
	}
	old, err := atomicfile.Read(f.file(c))
	if err != nil {
		return problem.Wrap(err, "the challenge's certificate cannot be put into "+f.Dir, "the proxy shows it to the authority", "check the folder")
	}
	mode := os.FileMode(0o644)
	if f.Group >= 0 {
		mode = 0o640
	}
	return atomicfile.Writer{}.Private(old, data, mode, f.Group)
}

// make makes the folder, which the proxy's user reads whatever this process's umask is.
func (f Folder) make() error {
	err := os.Mkdir(f.Dir, 0o755)
	if os.IsExist(err) {
		return nil
	}
	if err == nil {
		err = os.Chmod(f.Dir, 0o755)
	}
	return err
}

// CleanUp is Solver's. A folder in which there is nothing more goes as well.
func (f Folder) CleanUp(_ context.Context, c acme.Challenge) error {
	if err := os.Remove(f.file(c)); err != nil && !os.IsNotExist(err) {
		return err
	}
	_ = os.Remove(f.Dir) // fails where somebody uses it
	return nil
}
