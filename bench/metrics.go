package main

import (
	"context"
	"errors"
	"time"

	"bitgate/bench/load"
	"bitgate/bench/peer"
	"bitgate/bench/standin"
)

// measure is one thing that is measured on a running peer; less is better.
type measure struct {
	name, unit string
	rsa        bool // on the peers with an RSA key
	goals      map[string]float64
	run        func(context.Context, *bench, *peer.Peer) (float64, error)
}

// work makes a measure of CPU time per unit of work, in microseconds.
func work(do func(context.Context, *bench, *peer.Peer) (float64, error)) func(context.Context, *bench, *peer.Peer) (float64, error) {
	return func(ctx context.Context, b *bench, p *peer.Peer) (float64, error) {
		before, err := p.CPU()
		if err != nil {
			return 0, err
		}
		units, err := do(ctx, b, p)
		if err != nil {
			return 0, err
		}
		after, err := p.CPU()
		if err != nil {
			return 0, err
		}
		if after <= before {
			return 0, errors.New("no CPU time was used: the measurement is too short, or a process ended")
		}
		return float64((after - before).Microseconds()) / units, nil
	}
}

func http1(path string) func(context.Context, *bench, *peer.Peer) (float64, error) {
	return func(ctx context.Context, b *bench, p *peer.Peer) (float64, error) {
		return load.HTTP1(ctx, p.Address, path, 64, b.length)
	}
}

func http2(connections, streams int) func(context.Context, *bench, *peer.Peer) (float64, error) {
	return func(ctx context.Context, b *bench, p *peer.Peer) (float64, error) {
		return load.HTTP2(ctx, p.Address, standin.SmallPath, connections, streams, b.requests)
	}
}

func handshakes(resumed bool) func(context.Context, *bench, *peer.Peer) (float64, error) {
	return func(ctx context.Context, b *bench, p *peer.Peer) (float64, error) {
		return b.client.Handshakes(ctx, p.Address, b.handshakes, resumed)
	}
}

// measures in the table's order. The goals are the project's own: what a sketch
// of the data plane had shown to be within reach.
func measures() []measure {
	return []measure{
		{
			name: "1 KB page, HTTP/1.1, 64 connections", unit: "µs", run: work(http1(standin.SmallPath)),
			goals: map[string]float64{"haproxy": 0.75, "haproxy-documented": 0.30, "nginx": 0.75, "caddy": 0.18},
		},
		{
			name: "1 KB page, HTTP/2, 16 connections of 4 streams", unit: "µs", run: work(http2(16, 4)),
			goals: map[string]float64{"haproxy": 0.80, "haproxy-documented": 0.40, "nginx": 0.65, "caddy": 0.13},
		},
		{
			name: "1 KB page, HTTP/2, 64 connections of 1 stream", unit: "µs", run: work(http2(64, 1)),
			goals: map[string]float64{"haproxy": 0.80},
		},
		{
			name: "50 KB page, HTTP/1.1, 64 connections", unit: "µs", run: work(http1(standin.PagePath)),
			goals: map[string]float64{"haproxy": 0.65, "nginx": 0.65, "caddy": 0.35},
		},
		{
			name: "full handshake (ECDSA) and a request", unit: "µs", run: work(handshakes(false)),
			goals: map[string]float64{"haproxy": 0.70, "haproxy-documented": 0.65, "nginx": 0.80, "caddy": 0.60},
		},
		{
			name: "resumed handshake and a request", unit: "µs", run: work(handshakes(true)),
			goals: map[string]float64{"haproxy": 0.75, "haproxy-documented": 0.65, "nginx": 0.80, "caddy": 0.60},
		},
		{
			name: "full handshake (RSA 2048) and a request", unit: "µs", rsa: true, run: work(handshakes(false)),
			goals: map[string]float64{"haproxy": 1.7, "nginx": 1.9},
		},
		{
			name: "clone of 200 MB, HTTP/1.1", unit: "µs/MB", run: work(clone(false)),
			goals: map[string]float64{"haproxy": 0.75, "haproxy-64k": 1.0, "nginx": 0.75, "caddy": 0.30},
		},
		{
			name: "push of 200 MB, HTTP/1.1", unit: "µs/MB", run: work(push(false)),
			goals: map[string]float64{"haproxy": 0.75, "haproxy-64k": 1.0, "nginx": 0.60, "caddy": 0.55},
		},
		{name: "clone of 200 MB, HTTP/2", unit: "µs/MB", run: work(clone(true))},
		{name: "push of 200 MB, HTTP/2", unit: "µs/MB", run: work(push(true))},
		{
			name: "median latency at 500 requests a second", unit: "µs", run: latency(func(p50, _ time.Duration) time.Duration { return p50 }),
			goals: map[string]float64{"haproxy": 0.80},
		},
		{
			name: "99th percentile at 500 requests a second", unit: "µs", run: latency(func(_, p99 time.Duration) time.Duration { return p99 }),
			goals: map[string]float64{"haproxy": 1.0},
		},
	}
}

func clone(http2 bool) func(context.Context, *bench, *peer.Peer) (float64, error) {
	return func(ctx context.Context, _ *bench, p *peer.Peer) (float64, error) {
		return load.Clone(ctx, p.Address, http2)
	}
}

func push(http2 bool) func(context.Context, *bench, *peer.Peer) (float64, error) {
	return func(ctx context.Context, b *bench, p *peer.Peer) (float64, error) {
		return load.Push(ctx, p.Address, http2, b.pack, standin.PackBody)
	}
}

func latency(pick func(p50, p99 time.Duration) time.Duration) func(context.Context, *bench, *peer.Peer) (float64, error) {
	return func(ctx context.Context, b *bench, p *peer.Peer) (float64, error) {
		const rate = 500
		p50, p99, err := b.client.Paced(ctx, p.Address, int(2*b.length.Seconds()*rate), rate)
		return float64(pick(p50, p99).Microseconds()), err
	}
}
