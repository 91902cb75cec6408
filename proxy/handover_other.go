//go:build !unix

package proxy

import (
	"net"

	"bitgate/internal/problem"
	"bitgate/proxy/config"
)

// predecessor is the process that serves now.
type predecessor struct{ sockets inherited }

func takeOver(c config.Config) (*predecessor, error) {
	if c.Handover == "" {
		return nil, nil
	}
	return nil, problem.New("handover works on Unix systems only", "", "leave it out").WithKind(problem.Usage)
}

func (*predecessor) retire() error { return nil }

func offer(string) (*net.UnixListener, error) { return nil, nil }

func (*Proxy) handOver(*net.UnixListener, Listeners, func()) {}
