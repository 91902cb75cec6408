package exchange

import (
	"context"
	"crypto/tls"
	"sync/atomic"

	"bitgate/proxy/accesslog"
	"bitgate/proxy/clients"
	"bitgate/proxy/config"
	"bitgate/proxy/inflight"
	"bitgate/proxy/metrics"
)

// Common is what all exchanges of a proxy share.
type Common struct {
	Config    config.Config
	Secure    *tls.Config // how servers that do TLS themselves are asked, nil where none does
	Log       *accesslog.Log
	Shed      accesslog.Seldom // HTTP/2 connections that hold too much
	Trouble   accesslog.Seldom // what keeps listeners from accepting, and servers from being reached
	Counters  *metrics.Counters
	Clients   *clients.Clients
	Admission *Admission
	Bodies    BodySlots
	Open      *inflight.Set // requests, tunnels and SSH connections
	Draining  atomic.Bool
	Base      context.Context // ends with Proxy.Serve
}

// NewCommon returns that of a proxy whose process may open so many files.
func NewCommon(c config.Config, secure *tls.Config, l *accesslog.Log, files int) *Common {
	counters := &metrics.Counters{}
	s := &Common{
		Config: c, Secure: secure, Log: l, Shed: accesslog.Seldom{Log: l}, Trouble: accesslog.Seldom{Log: l}, Counters: counters, Clients: clients.New(c, counters, l, files), Admission: newAdmission(c),
		Open: &inflight.Set{}, Base: context.Background(),
	}
	s.Bodies.most = int32(max(c.MaxConn/2, 1))
	return s
}
