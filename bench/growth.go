package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"bitgate/bench/peer"
	"bitgate/bench/report"
)

// growing are the peers whose growth is drawn.
var growing = []string{ours, "bitgate-goroutine", peer.Reference}

// grow measures CPU per request over the number of connections and of slots at
// the back end, on one loop and on two, and memory over idle connections.
func (b *bench) grow(ctx context.Context, out string) error {
	b.peers = growing
	connections := []float64{1, 10, 100, 1000, 5000}
	slots := []float64{1, 5, 10, 25, 50}
	var curves, queues, memory []report.Curve
	for _, loops := range []int{1, 2} {
		s := b.settings
		s.Loops, s.Cores = loops, map[int]string{1: "0", 2: "0,1"}[loops]
		for _, name := range b.peers {
			label := fmt.Sprintf("%s, %d loops", name, loops)
			curve, err := b.curve(label, connections, func(n float64) (float64, error) { return b.steady(ctx, s, name, int(n)) })
			if err != nil {
				return err
			}
			curves = append(curves, dashed(curve, loops == 2))
			curve, err = b.curve(label, slots, func(n float64) (float64, error) {
				s.Slots = int(n)
				return b.steady(ctx, s, name, 64)
			})
			if err != nil {
				return err
			}
			queues = append(queues, dashed(curve, loops == 2))
		}
	}
	for _, name := range b.peers {
		curve, err := b.curve(name, connections, func(n float64) (float64, error) { return b.memory(ctx, name, int(n)) })
		if err != nil {
			return err
		}
		memory = append(memory, curve)
	}
	if out == "" {
		return nil
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	charts := []report.Chart{
		{File: "connections.svg", Title: "CPU per request, 1 KB page", X: "connections", Y: "µs", Curves: curves},
		{File: "slots.svg", Title: "CPU per request, 64 connections", X: "requests at the server at a time", Y: "µs", Curves: queues},
		{File: "memory.svg", Title: "Memory of the process", X: "idle TLS connections", Y: "MB", Curves: memory, Slope: true},
	}
	for _, c := range charts {
		if err := create(filepath.Join(out, c.File), c.Plot); err != nil {
			return err
		}
	}
	return create(filepath.Join(out, "GROWTH.md"), func(w io.Writer) error {
		fmt.Fprintf(w, "# How the cost grows\n\nWritten by `make bench-growth`: medians of %d rounds. %s, %s.\n", b.rounds, time.Now().Format(time.DateOnly), machine())
		for _, c := range charts {
			if err := c.Table(w); err != nil {
				return err
			}
		}
		return nil
	})
}

// curve measures each point several times and keeps the median.
func (b *bench) curve(label string, points []float64, figure func(float64) (float64, error)) (report.Curve, error) {
	c := report.Curve{Name: label}
	for _, x := range points {
		m := report.Metric{Rounds: map[string][]float64{}}
		for range b.rounds {
			y, err := figure(x)
			if err != nil {
				return c, fmt.Errorf("%s at %g: %w", label, x, err)
			}
			m.Rounds[""] = append(m.Rounds[""], y)
		}
		c.X, c.Y = append(c.X, x), append(c.Y, m.Value("").Median)
		fmt.Fprintf(b.progress, "%s at %g: %.2f\n", label, x, m.Value("").Median)
	}
	return c, nil
}

func (b *bench) steady(ctx context.Context, s peer.Settings, name string, connections int) (float64, error) {
	p, err := peer.Start(s, name)
	if err != nil {
		return 0, err
	}
	defer p.Stop()
	var used time.Duration
	requests, err := b.client.Steady(ctx, p.Address, connections, b.length, func(running func()) error {
		before, err := p.CPU()
		if err != nil {
			return err
		}
		running()
		after, err := p.CPU()
		used = after - before
		return err
	})
	return float64(used.Microseconds()) / requests, err
}

func (b *bench) memory(ctx context.Context, name string, connections int) (float64, error) {
	p, err := peer.Start(b.settings, name)
	if err != nil {
		return 0, err
	}
	defer p.Stop()
	var bytes int64
	err = b.client.Idle(ctx, p.Address, connections, func([]net.Conn) error {
		bytes, _, err = p.Memory()
		return err
	})
	return float64(bytes) / (1 << 20), err
}

func dashed(c report.Curve, yes bool) report.Curve {
	c.Dashed = yes
	return c
}
