package main

import (
	"context"
	"net"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// interrupted keeps this process from running when it waits for the first time, and the
// front comes up meanwhile.
type interrupted struct {
	context.Context
	meanwhile func()
}

func (c interrupted) Done() <-chan struct{} {
	c.meanwhile()
	return c.Context.Done()
}

// TestAFrontThatListensMeanwhile: what came up while this process stood still is no front
// that does not listen.
func TestAFrontThatListensMeanwhile(t *testing.T) {
	address := peers.FreeAddress(t)
	var l net.Listener
	const patience = 10 * time.Millisecond
	ctx := interrupted{t.Context(), func() {
		var err error
		if l, err = net.Listen("tcp", address); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * patience)
	}}
	if err := (&server{}).listening(ctx, address, patience); err != nil {
		t.Error(err)
	}
	l.Close()
	if err := (&server{}).listening(t.Context(), address, patience); err == nil {
		t.Error("nobody listens")
	}
}
