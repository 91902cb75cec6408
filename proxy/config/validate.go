package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"bitgate/internal/edge"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
)

// Validate names every mistake at once.
func (c Config) Validate() error { return c.validate(func(string) string { return "" }) }

// validate puts before each mistake what where says about its key: the line.
func (c Config) validate(where func(key string) string) error {
	var bad []string
	c.mistakes(func(key, format string, args ...any) {
		bad = append(bad, where(key)+key+" "+fmt.Sprintf(format, args...))
	})
	if len(bad) == 0 {
		return nil
	}
	return problem.New(strings.Join(bad, "; "), "the proxy cannot start like this", "correct these keys").WithKind(problem.Usage)
}

// noter is told a key, with a dot before each deeper one, and what is wrong.
type noter = func(key, format string, args ...any)

func (c Config) mistakes(note noter) {
	if c.URL.IsZero() {
		note("url", "is missing: the public address, https://git.example.com/bitbucket")
	}
	if len(c.Listen) == 0 {
		note("listen", "is missing: an address such as :443")
	}
	c.validateAddresses(note)
	c.validateUpstream(note)
	c.validateCertificate(note)
	c.validateNumbers(note)
	if h := c.HealthPath; h != "" && h != HealthNone && (!strings.HasPrefix(h, "/") || !printable(h)) {
		note("health-path", "%q is neither a path such as /bitbucket/status nor %q", h, HealthNone)
	}
	if c.OldPath != "" {
		if path, err := publicurl.ParsePath(c.OldPath); err != nil {
			note("old-path", "%v", err)
		} else if path == c.URL.TomcatPath() {
			note("old-path", "%q is the current context path", c.OldPath)
		}
	}
	if !printable(c.User) || strings.ContainsAny(c.User, ":/") {
		note("user", "%q is not a user name", c.User)
	}
	if a := c.AccessLog; a != "" && a != "-" && !filepath.IsAbs(a) {
		note("access-log", "%q is neither - (standard output) nor a full path", a)
	}
	if f := c.AccessLogFormat; f != "" && f != LogHTTP && f != LogJSON {
		note("access-log-format", "%q is neither %q nor %q", f, LogHTTP, LogJSON)
	}
	c.validateChallenges(note)
	c.validateServers(note)
	c.validateHeaders(note)
	c.validateHosts(note)
	c.validateAccess(note)
	c.validateClients(note)
}

func (c Config) validateAddresses(note noter) {
	type used struct {
		key, address string
		at           hostport.Addr
	}
	var seen []used
	check := func(key, address string) {
		at, err := hostport.Parse(address)
		if err != nil {
			note(key, "%q is not an address such as :443, 192.0.2.1:443 or [2001:db8::1]:443", address)
			return
		}
		if at.Port == 0 {
			return // any free port: never the same twice
		}
		for _, before := range seen {
			if at == before.at {
				note(key, "%q is already used by %s", address, before.key)
			} else if surelyOverlap(at, before.at) {
				note(key, "%q overlaps %q of %s", address, before.address, before.key)
			}
		}
		seen = append(seen, used{key, address, at})
	}
	for _, a := range c.Listen {
		check("listen", a)
	}
	for _, a := range c.RedirectListen {
		check("redirect-listen", a)
	}
	if c.SSHListen != "" {
		check("ssh-listen", c.SSHListen)
	}
	if c.PlainListen != "" {
		check("plain-listen", c.PlainListen)
	}
	if c.HealthListen != "" {
		check("health-listen", c.HealthListen)
	}
	if _, err := hostport.Parse(c.MetricsListen); err == nil { // what is none is noted elsewhere
		check("metrics-listen", c.MetricsListen)
	}
	if (c.SSHListen == "") != (c.SSHUpstream == "") {
		note("ssh-listen", "and ssh-upstream must be given together")
	}
	ssh, err := hostport.Listen(c.SSHUpstream)
	switch {
	case c.SSHUpstream == "":
	case len(c.Nodes) > 0 && (err != nil || ssh.Host != ""):
		note("ssh-upstream", "%q is not a port such as :7999: it is the same at each of the nodes", c.SSHUpstream)
	case len(c.Nodes) == 0 && (err != nil || ssh.Host == ""):
		note("ssh-upstream", "%q is not an address such as 127.0.0.1:7999", c.SSHUpstream)
	}
}

// surelyOverlap leaves out names, which may be any address, but where the other is all.
func surelyOverlap(a, b hostport.Addr) bool {
	known := a.IP().IsValid() && b.IP().IsValid()
	return a.Overlaps(b) && (known || a.Host == "" || b.Host == "")
}

func (c Config) validateUpstream(note noter) {
	const want = "an address such as http://127.0.0.1:7990"
	u, err := url.Parse(c.Upstream)
	switch {
	case c.Upstream == "" && len(c.Nodes) > 0:
	case len(c.Nodes) > 0:
		note("nodes", "and upstream exclude each other")
	case c.Upstream == "":
		note("upstream", "is missing: %s", want)
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		note("upstream", "%q is not %s", redact(u, err), want)
	case u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(c.Upstream, "#"):
		note("upstream", "must be %s, without user, path or query", want)
	case strings.HasSuffix(u.Host, ":") || u.Port() != "" && !canDial(u.Host):
		note("upstream", "%q has no valid port", u.Host)
	}
	for _, f := range []struct{ key, value string }{{"upstream-ca", c.UpstreamCA}, {"upstream-name", c.UpstreamName}} {
		if f.value != "" && c.TLSName() == "" {
			note(f.key, "is for servers that do TLS themselves: https:// in upstream, or nodes with upstream-ca")
		}
	}
	if c.UpstreamName != "" {
		if err := edge.ValidHost(c.UpstreamName); err != nil {
			note("upstream-name", "%v", err)
		}
	}
}

// redact keeps a password that was written into the URL out of the error.
func redact(u *url.URL, err error) string {
	if err != nil {
		return "(unreadable)"
	}
	return u.Redacted()
}

func (c Config) validateCertificate(note noter) {
	switch {
	case c.PEM != "" && (c.Cert != "" || c.Key != "" || c.Chain != ""):
		note("pem", "and cert, key, chain exclude each other")
	case c.PEM == "" && c.Cert == "" && c.Key == "" && c.Chain == "":
		note("pem", "is missing: the file with certificate, chain and key (or cert and key)")
	case c.PEM == "" && (c.Cert == "" || c.Key == ""):
		note("cert", "and key must be given together")
	}
	for i, more := range c.Certificates {
		if (more.PEM != "") == (more.Cert != "" || more.Key != "" || more.Chain != "") || more.PEM == "" && (more.Cert == "" || more.Key == "") {
			note("certificates."+strconv.Itoa(i), "needs either pem, or cert and key")
		}
	}
}

func canDial(address string) bool {
	_, err := hostport.Dial(address)
	return err == nil
}

// printable reports whether s is ASCII without blanks and control bytes.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}
