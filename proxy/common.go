package proxy

import (
	"context"
	"sync/atomic"

	"bitgate/proxy/config"
	"bitgate/proxy/metrics"
)

// common is what all exchanges of a proxy share.
type common struct {
	cfg       config.Config
	log       *logger
	shed      seldom // HTTP/2 connections that hold too much
	trouble   seldom // what keeps listeners from accepting, and servers from being reached
	counters  *metrics.Counters
	clients   *clients
	admission *admission
	unbegun   unbegun
	open      *openSet // requests, tunnels and SSH connections
	draining  atomic.Bool
	base      context.Context // ends with Proxy.Serve
}

// newCommon returns that of a proxy whose process may open so many files.
func newCommon(c config.Config, l *logger, files int) *common {
	counters := &metrics.Counters{}
	s := &common{
		cfg: c, log: l, shed: seldom{log: l}, trouble: seldom{log: l}, counters: counters, clients: newClients(c, counters, l, files), admission: newAdmission(c),
		open: &openSet{}, base: context.Background(),
	}
	s.unbegun.most = int32(max(c.MaxConn/2, 1))
	return s
}
