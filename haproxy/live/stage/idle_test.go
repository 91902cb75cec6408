package stage

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A front that works is waited for beyond the limit: beside other load it is slow. One
// that sleeps has nothing more to say.
func TestOnlyAFrontThatSleepsIsLate(t *testing.T) {
	t.Parallel()
	p := &play{setup: Setup{Bin: "/bin/sh", Args: []string{"-c", `
		end=$(($(date +%s) + 4))
		while [ $(date +%s) -lt $end ]; do i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; done
		echo sleeps
		exec sleep 60`}}}
	var err error
	if p.proxy, err = p.start(nil); err != nil {
		t.Fatal(err)
	}
	defer p.end()
	ctx, cancel := p.within(answerTime)
	defer cancel()
	if !p.proxy.says("sleeps") {
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
