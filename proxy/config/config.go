// Package config is the built-in proxy's configuration: the type, its strict
// YAML form (what setup writes and proxy reads) and its validation. Pure.
package config

import (
	"strconv"
	"time"

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
	SSHUpstream    string        `yaml:"ssh-upstream,omitempty"`
	OldPath        string        `yaml:"old-path,omitempty"` // former context path to redirect from, "/" for the root
	User           string        `yaml:"user,omitempty"`     // to become after binding, when started as root
	AccessLog      string        `yaml:"access-log,omitempty"`
}

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
)

// WithDefaults fills what was left out.
func (c Config) WithDefaults() Config {
	if len(c.Listen) == 0 && !c.URL.IsZero() {
		c.Listen = []string{":" + strconv.Itoa(c.URL.Port())}
	}
	if c.Upstream == "" {
		c.Upstream = defaultUpstream
	}
	if c.MaxConn == 0 {
		c.MaxConn = defaultMaxConn
	}
	if c.HealthPath == "" && !c.URL.IsZero() {
		c.HealthPath = c.URL.StatusPath()
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.QueueTimeout, defaultQueueTimeout},
		{&c.IdleTimeout, defaultIdleTimeout},
		{&c.TunnelTimeout, defaultTunnelTimeout},
		{&c.DrainTimeout, defaultDrainTimeout},
		{&c.HealthInterval, defaultHealthInterval},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return c
}
