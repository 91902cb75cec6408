package setup

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bitgate/internal/edge"
	"bitgate/internal/hostport"
	"bitgate/internal/publicurl"
)

// Answers are what the administrator wants. A zero field means "not said".
// They never hold a secret. The YAML keys are the flags' names; the JSON form
// is part of a plan, so what differs between doors stays out of it.
type Answers struct {
	URL               publicurl.URL `yaml:"url,omitempty" json:"url"`
	Listen            []string      `yaml:"listen,omitempty" json:"listen"`
	Upstream          string        `yaml:"upstream,omitempty" json:"upstream"`
	Home              string        `yaml:"home,omitempty" json:"home"`
	Install           string        `yaml:"install,omitempty" json:"install,omitempty"`
	Version           string        `yaml:"bitbucket-version,omitempty" json:"bitbucket-version"`
	Front             string        `yaml:"front,omitempty" json:"front"`
	HAProxyCfg        string        `yaml:"haproxy-cfg,omitempty" json:"haproxy-cfg,omitempty"`
	HAProxyBin        string        `yaml:"haproxy-bin,omitempty" json:"haproxy-bin,omitempty"`
	HandMade          string        `yaml:"haproxy-by-hand,omitempty" json:"haproxy-by-hand,omitempty"`
	ProxyConfig       string        `yaml:"proxy-config,omitempty" json:"proxy-config,omitempty"`
	Cert              string        `yaml:"cert,omitempty" json:"cert,omitempty"`
	Key               string        `yaml:"key,omitempty" json:"key,omitempty"`
	Chain             string        `yaml:"chain,omitempty" json:"chain,omitempty"`
	CertSource        string        `yaml:"cert-source,omitempty" json:"cert-source,omitempty"`
	OwnTLS            string        `yaml:"own-tls,omitempty" json:"own-tls,omitempty"`
	CertPasswordFile  string        `yaml:"cert-password-file,omitempty" json:"-"`
	CertAlias         string        `yaml:"cert-alias,omitempty" json:"cert-alias,omitempty"`
	PEM               string        `yaml:"pem,omitempty" json:"pem,omitempty"`
	ACME              string        `yaml:"acme-ca,omitempty" json:"acme-ca,omitempty"` // the authority that the certificate is ordered from
	ACMETerms         string        `yaml:"acme-terms,omitempty" json:"acme-terms,omitempty"`
	ACMEChallenge     string        `yaml:"acme-challenge,omitempty" json:"acme-challenge,omitempty"`
	ACMEHook          string        `yaml:"acme-dns-hook,omitempty" json:"acme-dns-hook,omitempty"`
	ACMEBindingID     string        `yaml:"acme-eab-id,omitempty" json:"acme-eab-id,omitempty"`
	ACMEBindingFile   string        `yaml:"acme-eab-file,omitempty" json:"acme-eab-file,omitempty"`
	ACMEProfile       string        `yaml:"acme-profile,omitempty" json:"acme-profile,omitempty"`
	ACMEKey           string        `yaml:"acme-key,omitempty" json:"acme-key,omitempty"`
	Nodes             []string      `yaml:"node,omitempty" json:"node,omitempty"` // NAME=HOST:PORT, see package node
	PartialService    bool          `yaml:"partial-service,omitempty" json:"partial-service,omitempty"`
	MaxConn           int           `yaml:"maxconn,omitempty" json:"maxconn"`
	HTTPRedirect      string        `yaml:"http-redirect,omitempty" json:"http-redirect"`
	RedirectOldPath   string        `yaml:"redirect-old-path,omitempty" json:"redirect-old-path,omitempty"` // former context path ("/stash", "/"), "" for none
	LocalOnly         bool          `yaml:"local-only,omitempty" json:"local-only"`
	SSHListen         string        `yaml:"ssh-listen,omitempty" json:"ssh-listen,omitempty"`
	NoSSH             bool          `yaml:"no-ssh,omitempty" json:"no-ssh,omitempty"`
	SSHUpstream       string        `yaml:"ssh-upstream,omitempty" json:"ssh-upstream,omitempty"`
	AdminUser         string        `yaml:"admin-user,omitempty" json:"admin-user,omitempty"`
	AdminPasswordFile string        `yaml:"admin-password-file,omitempty" json:"-"`
	BaseURLMethod     string        `yaml:"base-url-method,omitempty" json:"base-url-method"`
	Restart           string        `yaml:"restart,omitempty" json:"restart"`
	Reload            string        `yaml:"reload,omitempty" json:"reload"`
	RestartTimeout    time.Duration `yaml:"restart-timeout,omitempty" json:"restart-timeout"`
	OnFailure         string        `yaml:"on-failure,omitempty" json:"on-failure"`
	CAFile            string        `yaml:"ca-file,omitempty" json:"ca-file,omitempty"`
	Skip              []string      `yaml:"skip,omitempty" json:"skip,omitempty"`
	Accept            []string      `yaml:"accept,omitempty" json:"accept,omitempty"` // ids of findings of a rehearsal
	edge.Settings     `yaml:",inline"`
}

// Words an answer may have.
const (
	FrontHAProxy           = "haproxy"
	FrontBuiltin           = "builtin"
	FrontTomcat            = "tomcat"    // none: Bitbucket terminates TLS itself
	Auto            string = "auto"      // --restart, --reload, --http-redirect, --base-url-method
	Manual          string = "manual"    // --restart, --base-url-method
	Never           string = "never"     // --restart, --reload, --http-redirect
	Always          string = "always"    // --http-redirect
	Leave                  = "leave"     // --haproxy-by-hand
	Adopt                  = "adopt"     // --haproxy-by-hand
	MethodSkip             = "skip"      // --base-url-method
	SourceFile             = "file"      // --cert-source: files that are named
	SourceBitbucket        = "bitbucket" // the key store that Bitbucket itself serves
	SourceRequest          = "request"   // cert request and cert import
	TLSOff                 = "off"       // --own-tls
	TLSKeep                = "keep"
	FailBack               = "back" // --on-failure
	FailKeep               = "keep"
)

// Origin says which door or source a value came from.
type Origin string

// Origins, in rising precedence.
const (
	Default  Origin = "default"
	Detected Origin = "detected"
	FromFile Origin = "file"
	FromEnv  Origin = "env"
	FromFlag Origin = "flag"
	Asked    Origin = "asked"
)

// Source tells a person where a prefilled value comes from.
type Source struct {
	From Origin
	Why  string // "server.proxy-name in shared/bitbucket.properties, line 42"
}

// Sources has the source of each answer by its YAML key.
type Sources map[string]Source

// Skips reports whether the administrator left a step out.
func (a Answers) Skips(step string) bool { return slices.Contains(a.Skip, step) }

// UpstreamAt is the address of Bitbucket's connector, host:port, and whether it, or
// every node, does TLS itself.
func (a Answers) UpstreamAt() (address string, secure bool) {
	address, secure = strings.CutPrefix(a.Upstream, "https://")
	address = strings.TrimPrefix(address, "http://")
	if len(a.Nodes) > 0 {
		secure = a.UpstreamCA != ""
	} else if _, _, ported := hostport.Cut(address); secure && !ported {
		address += ":443"
	}
	return address, secure
}

// OwnCA is the file with the authorities of the certificate that is shown at base; ""
// where that is not Bitbucket's own, or nothing was said of it.
func (a Answers) OwnCA(base string) string {
	if _, secure := a.UpstreamAt(); secure && (base == a.Upstream || strings.HasPrefix(base, a.Upstream+"/")) {
		return a.UpstreamCA
	}
	return ""
}

// UpstreamPort is the port of an upstream, that of its scheme where none is written; 0
// for what is no address.
func UpstreamPort(upstream string) int {
	u, err := url.Parse(upstream)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(u.Port())
	switch {
	case err == nil:
		return n
	case u.Scheme == "https":
		return 443
	}
	return 80
}

// closesPort reports whether the connector is to be bound to the loopback address.
func (a Answers) closesPort() bool {
	return a.LocalOnly && len(a.Nodes) == 0 && !a.Skips(StepConnector) && a.Front != FrontTomcat
}
