package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"bitgate/certs"
	"bitgate/internal/edge"
	"bitgate/internal/problem"
	"bitgate/proxy/accesslog"
	"bitgate/proxy/config"
	"bitgate/proxy/keys"
)

// keyPoll is how often the certificate files are looked at.
const keyPoll = 5 * time.Second

// loadKeys reads the certificates.
func loadKeys(c config.Config, opener *keys.Opener) (*keys.Store, error) {
	return keys.OpenBy(openFile(opener), KeyPaths(c), time.Now())
}

// openFile is how files are opened that the proxy's user may not be able to read.
func openFile(opener *keys.Opener) func(string) (*os.File, error) {
	if opener != nil {
		return opener.Open
	}
	return certs.Open
}

// maxPage is the largest page for the time when Bitbucket is down, in bytes. HAProxy
// takes no larger one by itself.
const maxPage = 15 << 10

// readPage reads that page, "" without one.
func readPage(open func(string) (*os.File, error), path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := readAll(open, path, maxPage)
	switch {
	case err != nil:
		return "", problem.Wrap(err, "the maintenance page cannot be read", "", "check the path and who may read it (maintenance-page)")
	case len(text) > maxPage:
		return "", problem.New(fmt.Sprintf("%s is larger than %d KiB", path, maxPage>>10), "a page that is sent while all else is down should be small", "leave pictures out, or let it name them elsewhere").WithKind(problem.Usage)
	case !utf8.Valid(text):
		return "", problem.New(path+" is not UTF-8", "it is sent as such", "save it anew").WithKind(problem.Usage)
	}
	return string(text), nil
}

// askForCertificates has the handshake ask for one (HAProxy: verify, ca-file).
func askForCertificates(t *tls.Config, open func(string) (*os.File, error), c config.Config) error {
	if c.ClientCA == "" {
		return nil
	}
	text, err := readAll(open, c.ClientCA, maxAuthorities)
	if err != nil {
		return problem.Wrap(err, "the authorities of clients' certificates cannot be read", "", "check the path and who may read it (client-ca)")
	}
	t.ClientCAs = x509.NewCertPool()
	if !t.ClientCAs.AppendCertsFromPEM(text) {
		return problem.New(c.ClientCA+" holds no certificate in PEM", "no client could show that it has one", "name the file with the authorities of clients' certificates (client-ca)").WithKind(problem.Usage)
	}
	t.ClientAuth = tls.RequireAndVerifyClientCert
	if c.ClientCert == edge.Optional {
		t.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return nil
}

// secureUpstream is how servers that do TLS themselves are asked, nil where none does.
func secureUpstream(open func(string) (*os.File, error), c config.Config) (*tls.Config, error) {
	name := c.TLSName()
	if name == "" {
		return nil, nil
	}
	t := &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, ClientSessionCache: tls.NewLRUClientSessionCache(0)}
	if c.UpstreamCA == "" {
		return t, nil
	}
	text, err := readAll(open, c.UpstreamCA, maxAuthorities)
	if err != nil {
		return nil, problem.Wrap(err, "the authorities of Bitbucket's own certificate cannot be read", "", "check the path and who may read it (upstream-ca)")
	}
	t.RootCAs = x509.NewCertPool()
	if !t.RootCAs.AppendCertsFromPEM(text) {
		return nil, problem.New(c.UpstreamCA+" holds no certificate in PEM", "Bitbucket could not show that it is the right one", "name the file with the authority of its certificate, or the certificate itself where it is self-signed (upstream-ca)").WithKind(problem.Usage)
	}
	return t, nil
}

// maxAuthorities is more than all that a machine knows have, in bytes.
const maxAuthorities = 4 << 20

// readAll reads a file of at most so many bytes, and one more of a larger one.
func readAll(open func(string) (*os.File, error), path string, most int64) ([]byte, error) {
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, most+1))
}

// tlsConfig serves the keys, and challenges of tls-alpn-01 where there may be some; it
// asks clients for certificates where they are to have some.
func tlsConfig(c config.Config, store *keys.Store, open func(string) (*os.File, error)) (*tls.Config, error) {
	t := store.Config(*c.HTTP2)
	if c.ChallengeFolder != "" {
		t.GetConfigForClient = keys.Challenges(c.ChallengeFolder)
	}
	return t, askForCertificates(t, open, c)
}

// InspectKeys logs what is wrong with the certificates that are served all the same:
// expired beats absent. It reads every authority this machine trusts, which takes
// longer than all the rest of a start.
func (p *Proxy) InspectKeys() {
	for i, m := range p.keys.Materials() {
		if i == 0 { // the others may be for other names
			tellFindings(p.common.Log, m, p.common.Config.URL.Host())
		} else {
			tellFindings(p.common.Log, m, "")
		}
	}
}

// KeyPaths are the pairs that c names, the default first.
func KeyPaths(c config.Config) []certs.Paths {
	paths := []certs.Paths{{Cert: c.Cert, Key: c.Key, Chain: c.Chain, PEM: c.PEM}}
	for _, more := range c.Certificates {
		paths = append(paths, certs.Paths{Cert: more.Cert, Key: more.Key, Chain: more.Chain, PEM: more.PEM})
	}
	return paths
}

func tellFindings(l *accesslog.Log, m *certs.Material, host string) {
	if host == "" {
		if host = m.Info().Subject; len(m.Info().Names) > 0 {
			host = m.Info().Names[0]
		}
	}
	for _, f := range m.Inspect(host, time.Now()) {
		l.Event("certificate: %s (%s): %s", f.Found, f.Why, f.Do)
	}
}

// watchKeys serves changed certificate files until ctx ends.
func (p *Proxy) watchKeys(ctx context.Context) {
	ticker := time.NewTicker(keyPoll)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.reloadKeys(false)
		case <-ctx.Done():
			return
		}
	}
}

// Reload reads the certificate files again, changed or not. What cannot be
// served is logged; what was served before stays.
func (p *Proxy) Reload() { p.reloadKeys(true) }

func (p *Proxy) reloadKeys(force bool) {
	for _, change := range p.keys.Reload(time.Now(), force) {
		if change.Err != nil {
			p.common.Log.Event("certificate: %v; the previous one stays in use", change.Err)
			continue
		}
		info := change.Material.Info()
		p.common.Log.Event("certificate: now serving the one of %s, valid until %s", strings.Join(info.Names, ", "), info.NotAfter.UTC().Format(time.DateOnly))
		tellFindings(p.common.Log, change.Material, "")
	}
}
