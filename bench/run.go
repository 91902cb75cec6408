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
	length     time.Duration // of one load
	requests   int           // over HTTP/2
	handshakes int
	idle       int
	settle     time.Duration
	client     load.Client
	pack       string // file to push
	progress   io.Writer
}

// all measures every peer, all of them running at once, round by round and every
// other round backwards, so that what the machine does meanwhile hits them alike.
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
		if !b.only.MatchString(m.name) {
			continue
		}
		group := fleet
		if m.rsa {
			if group, err = b.start(b.rsa); err != nil {
				return nil, err
			}
		}
		metric := report.Metric{Name: m.name, Unit: m.unit, Goals: m.goals}
		b.interleave(&metric, func(name string) (float64, error) {
			return m.run(ctx, b, group[slices.IndexFunc(group, func(p *peer.Peer) bool { return p.Name == name })])
		})
		metrics = append(metrics, metric)
		if m.rsa {
			stop(group)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return metrics, nil
}

// interleave fills a metric; a failed measurement is made once more, and a peer
// that fails twice has no figure and its reason printed instead.
func (b *bench) interleave(m *report.Metric, figure func(name string) (float64, error)) {
	m.Rounds, m.Void = map[string][]float64{}, map[string]string{}
	for round := range b.rounds {
		names := slices.Clone(b.peers)
		if round%2 == 1 {
			slices.Reverse(names)
		}
		for _, name := range names {
			if m.Void[name] != "" {
				continue
			}
			value, err := figure(name)
			if err != nil {
				value, err = figure(name)
			}
			if err != nil {
				m.Void[name] = err.Error()
				delete(m.Rounds, name)
				fmt.Fprintf(b.progress, "VOID %s on %s: %v\n", m.Name, name, err)
				continue
			}
			m.Rounds[name] = append(m.Rounds[name], value)
			fmt.Fprintf(b.progress, "%d/%d %s: %s %.2f %s\n", round+1, b.rounds, m.Name, name, value, m.Unit)
		}
	}
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
