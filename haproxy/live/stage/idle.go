package stage

import (
	"context"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// sample is how often it is looked whether the front works, and working how much CPU
	// time it uses from one look to the next if it does. An idle one uses less.
	sample  = 250 * time.Millisecond
	working = 500 * time.Microsecond
	// longest is how many times its limit a request may take of a front that works.
	longest = 30
)

// within is a context for what the front is asked. Where that is the machine's own, whose
// work is not seen, it ends by the clock.
func (p *play) within(limit time.Duration) (context.Context, context.CancelFunc) {
	if p.proxy == nil {
		return context.WithTimeout(context.Background(), limit)
	}
	return p.proxy.within(limit, longest*limit)
}

// within is a context that ends when the front has not worked for as long as limit, so
// that what has not come from it never will. It works on for longer, up to most, where the
// machine is busy with something else, which is no fault of its configuration.
func (h *running) within(limit, most time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	pid := h.process.PID
	go func() {
		tick := time.NewTicker(sample)
		defer tick.Stop()
		used := cpuTime(pid)
		for idle := time.Duration(0); idle < limit; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C: // at most one for all that were missed
			}
			now := cpuTime(pid)
			if now-used < working {
				idle += sample
			}
			used = now
		}
		cancel()
	}()
	return ctx, cancel
}

// cpuTime is how long a process has used the CPU; one that has ended uses none.
func cpuTime(pid int) time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(^int32(pid)<<3|2, &t) != nil { // clock_getcpuclockid(3)
		return 0
	}
	return time.Duration(t.Nano())
}

// expire has a connection fail once ctx is done. The function that it returns ends
// that, and reports whether it was in time.
func expire(ctx context.Context, conn net.Conn) func() bool {
	return context.AfterFunc(ctx, func() {
		_ = conn.SetDeadline(time.Unix(1, 0)) // a TCP connection has one
	})
}
