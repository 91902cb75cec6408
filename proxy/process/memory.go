package process

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// gcSlack is how much garbage, in bytes, may gather before it is collected. A
// proxy keeps so little that it would collect it many times a second otherwise,
// and shrink the stacks of its coroutines each time.
const gcSlack = 8 << 20

// gcPercent is how much garbage may gather beyond that, in percent of what is in
// use: a flood shall not take twice what it makes us keep.
const gcPercent = 50

// What is quiet: this much, in bytes, allocated in this time. Health checks and
// the certificates' watch need less.
const (
	quietTime  = 3 * time.Second
	quietBytes = 1 << 20
)

// tune sets up Go's runtime for a process that is nothing but a proxy; the
// returned function ends that.
func tune() func() {
	ballast := make([]byte, gcSlack*100/gcPercent) // address space only: it is never touched
	before := debug.SetGCPercent(gcPercent)
	return func() {
		debug.SetGCPercent(before)
		runtime.KeepAlive(ballast)
	}
}

// giveBackMemory collects garbage and returns it to the system, now (most of what
// a start needs is needed once) and, until ctx ends, whenever the proxy becomes
// quiet after work. Go's runtime would keep it for minutes: thousands of
// handshakes leave more of it than the idle connections themselves need.
func giveBackMemory(ctx context.Context) {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	allocated := func() uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	ticker := time.NewTicker(quietTime)
	defer ticker.Stop()
	last := allocated()
	debug.FreeOSMemory()
	for given := last; ; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		now := allocated()
		if now-last < quietBytes && now-given > gcSlack {
			debug.FreeOSMemory()
			given = now
		}
		last = now
	}
}
