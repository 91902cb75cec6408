package stage

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// A front that works is waited for beyond the limit: beside other load it is slow. One
// that sleeps has nothing more to say.
func TestOnlyAFrontThatSleepsIsLate(t *testing.T) {
	t.Parallel()
	p := works(t)
	ctx, cancel := p.within(answerTime)
	defer cancel()
	if !p.proxy.says(t.Context(), "sleeps") {
		t.Fatal(p.proxy.output)
	}
	if ctx.Err() != nil {
		t.Error("given up while it worked")
	}
	select {
	case <-ctx.Done():
	case <-time.After(answerTime * longest):
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("still waited for when it slept: %v", ctx.Err())
	}
}

// works starts a front that works for some seconds, says that it sleeps, and does.
func works(t *testing.T) *play {
	t.Helper()
	p := &play{setup: Setup{Bin: "/bin/sh", Args: []string{"-c", `
		end=$(($(date +%s) + 4))
		while [ $(date +%s) -lt $end ]; do i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; done
		echo sleeps
		exec sleep 60`}}}
	var err error
	if p.proxy, err = p.start(nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.end)
	return p
}

// So it is before it listens, where it has much to read: it is given up when it does
// nothing, or has ended.
func TestOnlyAFrontThatSleepsDoesNotStart(t *testing.T) {
	t.Parallel()
	const limit = time.Second
	p := works(t)
	door := []string{peers.FreeAddress(t)}
	started := make(chan bool)
	ctx, cancel := p.proxy.within(limit, time.Minute)
	defer cancel()
	go func() { started <- p.proxy.waitFor(ctx, door) }()
	if !p.proxy.says(t.Context(), "sleeps") {
		t.Fatal(p.proxy.output)
	}
	l, err := net.Listen("tcp", door[0])
	if err != nil {
		t.Fatal(err)
	}
	if !<-started {
		t.Error("given up while it worked")
	}
	l.Close()
	if p.proxy.waitFor(ctx, door) || !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("still waited for when it slept: %v", ctx.Err())
	}
	p.end()
	dead := &running{ended: make(chan struct{})}
	close(dead.ended)
	if dead.waitFor(t.Context(), door) {
		t.Error("it has ended")
	}
}
