package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"time"

	"bitgate/bench/load"
	"bitgate/bench/peer"
	"bitgate/bench/report"
)

// bench is one run with everything it measures with.
type bench struct {
	settings   peer.Settings
	rsa        peer.Settings
	peers      []string
	only       *regexp.Regexp
	rounds     int
	more       int           // rounds at most, while a goal is unsettled
	length     time.Duration // of one load
	requests   int           // over HTTP/2
	handshakes int
	idle       int
	settle     time.Duration
	client     load.Client
	pack       string // file to push
	progress   io.Writer
}

// all measures every peer, all of them running at once, round by round, every
// other round backwards.
func (b *bench) all(ctx context.Context) ([]report.Metric, error) {
	metrics, err := b.running(ctx)
	if err != nil {
		return nil, err
	}
	newborn, err := b.births(ctx) // alone: another process of the same program shares memory with it
	return append(metrics, newborn...), err
}

func (b *bench) running(ctx context.Context) ([]report.Metric, error) {
	fleet, err := b.start(b.settings)
	if err != nil {
		return nil, err
	}
	defer stop(fleet)
	var metrics []report.Metric
	for _, m := range measures() {
		lines := m.metrics(b.only)
		if lines == nil {
			continue
		}
		group := fleet
		if m.rsa {
			if group, err = b.start(b.rsa); err != nil {
				return nil, err
			}
		}
		all := series{lines, func(name string) ([]float64, error) {
			return m.run(ctx, b, group[slices.IndexFunc(group, func(p *peer.Peer) bool { return p.Name == name })])
		}, b.progress}
		names := slices.Clone(b.peers)
		for round := range b.rounds {
			fmt.Fprintf(b.progress, "round %d of %d\n", round+1, b.rounds)
			all.round(names)
			slices.Reverse(names)
		}
		all.settle(names, b.more)
		metrics = append(metrics, lines...)
		if m.rsa {
			stop(group)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return metrics, nil
}

func (b *bench) start(s peer.Settings) ([]*peer.Peer, error) {
	var fleet []*peer.Peer
	for _, name := range b.peers {
		p, err := peer.Start(s, name)
		if err != nil {
			stop(fleet)
			return nil, err
		}
		fleet = append(fleet, p)
	}
	return fleet, nil
}

func stop(fleet []*peer.Peer) {
	for _, p := range fleet {
		p.Stop()
	}
}

// voids counts the measurements that could not be made.
func voids(metrics []report.Metric, w io.Writer) int {
	n := 0
	for _, m := range metrics {
		for name, why := range m.Void {
			fmt.Fprintf(w, "void: %s on %s: %s\n", m.Name, name, why)
			n++
		}
	}
	return n
}

// create writes a file with what fill says.
func create(name string, fill func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := fill(f); err != nil {
		return err
	}
	return f.Close()
}
