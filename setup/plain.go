package setup

import (
	"net/netip"
	"strconv"
)

// loopback is where no other machine reaches a connector.
const loopback = "127.0.0.1"

// firstPlain is the port from which a free one is looked for, next to Bitbucket's own.
const firstPlain = 7991

// LacksPlain reports whether Bitbucket's only connector terminates TLS itself, so that no
// front can reach it.
func (f Facts) LacksPlain() bool {
	return f.OwnTLS.Set && f.PlainPort == "" && f.Bitbucket.Container == nil
}

// Closed reports whether no other machine reaches the connector as it is.
func (f Facts) Closed() bool {
	at, err := netip.ParseAddr(f.Address.Value)
	return f.Address.Value == "localhost" || err == nil && at.IsLoopback()
}

// PlainUpstream is where a plain connector can be added: on the loopback address, which
// no other machine reaches.
func (f Facts) PlainUpstream() string {
	for port := firstPlain; ; port++ {
		at := "127.0.0.1:" + strconv.Itoa(port)
		if _, held := Holder(f.Listeners, at); !held {
			return "http://" + at
		}
	}
}

// addsPlain reports whether the run gives Bitbucket a plain connector for the front.
func (b *builder) addsPlain() bool {
	return b.f.LacksPlain() && b.a.OwnTLS == TLSKeep && b.a.Front != FrontTomcat && !b.a.Skips(StepConnector) && strconv.Itoa(UpstreamPort(b.a.Upstream)) != b.f.Port.Value
}

// livePort is that of the connector in use before the run.
func (b *builder) livePort() int {
	if port, err := strconv.Atoi(b.f.Port.Value); err == nil && b.addsPlain() {
		return port
	}
	return UpstreamPort(b.a.Upstream)
}

// besideTLS reports whether the front is led to another connector than the one that
// terminates TLS itself.
func (b *builder) besideTLS() bool {
	return b.f.OwnTLS.Set && b.a.Front != FrontTomcat && strconv.Itoa(UpstreamPort(b.a.Upstream)) != b.f.Port.Value
}
