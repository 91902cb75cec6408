package main

import (
	"context"
	"net"
	"testing"
	"time"
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
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	const patience = 10 * time.Millisecond
	ctx := interrupted{t.Context(), func() {
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
