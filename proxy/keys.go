package proxy

import (
	"context"
	"crypto/tls"
	"time"

	"bitgate/certs"
	"bitgate/proxy/accesslog"
	"bitgate/proxy/config"
	"bitgate/proxy/keys"
)

// keyPoll is how often the certificate files are looked at.
const keyPoll = 5 * time.Second

// loadKeys reads the certificates.
func loadKeys(c config.Config, opener *keys.Opener) (*keys.Store, error) {
	open := certs.Open
	if opener != nil {
		open = opener.Open
	}
	return keys.OpenBy(open, KeyPaths(c), time.Now())
}

// tlsConfig serves the keys, and challenges of tls-alpn-01 where there may be some.
func tlsConfig(c config.Config, store *keys.Store) *tls.Config {
	t := store.Config(*c.HTTP2)
	if c.ChallengeFolder != "" {
		t.GetConfigForClient = keys.Challenges(c.ChallengeFolder)
	}
	return t
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
		p.common.Log.Event("certificate: now serving the one of %s, valid until %s", info.Subject, info.NotAfter.UTC().Format(time.DateOnly))
		tellFindings(p.common.Log, change.Material, "")
	}
}
