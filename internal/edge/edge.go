// Package edge is what an administrator may say about a front beyond the public
// URL, whichever front it is: who stands before it, under which other names it is
// known, who may go where, what every answer carries. The answers of a setup, the
// built-in proxy's configuration and the sections of haproxy.cfg hold the same
// Settings, read and judged here alone. Pure.
package edge

import (
	"fmt"
	"net/netip"
	"path"
	"strings"
	"time"

	"bitgate/internal/hostport"
)

// Settings of a front. The zero value says nothing: the front is as the documented
// page has it. The keys are the names of the flags.
type Settings struct {
	TrustedProxies  []string      `yaml:"trusted-proxy,omitempty" json:"trusted-proxy,omitempty"`       // networks of balancers in front, whose word about a client is believed
	ProxyProtocol   bool          `yaml:"proxy-protocol,omitempty" json:"proxy-protocol,omitempty"`     // they must speak the PROXY protocol
	KeepAlive       time.Duration `yaml:"keep-alive,omitempty" json:"keep-alive,omitempty"`             // how long an idle client is kept; 0 is 75 s
	RedirectHosts   []string      `yaml:"redirect-host,omitempty" json:"redirect-host,omitempty"`       // other names, whose requests are sent on to the public URL
	ServeHosts      []string      `yaml:"serve-host,omitempty" json:"serve-host,omitempty"`             // other names, served as the public one is
	Allow           []string      `yaml:"allow,omitempty" json:"allow,omitempty"`                       // PATH=NETWORK, see Rule
	Deny            []string      `yaml:"deny,omitempty" json:"deny,omitempty"`                         // the same
	ResponseHeaders []string      `yaml:"response-header,omitempty" json:"response-header,omitempty"`   // "Name: value", set in every answer
	HSTS            time.Duration `yaml:"hsts,omitempty" json:"hsts,omitempty"`                         // how long browsers come over HTTPS only; 0 says nothing
	MaxHeader       int           `yaml:"max-header,omitempty" json:"max-header,omitempty"`             // bytes of a request's head; 0 is MostHeader
	ClientCA        string        `yaml:"client-ca,omitempty" json:"client-ca,omitempty"`               // PEM of the authorities of clients' certificates
	ClientCert      string        `yaml:"client-cert,omitempty" json:"client-cert,omitempty"`           // Required or Optional
	MaintenancePage string        `yaml:"maintenance-page,omitempty" json:"maintenance-page,omitempty"` // HTML that browsers get while Bitbucket is down
	PlainListen     string        `yaml:"plain-listen,omitempty" json:"plain-listen,omitempty"`         // address where trusted proxies that end TLS speak plain HTTP
	HealthListen    string        `yaml:"health-listen,omitempty" json:"health-listen,omitempty"`       // address that answers /healthz and nothing else
	UpstreamCA      string        `yaml:"upstream-ca,omitempty" json:"upstream-ca,omitempty"`           // PEM of the authorities of a Bitbucket that does TLS itself
	UpstreamName    string        `yaml:"upstream-name,omitempty" json:"upstream-name,omitempty"`       // the name that its certificate is for; "" see TLSName
}

// Values of ClientCert.
const (
	Required = "required"
	Optional = "optional"
)

// UsualHead is how many bytes of a request's head HAProxy takes unless it is told
// otherwise: its buffer (tune.bufsize, 16384) without what is kept free for rewriting
// (tune.maxrewrite, 1024).
const UsualHead = 15 << 10

// Limits of MaxHeader, in bytes: less than Bitbucket takes itself makes no sense, and
// a front that is told nothing takes MostHeader, which holds the largest Kerberos
// ticket. Tomcat takes 8 KiB unless told otherwise, and says itself what is too much
// for it.
const (
	LeastHeader = 4 << 10
	MostHeader  = 64 << 10
)

// MostFields is how many fields a request may have, with HAProxy's request line
// (tune.http.maxhdr) counted as one. Tomcat takes 100 and says so itself.
const MostFields = 256

// ValidHost judges a host name, or address, of the server; it has no port.
func ValidHost(text string) error {
	bad := strings.ContainsFunc(text, func(r rune) bool {
		return r != '.' && r != '-' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
	if text == "" || bad || strings.HasPrefix(text, ".") || strings.HasSuffix(text, ".") || strings.HasPrefix(text, "-") || len(text) > 253 {
		return fmt.Errorf("%q is not a host name such as stash.example.com, without port", text)
	}
	return nil
}

// ValidFile judges the path of a file that a front reads.
func ValidFile(text string) error {
	if !path.IsAbs(text) || strings.ContainsAny(text, "\r\n\x00") {
		return fmt.Errorf("%q is not a full path", text)
	}
	return nil
}

// TLSName is the name that the certificate of a Bitbucket must be for which does TLS
// itself: what was said, else the host that it is reached at, else, where that is an
// address or one of several, the public one.
func TLSName(said, host, public string) string {
	if said != "" {
		return said
	}
	if _, err := netip.ParseAddr(host); host == "" || err == nil {
		return public
	}
	return host
}

// ShortName is the first part of a host name, by which machines of the same domain may
// ask for it; "" for an address, and for a name of one part.
func ShortName(host string) string {
	short, domain, _ := strings.Cut(host, ".")
	if _, err := netip.ParseAddr(host); err == nil || domain == "" {
		return ""
	}
	return short
}

// Mistake is a key with what is wrong about its value.
type Mistake struct{ Key, Text string }

// Mistakes of s, all at once, for a site of that host name.
func (s Settings) Mistakes(host string) []Mistake {
	var out []Mistake
	note := func(key string, err error) {
		if err != nil {
			out = append(out, Mistake{key, err.Error()})
		}
	}
	each := func(key string, list []string, judge func(string) error) {
		for _, one := range list {
			note(key, judge(one))
		}
	}
	each("trusted-proxy", s.TrustedProxies, ValidProxy)
	if s.ProxyProtocol && len(s.TrustedProxies) == 0 {
		note("proxy-protocol", fmt.Errorf("needs --trusted-proxy: only a proxy that is trusted may speak it"))
	}
	each("redirect-host", s.RedirectHosts, ValidHost)
	each("serve-host", s.ServeHosts, ValidHost)
	for _, name := range append(append([]string(nil), s.RedirectHosts...), s.ServeHosts...) {
		if strings.EqualFold(name, host) {
			note("serve-host", fmt.Errorf("%q is the public URL's own name", name))
		}
	}
	for _, name := range s.RedirectHosts {
		for _, other := range s.ServeHosts {
			if strings.EqualFold(name, other) {
				note("redirect-host", fmt.Errorf("%q is also a --serve-host", name))
			}
		}
	}
	each("allow", s.Allow, ValidRule)
	each("deny", s.Deny, ValidRule)
	each("response-header", s.ResponseHeaders, ValidHeader)
	if s.MaxHeader != 0 && (s.MaxHeader < LeastHeader || s.MaxHeader > MostHeader) {
		note("max-header", fmt.Errorf("%d is not between %d and %d bytes", s.MaxHeader, LeastHeader, MostHeader))
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"keep-alive", s.KeepAlive}, {"hsts", s.HSTS}} {
		if d.value < 0 || d.value > 0 && d.value < time.Second {
			note(d.key, fmt.Errorf("%s is less than a second", d.value))
		}
	}
	for _, f := range []struct{ key, value string }{{"client-ca", s.ClientCA}, {"maintenance-page", s.MaintenancePage}, {"upstream-ca", s.UpstreamCA}} {
		if f.value != "" {
			note(f.key, ValidFile(f.value))
		}
	}
	switch {
	case s.ClientCert != "" && s.ClientCert != Required && s.ClientCert != Optional:
		note("client-cert", fmt.Errorf("%q is neither %s nor %s", s.ClientCert, Required, Optional))
	case s.ClientCert != "" && s.ClientCA == "":
		note("client-cert", fmt.Errorf("needs --client-ca: the authorities that clients' certificates are from"))
	}
	for _, l := range []struct{ key, address string }{{"plain-listen", s.PlainListen}, {"health-listen", s.HealthListen}} {
		if l.address != "" {
			_, err := hostport.Listen(l.address)
			note(l.key, err)
		}
	}
	if s.UpstreamName != "" {
		note("upstream-name", ValidHost(s.UpstreamName))
	}
	switch {
	case s.PlainListen != "" && len(s.TrustedProxies) == 0:
		note("plain-listen", fmt.Errorf("needs --trusted-proxy: only a proxy that is trusted may end TLS"))
	case s.PlainListen != "" && s.ClientCA != "":
		note("plain-listen", fmt.Errorf("excludes --client-ca: who ends TLS sees clients' certificates"))
	}
	return out
}

// CertRequired reports whether a client without a certificate is turned away.
func (s Settings) CertRequired() bool { return s.ClientCA != "" && s.ClientCert != Optional }
