// Package proxy is the built-in reverse proxy: it does the job of the HAProxy
// configuration that bitgate would write, in this process.
package proxy

import (
	"context"
	"io"
	"net"

	"bitgate/proxy/config"
)

// Listeners are the bound sockets of a proxy.
type Listeners struct {
	HTTPS    []net.Listener
	Redirect []net.Listener
	SSH      net.Listener
}

// Listen binds what the configuration names (as root, before privileges are dropped).
func Listen(c config.Config) (Listeners, error) { panic("not built yet") }

// Close closes all of them.
func (l Listeners) Close() error { panic("not built yet") }

// Proxy is one running front.
type Proxy struct{}

// New loads keys and prepares everything; log receives the access log and events.
func New(c config.Config, log io.Writer) (*Proxy, error) { panic("not built yet") }

// Serve answers until ctx ends or Drain is called.
func (p *Proxy) Serve(ctx context.Context, l Listeners) error { panic("not built yet") }

// Drain stops accepting and waits for open requests until ctx ends.
func (p *Proxy) Drain(ctx context.Context) error { panic("not built yet") }

// DropPrivileges becomes the named user for the whole process when it runs as
// root, with no capability left; no-op otherwise.
func DropPrivileges(user string) error { panic("not built yet") }
