package main

import (
	"fmt"
	"io"
	"slices"

	"bitgate/bench/report"
)

// ours is the peer that the goals are for.
const ours = "bitgate"

// series is one measure on its way through the rounds.
type series struct {
	lines    []report.Metric // one for each figure of a measurement
	measure  func(name string) ([]float64, error)
	progress io.Writer
}

// round measures every peer once, in the order given, and ours before and after
// each of those that there is a goal against: they are compared within seconds,
// and what the machine does meanwhile hits both.
func (s *series) round(names []string) {
	var mine [][]float64
	again := func() bool {
		figures := s.try(ours)
		if figures != nil {
			mine = append(mine, figures)
		}
		return figures != nil
	}
	for _, name := range names {
		if name == ours {
			continue
		}
		rival := slices.Contains(names, ours) && slices.ContainsFunc(s.lines, func(m report.Metric) bool { return m.Goals[name] > 0 })
		if rival && len(mine) == 0 {
			again()
		}
		theirs := s.try(name)
		if theirs == nil {
			continue
		}
		for i, m := range s.lines {
			m.Rounds[name] = append(m.Rounds[name], theirs[i])
		}
		if rival && again() {
			for i, m := range s.lines {
				m.Beside[name] = append(m.Beside[name], mean(mine[max(0, len(mine)-2):], i))
			}
		}
	}
	if slices.Contains(names, ours) && (len(mine) > 0 || again()) {
		for i, m := range s.lines {
			m.Rounds[ours] = append(m.Rounds[ours], mean(mine, i))
		}
	}
}

// try measures one peer, once more if that fails; one that fails twice has no
// figures and its reason printed instead.
func (s *series) try(name string) []float64 {
	if s.lines[0].Void[name] != "" {
		return nil
	}
	figures, err := s.measure(name)
	if err != nil {
		figures, err = s.measure(name)
	}
	if err != nil {
		for _, m := range s.lines {
			m.Void[name] = err.Error()
			delete(m.Rounds, name)
		}
		fmt.Fprintf(s.progress, "VOID %s on %s: %v\n", s.lines[0].Name, name, err)
		return nil
	}
	fmt.Fprintf(s.progress, "%s: %s %.2f %s\n", s.lines[0].Name, name, figures, s.lines[0].Unit)
	return figures
}

func mean(all [][]float64, i int) (sum float64) {
	for _, figures := range all {
		sum += figures[i]
	}
	return sum / float64(len(all))
}
