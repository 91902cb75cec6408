package config

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"bitgate/internal/edge"
	"bitgate/internal/hostport"
	"bitgate/internal/node"
)

// MostMaxConn is the largest maxconn: requests at a server at a time.
const MostMaxConn = 10_000

func (c Config) validateNumbers(note noter) {
	within := func(key string, n, from, to int) {
		if n < from || n > to {
			note(key, "is %d, not between %d and %d", n, from, to)
		}
	}
	within("maxconn", c.MaxConn, 1, MostMaxConn)
	within("maxqueue", c.MaxQueue, 0, 100_000)
	within("health-rise", c.HealthRise, 0, 100)
	within("health-fall", c.HealthFall, 0, 100)
	within("max-header", c.MaxHeader, edge.LeastHeader, edge.MostHeader)
	within("max-connections", c.MaxConnections, 1, 1_000_000)
	within("limit-connections", c.LimitConnections, 0, 100_000)
	within("limit-burst", c.LimitBurst, 0, 1_000_000)
	if c.Retries != nil {
		within("retries", *c.Retries, 0, 100)
	}
	if !(c.LimitRate >= 0 && c.LimitRate <= 1_000_000) { // also when it is .nan
		note("limit-rate", "is %v, not between 0 and 1000000 requests a second", c.LimitRate)
	}
	if c.LimitBurst > 0 && c.LimitRate == 0 {
		note("limit-burst", "has no effect without limit-rate")
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"queue-timeout", c.QueueTimeout},
		{"idle-timeout", c.IdleTimeout},
		{"tunnel-timeout", c.TunnelTimeout},
		{"drain-timeout", c.DrainTimeout},
		{"health-interval", c.HealthInterval},
		{"hsts", c.HSTS},
		{"slowstart", c.SlowStart},
		{"connect-timeout", c.ConnectTimeout},
		{"http-request-timeout", c.RequestTimeout},
		{"http-keep-alive-timeout", c.KeepAliveTimeout},
		{"check-timeout", c.CheckTimeout},
		{"health-fastinter", c.HealthFast},
		{"health-downinter", c.HealthDown},
	} {
		if d.value < 0 {
			note(d.key, "is %s and cannot be negative", d.value)
		}
	}
	if c.HSTS > 0 && c.HSTS < time.Second {
		note("hsts", "is %s; browsers count seconds", c.HSTS)
	}
}

func (c Config) validateHosts(note noter) {
	for _, list := range []struct {
		key   string
		names []string
	}{{"redirect-hosts", c.RedirectHosts}, {"hosts", c.Hosts}} {
		for i, host := range list.names {
			key := list.key + "." + strconv.Itoa(i)
			if err := edge.ValidHost(host); err != nil {
				note(key, "%v", err)
			} else if strings.EqualFold(host, c.URL.Host()) {
				note(key, "%q is the public URL's own name", host)
			}
		}
	}
	for i, host := range c.Hosts {
		if slices.ContainsFunc(c.RedirectHosts, func(other string) bool { return strings.EqualFold(host, other) }) {
			note("hosts."+strconv.Itoa(i), "%q is one of redirect-hosts, too", host)
		}
	}
}

// validateAccess judges who may ask for what.
func (c Config) validateAccess(note noter) {
	for _, list := range []struct {
		key   string
		rules []string
	}{{"allow", c.Allow}, {"deny", c.Deny}} {
		for i, rule := range list.rules {
			if err := edge.ValidRule(rule); err != nil {
				note(list.key+"."+strconv.Itoa(i), "%v", err)
			}
		}
	}
	for _, f := range []struct{ key, path string }{{"client-ca", c.ClientCA}, {"maintenance-page", c.MaintenancePage}, {"upstream-ca", c.UpstreamCA}} {
		if f.path != "" && edge.ValidFile(f.path) != nil {
			note(f.key, "%q is not a full path", f.path)
		}
	}
	switch {
	case c.ClientCert != "" && c.ClientCert != edge.Required && c.ClientCert != edge.Optional:
		note("client-cert", "%q is neither %q nor %q", c.ClientCert, edge.Required, edge.Optional)
	case c.ClientCert != "" && c.ClientCA == "":
		note("client-cert", "needs client-ca: the authorities that clients' certificates are from")
	}
}

// validateHeaders judges what is set in every answer.
func (c Config) validateHeaders(note noter) {
	for _, name := range slices.Sorted(maps.Keys(c.ResponseHeaders)) {
		key := "response-headers." + name
		if err := edge.ValidHeader(name + ": " + c.ResponseHeaders[name]); err != nil {
			note(key, "%v", err)
		}
	}
}

// validateServers judges the nodes and how they are chosen.
func (c Config) validateServers(note noter) {
	seen := map[string]string{}
	for i, n := range c.Nodes {
		key := "nodes." + strconv.Itoa(i)
		if !node.ValidName(n.Name) {
			note(key+".name", "%q is not a name of letters, digits, - and _", n.Name)
		}
		if !canDial(n.Address) {
			note(key+".address", "%q is not an address such as 10.0.0.1:7990", n.Address)
		}
		for _, what := range []string{n.Name, n.Address} {
			if before, twice := seen[what]; twice && what != "" {
				note(key, "repeats %q of %s", what, before)
			}
			seen[what] = key
		}
	}
	if b := c.Balance; b != "" && b != BalanceLeastConn && b != BalanceRoundRobin {
		note("balance", "%q is neither %q nor %q", b, BalanceLeastConn, BalanceRoundRobin)
	}
	if c.Cookie != "" {
		if !node.ValidName(c.Cookie) {
			note("cookie", "%q is not a name of letters, digits, - and _", c.Cookie)
		}
		if len(c.Nodes) == 0 {
			note("cookie", "has no effect without nodes")
		}
	}
}

// validateClients judges what concerns those who connect: trusted proxies, the
// PROXY protocol, the admin address.
func (c Config) validateClients(note noter) {
	for i, text := range c.TrustedProxies {
		if err := edge.ValidProxy(text); err != nil {
			note("trusted-proxies."+strconv.Itoa(i), "%v", err)
		}
	}
	if c.ProxyProtocol && len(c.TrustedProxies) == 0 {
		note("proxy-protocol", "needs trusted-proxies: only they may speak it")
	}
	switch {
	case c.PlainListen != "" && len(c.TrustedProxies) == 0:
		note("plain-listen", "needs trusted-proxies: only they may speak there")
	case c.PlainListen != "" && c.ClientCA != "":
		note("plain-listen", "and client-ca exclude each other: who ends TLS sees clients' certificates")
	}
	switch v := c.SSHProxyProtocol; {
	case v != "" && v != ProxyV1 && v != ProxyV2:
		note("ssh-proxy-protocol", "%q is neither %q nor %q", v, ProxyV1, ProxyV2)
	case v != "" && c.SSHListen == "":
		note("ssh-proxy-protocol", "has no effect without ssh-listen")
	}
	if c.Handover != "" && (!filepath.IsAbs(c.Handover) || len(c.Handover) > 100) {
		note("handover", "%q is not a full path of at most 100 bytes", c.Handover)
	}
	if path, unix := strings.CutPrefix(c.MetricsListen, "unix:"); unix {
		if !filepath.IsAbs(path) || len(path) > 100 {
			note("metrics-listen", "%q is not unix: with a full path of at most 100 bytes", c.MetricsListen)
		}
	} else if _, err := hostport.Parse(c.MetricsListen); c.MetricsListen != "" && err != nil {
		note("metrics-listen", "%q is neither an address such as 127.0.0.1:9101 nor unix:/run/bitgate/metrics.sock", c.MetricsListen)
	}
}
