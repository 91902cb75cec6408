package main

import (
	"context"
	"errors"
	"regexp"

	"bitgate/bench/load"
	"bitgate/bench/peer"
	"bitgate/bench/report"
	"bitgate/bench/standin"
)

// measure is one thing that is done to a running peer; its figures are less the
// better.
type measure struct {
	rsa     bool // on the peers with an RSA key
	figures []figure
	run     func(context.Context, *bench, *peer.Peer) ([]float64, error)
}

// figure is one line of the report.
type figure struct {
	name, unit string
	goals      map[string]float64 // by peer: the ratio to it that ours is to reach
}

// metrics are the lines of the report that a measure fills.
func (m measure) metrics(only *regexp.Regexp) []report.Metric {
	var metrics []report.Metric
	matches := false
	for _, f := range m.figures {
		matches = matches || only.MatchString(f.name)
		metrics = append(metrics, report.Metric{
			Name: f.name, Unit: f.unit, Goals: f.goals,
			Rounds: map[string][]float64{}, Against: map[string][]float64{}, Void: map[string]string{},
		})
	}
	if !matches {
		return nil
	}
	return metrics
}

// one is a measure with a single figure: CPU time per unit of work.
func one(name, unit string, goals map[string]float64, do func(context.Context, *bench, *peer.Peer) (float64, error)) measure {
	return measure{figures: []figure{{name, unit, goals}}, run: work(do)}
}

// work makes a measure of CPU time per unit of work, in microseconds.
func work(do func(context.Context, *bench, *peer.Peer) (float64, error)) func(context.Context, *bench, *peer.Peer) ([]float64, error) {
	return func(ctx context.Context, b *bench, p *peer.Peer) ([]float64, error) {
		before, err := p.CPU()
		if err != nil {
			return nil, err
		}
		units, err := do(ctx, b, p)
		if err != nil {
			return nil, err
		}
		after, err := p.CPU()
		if err != nil {
			return nil, err
		}
		if after <= before {
			return nil, errors.New("no CPU time was used: the measurement is too short, or a process ended")
		}
		return []float64{float64((after - before).Microseconds()) / units}, nil
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
	rsa := one("full handshake (RSA 2048) and a request", "µs", map[string]float64{"haproxy": 1.7, "nginx": 1.9}, handshakes(false))
	rsa.rsa = true
	return []measure{
		one("1 KB page, HTTP/1.1, 64 connections", "µs",
			map[string]float64{"haproxy": 0.75, "haproxy-documented": 0.30, "nginx": 0.75, "caddy": 0.18}, http1(standin.SmallPath)),
		one("1 KB page, HTTP/2, 16 connections of 4 streams", "µs",
			map[string]float64{"haproxy": 0.80, "haproxy-documented": 0.40, "nginx": 0.65, "caddy": 0.13}, http2(16, 4)),
		one("1 KB page, HTTP/2, 64 connections of 1 stream", "µs", map[string]float64{"haproxy": 0.80}, http2(64, 1)),
		one("50 KB page, HTTP/1.1, 64 connections", "µs", map[string]float64{"haproxy": 0.65, "nginx": 0.65, "caddy": 0.35}, http1(standin.PagePath)),
		one("full handshake (ECDSA) and a request", "µs",
			map[string]float64{"haproxy": 0.70, "haproxy-documented": 0.65, "nginx": 0.80, "caddy": 0.60}, handshakes(false)),
		one("resumed handshake and a request", "µs",
			map[string]float64{"haproxy": 0.75, "haproxy-documented": 0.65, "nginx": 0.80, "caddy": 0.60}, handshakes(true)),
		rsa,
		one("clone of 200 MB, HTTP/1.1", "µs/MB", map[string]float64{"haproxy": 0.75, "haproxy-64k": 1.0, "nginx": 0.75, "caddy": 0.30}, clone(false)),
		one("push of 200 MB, HTTP/1.1", "µs/MB", map[string]float64{"haproxy": 0.75, "haproxy-64k": 1.0, "nginx": 0.60, "caddy": 0.55}, push(false)),
		one("clone of 200 MB, HTTP/2", "µs/MB", nil, clone(true)),
		one("push of 200 MB, HTTP/2", "µs/MB", nil, push(true)),
		{
			figures: []figure{
				{"median latency at 500 requests a second", "µs", map[string]float64{"haproxy": 0.80}},
				{"99th percentile at 500 requests a second", "µs", map[string]float64{"haproxy": 1.0}},
			},
			run: latency,
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

func latency(ctx context.Context, b *bench, p *peer.Peer) ([]float64, error) {
	const rate = 500
	p50, p99, err := b.client.Paced(ctx, p.Address, int(2*b.length.Seconds()*rate), rate)
	return []float64{float64(p50.Microseconds()), float64(p99.Microseconds())}, err
}
