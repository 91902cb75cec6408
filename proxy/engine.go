package proxy

import (
	"context"
	"net"

	"bitgate/proxy/config"
)

// engine accepts clients and runs what serves them: goroutines everywhere, event
// loops on Linux. What is served, and how, is the same code on both.
type engine interface {
	// accept takes connections until l is closed or ctx ends.
	accept(ctx context.Context, l net.Listener) error
	// stopAccepting lets accept return where closing l alone does not.
	stopAccepting()
	// closeIdle ends the connections on which no request is under way.
	closeIdle()
	// finish returns once all answers are sent, or ctx ends.
	finish(ctx context.Context)
	// cut closes all connections.
	cut()
	// wait returns once nothing runs any more.
	wait()
}

// newEngine returns the configured one; agreed takes the goroutines' connections
// that agreed on HTTP/2.
func (p *Proxy) newEngine(agreed *handover) (engine, error) {
	if p.cfg.Engine == config.EngineGoroutine {
		return newGoroutines(p, agreed), nil
	}
	e, err := newLoops(p)
	switch {
	case err == nil:
		return e, nil
	case p.cfg.Engine == config.EngineLoop:
		return nil, err
	}
	return newGoroutines(p, agreed), nil
}
