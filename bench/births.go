package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"bitgate/bench/peer"
	"bitgate/bench/report"
)

// newborn is what only a process that has just been started can show.
func newborn() []report.Metric {
	return []report.Metric{
		{Name: "start until it accepts", Unit: "ms", Goals: map[string]float64{"haproxy": 0.20, "nginx": 0.7, "caddy": 0.25}},
		{Name: "resident after the start", Unit: "MB", Goals: map[string]float64{"haproxy": 0.60, "nginx": 0.8, "caddy": 0.25}},
		{Name: "of that not pages of files", Unit: "MB"},
		{Name: "memory of an idle TLS connection", Unit: "KB", Goals: map[string]float64{"haproxy": 0.60, "nginx": 0.60, "caddy": 0.25}},
	}
}

// births starts peers anew in each round. Those that run at a time are of
// different programs: the same one twice would share pages.
func (b *bench) births(ctx context.Context) ([]report.Metric, error) {
	metrics := newborn()
	if !slices.ContainsFunc(metrics, func(m report.Metric) bool { return b.only.MatchString(m.Name) }) {
		return nil, nil
	}
	for i := range metrics {
		metrics[i].Rounds, metrics[i].Void = map[string][]float64{}, map[string]string{}
	}
	for round := range b.rounds {
		for _, group := range b.families() {
			figures, err := b.birth(ctx, group)
			if err != nil {
				return nil, err
			}
			for i, name := range group {
				for k := range metrics {
					metrics[k].Rounds[name] = append(metrics[k].Rounds[name], figures[i][k])
				}
				fmt.Fprintf(b.progress, "%d/%d births: %s %.2f\n", round+1, b.rounds, name, figures[i])
			}
		}
	}
	return metrics, nil
}

// families are the peers without HAProxy's variants, which differ in nothing
// here, in groups of different programs: three, for all their connections are
// open files of this process, and 20,000 is what many systems allow.
func (b *bench) families() [][]string {
	with, without := []string{}, []string{}
	for _, name := range b.peers {
		switch {
		case strings.HasPrefix(name, peer.Reference+"-"):
		case len(with) < 3:
			with = append(with, name)
		default:
			without = append(without, name)
		}
	}
	return slices.DeleteFunc([][]string{with, without}, func(g []string) bool { return len(g) == 0 })
}

// birth returns newborn's figures of each peer of a group.
func (b *bench) birth(ctx context.Context, names []string) ([][]float64, error) {
	var group []*peer.Peer
	defer func() { stop(group) }()
	figures := make([][]float64, len(names))
	for i, name := range names {
		p, err := peer.Start(b.settings, name)
		if err != nil {
			return nil, err
		}
		group = append(group, p)
		figures[i] = []float64{float64(p.Ready.Microseconds()) / 1000}
		if _, err := b.client.Handshakes(ctx, p.Address, 1, false); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	time.Sleep(b.settle) // children may still be starting, and what a start needed be given back
	empty := make([]int64, len(names))
	for i, p := range group {
		resident, anonymous, err := p.Memory()
		if err != nil {
			return nil, err
		}
		empty[i] = resident
		figures[i] = append(figures[i], float64(resident)/(1<<20), float64(anonymous)/(1<<20))
	}
	return figures, b.fill(ctx, group, func(i int, resident int64) {
		figures[i] = append(figures[i], float64(resident-empty[i])/1024/float64(b.idle))
	})
}

// fill opens idle connections to all of a group, and tells what each has resident
// then, after the time in which they may give memory back.
func (b *bench) fill(ctx context.Context, group []*peer.Peer, tell func(i int, resident int64)) error {
	var next func(i int) error
	next = func(i int) error {
		if i < len(group) {
			return b.client.Idle(ctx, group[i].Address, b.idle, func([]net.Conn) error { return next(i + 1) })
		}
		time.Sleep(b.settle)
		for i, p := range group {
			resident, _, err := p.Memory()
			if err != nil {
				return err
			}
			tell(i, resident)
		}
		return nil
	}
	return next(0)
}
