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
var growing = []string{ours, peer.Reference}

// grow measures CPU per request over the number of connections and of slots at
// the back end, on one loop and on two, and memory over idle connections.
func (b *bench) grow(ctx context.Context, out string) error {
	b.peers = growing
	connections := []float64{1, 10, 100, 1000, 5000}
	slots := []float64{1, 5, 10, 25, 50}
	var work, queue, idle []line
	for _, loops := range []int{1, 2} {
		s := b.settings
		s.Loops, s.Cores = loops, map[int]string{1: "0", 2: "0,1"}[loops]
		for _, name := range b.peers {
			label := fmt.Sprintf("%s, %d loops", name, loops)
			work = append(work, line{label, connections, loops == 2, func(n float64) (float64, error) { return b.steady(ctx, s, name, int(n)) }})
			queue = append(queue, line{label, slots, loops == 2, func(n float64) (float64, error) {
				s := s
				s.Slots = int(n)
				return b.steady(ctx, s, name, 64)
			}})
		}
	}
	for _, name := range b.peers {
		idle = append(idle, line{name, connections, false, func(n float64) (float64, error) { return b.memory(ctx, name, int(n)) }})
	}
	curves, err := b.curves(work, b.rounds)
	if err != nil {
		return err
	}
	queues, err := b.curves(queue, b.rounds)
	if err != nil {
		return err
	}
	memory, err := b.curves(idle, 1) // it does not depend on what else the machine does
	if err != nil {
		return err
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

// line is a curve to be measured: what figure says at each of the points.
type line struct {
	label  string
	points []float64
	dashed bool
	figure func(float64) (float64, error)
}

// curves measures all lines in each round, so that what disturbs the machine for
// a while disturbs all of them, and keeps the medians.
func (b *bench) curves(lines []line, rounds int) ([]report.Curve, error) {
	figures := make([][]report.Metric, len(lines))
	for round := range rounds {
		for i, l := range lines {
			for k, x := range l.points {
				y, err := l.figure(x)
				if err != nil {
					return nil, fmt.Errorf("%s at %g: %w", l.label, x, err)
				}
				fmt.Fprintf(b.progress, "%d/%d %s at %g: %.2f\n", round+1, rounds, l.label, x, y)
				if round == 0 {
					figures[i] = append(figures[i], report.Metric{Rounds: map[string][]float64{}})
				}
				figures[i][k].Rounds[""] = append(figures[i][k].Rounds[""], y)
			}
		}
	}
	var curves []report.Curve
	for i, l := range lines {
		c := report.Curve{Name: l.label, X: l.points, Dashed: l.dashed}
		for _, m := range figures[i] {
			c.Y = append(c.Y, m.Value("").Median)
		}
		curves = append(curves, c)
	}
	return curves, nil
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
		time.Sleep(b.settle) // they may give memory back
		bytes, _, err = p.Memory()
		return err
	})
	return float64(bytes) / (1 << 20), err
}
