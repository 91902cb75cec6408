package keys

import (
	"crypto/tls"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"bitgate/internal/pattern"
	"bitgate/internal/problem"
)

// ChallengeProtocol is what an authority speaks that validates by tls-alpn-01 (RFC 8737).
const ChallengeProtocol = "acme-tls/1"

// challengeName is a host name or the reverse name of an address (RFC 8738), and
// nothing that leads out of a folder.
var challengeName = pattern.Lazy(`^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9])?$`)

// maxChallenge is more than a challenge's file has, in bytes.
const maxChallenge = 64 << 10

// Challenges is tls.Config's GetConfigForClient: to a client that offers acme-tls/1
// and nothing else, the certificate NAME.pem in folder. Whoever orders one puts it
// there for a moment. Others get the usual configuration.
func Challenges(folder string) func(*tls.ClientHelloInfo) (*tls.Config, error) {
	return func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != ChallengeProtocol {
			return nil, nil
		}
		name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
		if !challengeName().MatchString(name) || strings.Contains(name, "..") {
			return nil, problem.New("a validation by "+ChallengeProtocol+" without a usable name", "", "")
		}
		f, err := os.OpenFile(filepath.Join(folder, name+".pem"), os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return nil, problem.New("a validation by "+ChallengeProtocol+" of a name that no certificate is ordered for", "", "")
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, maxChallenge))
		if err != nil {
			return nil, err
		}
		cert, err := tls.X509KeyPair(data, data)
		if err != nil {
			return nil, problem.New(f.Name()+" cannot be served", "", "") // the parser's words could quote the key
		}
		return &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{ChallengeProtocol}, MinVersion: tls.VersionTLS12}, nil
	}
}
