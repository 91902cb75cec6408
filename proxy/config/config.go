// Package config is the built-in proxy's configuration: the type, its strict
// YAML form (what setup writes and proxy reads) and its validation. Pure.
package config

import (
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"bitgate/internal/edge"
	"bitgate/internal/hostport"
	"bitgate/internal/node"
	"bitgate/internal/publicurl"
)

// Config of the built-in proxy. Durations are idle limits, never totals: a
// clone may take hours as long as bytes flow.
type Config struct {
	URL            publicurl.URL `yaml:"url"`
	Listen         []string      `yaml:"listen"` // default ":" + public port
	RedirectListen []string      `yaml:"redirect-listen,omitempty"`
	Upstream       string        `yaml:"upstream"` // "http://127.0.0.1:7990"
	PEM            string        `yaml:"pem,omitempty"`
	Cert           string        `yaml:"cert,omitempty"`
	Key            string        `yaml:"key,omitempty"`
	Chain          string        `yaml:"chain,omitempty"`
	MaxConn        int           `yaml:"maxconn"`                 // requests at the server at a time
	QueueTimeout   time.Duration `yaml:"queue-timeout,omitempty"` // how long a request waits for its turn
	IdleTimeout    time.Duration `yaml:"idle-timeout,omitempty"`  // no byte from client or server
	TunnelTimeout  time.Duration `yaml:"tunnel-timeout,omitempty"`
	DrainTimeout   time.Duration `yaml:"drain-timeout,omitempty"`   // how long a stop waits for open requests
	HealthPath     string        `yaml:"health-path,omitempty"`     // "" = {context}/status, "none"
	HealthInterval time.Duration `yaml:"health-interval,omitempty"` // between two checks
	SSHListen      string        `yaml:"ssh-listen,omitempty"`
	SSHUpstream    string        `yaml:"ssh-upstream,omitempty"` // with nodes only ":7999", the port at each of them
	OldPath        string        `yaml:"old-path,omitempty"`     // former context path to redirect from, "/" for the root
	User           string        `yaml:"user,omitempty"`         // to become after binding, when started as root
	AccessLog      string        `yaml:"access-log,omitempty"`

	// In brackets: the keyword of HAProxy's manual that means the same.
	AccessLogFormat  string            `yaml:"access-log-format,omitempty"`       // "httplog" (option httplog) or "json"
	MetricsListen    string            `yaml:"metrics-listen,omitempty"`          // address or "unix:/path" of metrics and status page
	Handover         string            `yaml:"handover,omitempty"`                // path where the next process is given the sockets (expose-fd listeners)
	Certificates     []Certificate     `yaml:"certificates,omitempty"`            // more pairs: another kind of key, other names (several crt)
	HTTP2            *bool             `yaml:"http2,omitempty"`                   // offer HTTP/2 too (alpn h2,http/1.1); default true
	HSTS             time.Duration     `yaml:"hsts,omitempty"`                    // how long browsers remember to use https; 0 says nothing
	TrustedProxies   []string          `yaml:"trusted-proxies,omitempty"`         // networks whose X-Forwarded-For is believed
	ProxyProtocol    bool              `yaml:"proxy-protocol,omitempty"`          // trusted proxies speak it to us (accept-proxy)
	SSHProxyProtocol string            `yaml:"ssh-proxy-protocol,omitempty"`      // "v1" or "v2" to the SSH server (send-proxy, send-proxy-v2)
	Nodes            []Node            `yaml:"nodes,omitempty"`                   // several servers, instead of upstream (server)
	Balance          string            `yaml:"balance,omitempty"`                 // "leastconn" or "roundrobin" (balance)
	Cookie           string            `yaml:"cookie,omitempty"`                  // binds a client to a node (cookie NAME insert indirect nocache)
	MaxQueue         int               `yaml:"maxqueue,omitempty"`                // requests that may wait (maxqueue)
	Retries          *int              `yaml:"retries,omitempty"`                 // after a failed connection (retries)
	SlowStart        time.Duration     `yaml:"slowstart,omitempty"`               // a returning node's way to its full share (slowstart)
	ConnectTimeout   time.Duration     `yaml:"connect-timeout,omitempty"`         // to a server (timeout connect)
	RequestTimeout   time.Duration     `yaml:"http-request-timeout,omitempty"`    // a request's whole head (timeout http-request)
	KeepAliveTimeout time.Duration     `yaml:"http-keep-alive-timeout,omitempty"` // between two requests (timeout http-keep-alive)
	CheckTimeout     time.Duration     `yaml:"check-timeout,omitempty"`           // a health check (timeout check)
	HealthFast       time.Duration     `yaml:"health-fastinter,omitempty"`        // between checks while in doubt (fastinter)
	HealthDown       time.Duration     `yaml:"health-downinter,omitempty"`        // between checks while down (downinter)
	HealthRise       int               `yaml:"health-rise,omitempty"`             // good checks that bring a server up (rise)
	HealthFall       int               `yaml:"health-fall,omitempty"`             // bad ones that take it down (fall)
	MaxConnections   int               `yaml:"max-connections,omitempty"`         // of all clients at a time (global maxconn); fewer where the system allows fewer open files
	LimitConnections int               `yaml:"limit-connections,omitempty"`       // of one client at a time; 0 is a quarter of those of all
	MaxHeader        int               `yaml:"max-header,omitempty"`              // bytes of a request's head (tune.bufsize); beyond: 431
	RedirectHosts    []string          `yaml:"redirect-hosts,omitempty"`          // other names, whose requests are sent on to the public URL
	ResponseHeaders  map[string]string `yaml:"response-headers,omitempty"`        // set in every answer (http-response set-header)
	Hosts            []string          `yaml:"hosts,omitempty"`                   // other names, served as the public one
	Allow            []string          `yaml:"allow,omitempty"`                   // PATH=NETWORK below the context path: nobody else may (http-request deny)
	Deny             []string          `yaml:"deny,omitempty"`                    // PATH=NETWORK that may not
	ClientCA         string            `yaml:"client-ca,omitempty"`               // PEM of the authorities of clients' certificates (ca-file)
	ClientCert       string            `yaml:"client-cert,omitempty"`             // "required" or "optional" (verify)
	MaintenancePage  string            `yaml:"maintenance-page,omitempty"`        // HTML that browsers get while no server is up (http-error)
	PlainListen      string            `yaml:"plain-listen,omitempty"`            // address where trusted proxies that end TLS speak plain HTTP
	HealthListen     string            `yaml:"health-listen,omitempty"`           // address that answers /healthz and nothing else (monitor-uri)
	UpstreamCA       string            `yaml:"upstream-ca,omitempty"`             // PEM of the authorities of servers that do TLS themselves (server ca-file)
	UpstreamName     string            `yaml:"upstream-name,omitempty"`           // the name that their certificate is for (verifyhost)
	LimitRate        float64           `yaml:"limit-rate,omitempty"`              // requests per second of one client; 0 is no limit
	LimitBurst       int               `yaml:"limit-burst,omitempty"`             // at once before the rate holds; 0 is one second's

	// ACME (RFC 8555): what a front does for who orders its certificates.
	Thumbprint      string `yaml:"acme-thumbprint,omitempty"` // of the account's key; http-01 is answered with it, on every listener
	Renewer         string `yaml:"acme-renewer,omitempty"`    // another program that answers http-01 while it renews; redirect-listen passes it on
	ChallengesOnly  bool   `yaml:"acme-only,omitempty"`       // redirect-listen answers nothing else, and redirects nobody
	ChallengeFolder string `yaml:"acme-challenges,omitempty"` // with NAME.pem, the certificates of tls-alpn-01 (RFC 8737)

	// What the lists say, for each request; WithDefaults reads them.
	Proxies         edge.Networks `yaml:"-"`
	Allowed, Denied []edge.Guard  `yaml:"-"`
	Page            string        `yaml:"-"` // what MaintenancePage holds; the proxy reads it

	// Certified reports whether a certificate that is served names a host; nil says no.
	Certified func(host string) bool `yaml:"-"`

	// Obsolete says which lines of the file are without effect, for the log.
	Obsolete []string `yaml:"-"`
}

// Certificate is a further certificate with its key.
type Certificate struct {
	PEM   string `yaml:"pem,omitempty"`
	Cert  string `yaml:"cert,omitempty"`
	Key   string `yaml:"key,omitempty"`
	Chain string `yaml:"chain,omitempty"`
}

// Node is one server of a cluster; its name is the cookie's value.
type Node = node.Node

// Values of AccessLogFormat, Balance and SSHProxyProtocol.
const (
	LogHTTP           = "httplog"
	LogJSON           = "json"
	BalanceLeastConn  = "leastconn"
	BalanceRoundRobin = "roundrobin"
	ProxyV1           = "v1"
	ProxyV2           = "v2"
)

// HealthNone as HealthPath: no check, the server always counts as up.
const HealthNone = "none"

// Defaults. maxconn is the documented page's; the others are HAProxy's or long
// enough for a git server that packs in silence.
const (
	defaultMaxConn        = 50
	defaultUpstream       = "http://127.0.0.1:7990"
	defaultQueueTimeout   = time.Minute
	defaultIdleTimeout    = 15 * time.Minute
	defaultTunnelTimeout  = time.Hour // SSH and WebSocket
	defaultDrainTimeout   = 10 * time.Minute
	defaultHealthInterval = 2 * time.Second // HAProxy's "inter"
	defaultRise           = 2
	defaultFall           = 3
	defaultRetries        = 3
	defaultMaxQueue       = 1024 // nobody would wait for the thousandth place
	defaultMaxConnections = 10_000
	defaultConnect        = 5 * time.Second
	defaultRequest        = 10 * time.Second
	defaultKeepAlive      = 75 * time.Second // longer than the minute of balancers in front (AWS: "Edit attributes"), so that they close first
	defaultCheck          = 10 * time.Second // a Java server may pause for seconds and be well
)

// WithDefaults fills what was left out.
func (c Config) WithDefaults() Config {
	c.Proxies = edge.ReadNetworks(c.TrustedProxies)
	if !c.URL.IsZero() {
		c.Allowed, c.Denied = edge.ReadRules(c.URL.TomcatPath(), c.Allow), edge.ReadRules(c.URL.TomcatPath(), c.Deny)
	}
	if len(c.Listen) == 0 && !c.URL.IsZero() {
		c.Listen = []string{":" + strconv.Itoa(c.URL.Port())}
	}
	if c.Upstream == "" && len(c.Nodes) == 0 {
		c.Upstream = defaultUpstream
	}
	c.Balance = cmp.Or(c.Balance, BalanceLeastConn)
	c.AccessLogFormat = cmp.Or(c.AccessLogFormat, LogHTTP)
	c.MaxConn = cmp.Or(c.MaxConn, defaultMaxConn)
	c.MaxQueue = cmp.Or(c.MaxQueue, defaultMaxQueue)
	c.MaxConnections = cmp.Or(c.MaxConnections, defaultMaxConnections)
	c.MaxHeader = cmp.Or(c.MaxHeader, edge.MostHeader)
	c.HealthRise = cmp.Or(c.HealthRise, defaultRise)
	c.HealthFall = cmp.Or(c.HealthFall, defaultFall)
	c.Retries = cmp.Or(c.Retries, new(defaultRetries))
	c.HTTP2 = cmp.Or(c.HTTP2, new(true))
	if c.HealthPath == "" && !c.URL.IsZero() {
		c.HealthPath = c.URL.StatusPath()
	}
	c.QueueTimeout = cmp.Or(c.QueueTimeout, defaultQueueTimeout)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, defaultIdleTimeout)
	c.TunnelTimeout = cmp.Or(c.TunnelTimeout, defaultTunnelTimeout)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, defaultDrainTimeout)
	c.HealthInterval = cmp.Or(c.HealthInterval, defaultHealthInterval)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, defaultConnect)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, defaultRequest)
	c.KeepAliveTimeout = cmp.Or(c.KeepAliveTimeout, defaultKeepAlive)
	c.CheckTimeout = cmp.Or(c.CheckTimeout, defaultCheck)
	return c
}

// Servers are the nodes, or the one upstream under the name "bitbucket", with
// host:port addresses.
func (c Config) Servers() []Node {
	if len(c.Nodes) > 0 {
		return c.Nodes
	}
	u, err := url.Parse(c.Upstream)
	if err != nil {
		return nil // refused by Validate
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return []Node{{Name: "bitbucket", Address: hostport.Bracket(u.Hostname()) + ":" + port}}
}

// TLSName is the name that certificates of servers that do TLS themselves are for; ""
// where none does: the upstream's own, or the public one where that is an address.
func (c Config) TLSName() string {
	host := ""
	if u, err := url.Parse(c.Upstream); err == nil && u.Scheme == "https" {
		host = u.Hostname()
	} else if len(c.Nodes) == 0 || c.UpstreamCA == "" {
		return ""
	}
	return edge.TLSName(c.UpstreamName, host, c.URL.Host())
}

// Files are those that the proxy reads once, when it starts, besides certificates and keys.
func (c Config) Files() []string {
	return slices.DeleteFunc([]string{c.ClientCA, c.MaintenancePage, c.UpstreamCA}, func(path string) bool { return path == "" })
}

// Addresses are all that are listened on.
func (c Config) Addresses() []string {
	all := slices.Concat(c.Listen, c.RedirectListen)
	for _, one := range []string{c.SSHListen, c.MetricsListen, c.HealthListen, c.PlainListen} {
		if one != "" {
			all = append(all, one)
		}
	}
	return all
}

// SSHServers are the SSH servers by the names of Servers, in the same order.
func (c Config) SSHServers() []Node {
	var out []Node
	for _, n := range c.Servers() {
		address := c.SSHUpstream
		if len(c.Nodes) > 0 {
			address = n.At(c.SSHUpstream)
		}
		out = append(out, Node{Name: n.Name, Address: address})
	}
	return out
}

// Trusted reports whether addr is one of the trusted proxies.
func (c *Config) Trusted(addr netip.Addr) bool { return c.Proxies.Contain(addr) }

// WithEdge is c with what an administrator said for either front.
func (c Config) WithEdge(s edge.Settings) Config {
	c.TrustedProxies, c.ProxyProtocol, c.KeepAliveTimeout, c.HSTS, c.MaxHeader = s.TrustedProxies, s.ProxyProtocol, s.KeepAlive, s.HSTS, s.MaxHeader
	c.RedirectHosts, c.Hosts, c.Allow, c.Deny = s.RedirectHosts, s.ServeHosts, s.Allow, s.Deny
	c.UpstreamCA, c.UpstreamName = s.UpstreamCA, s.UpstreamName
	c.ClientCA, c.ClientCert, c.MaintenancePage, c.HealthListen, c.PlainListen = s.ClientCA, s.ClientCert, s.MaintenancePage, s.HealthListen, s.PlainListen
	for _, h := range edge.ReadHeaders(s.ResponseHeaders) {
		if c.ResponseHeaders == nil {
			c.ResponseHeaders = map[string]string{}
		}
		c.ResponseHeaders[h.Name] = h.Value
	}
	return c
}
