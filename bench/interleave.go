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

// round measures every peer once, in the order given.
func (s *series) round(names []string) {
	theirs, mine := s.pass(names)
	if len(mine) == 0 && slices.Contains(names, ours) {
		mine = s.again(mine)
	}
	for i, m := range s.lines {
		for name, figures := range theirs {
			m.Rounds[name] = append(m.Rounds[name], figures[i])
		}
		if len(mine) > 0 {
			m.Rounds[ours] = append(m.Rounds[ours], mean(mine, i))
		}
	}
}

// settle goes on, for so many rounds at most, with the peers against which a goal
// may be met or missed as far as the figures tell. Who is settled once is left
// alone: looking again and again would unsettle what lies near a goal.
func (s *series) settle(names []string, rounds int) {
	open := slices.Clone(names)
	for range rounds {
		open = slices.DeleteFunc(open, func(name string) bool { return name != ours && !s.unsettled(name) })
		if len(open) < 2 || !slices.Contains(open, ours) {
			return
		}
		fmt.Fprintf(s.progress, "unsettled: %q\n", open)
		s.pass(open)
		slices.Reverse(open)
	}
}

func (s *series) unsettled(name string) bool {
	return slices.ContainsFunc(s.lines, func(m report.Metric) bool { return m.Unsettled(ours, name) })
}

// pass measures each peer, and ours before and after each of those that there is a
// goal against: they are compared within seconds, and what the machine does
// meanwhile hits both.
func (s *series) pass(names []string) (theirs map[string][]float64, mine [][]float64) {
	theirs = map[string][]float64{}
	for _, name := range names {
		if name == ours {
			continue
		}
		rival := slices.Contains(names, ours) && slices.ContainsFunc(s.lines, func(m report.Metric) bool { return m.Goals[name] > 0 })
		if rival && len(mine) == 0 {
			mine = s.again(mine)
		}
		figures := s.try(name)
		if figures == nil {
			continue
		}
		theirs[name] = figures
		if !rival {
			continue
		}
		if mine = s.again(mine); mine == nil {
			continue
		}
		for i, m := range s.lines {
			m.Against[name] = append(m.Against[name], mean(mine[max(0, len(mine)-2):], i)/figures[i])
		}
	}
	return theirs, mine
}

// again adds one more measurement of ours; nil where ours is void.
func (s *series) again(mine [][]float64) [][]float64 {
	figures := s.try(ours)
	if figures == nil {
		return nil
	}
	return append(mine, figures)
}

// try measures one peer, once more if that fails; one that fails twice has no
// figures, not those of the rounds before either, and its reason printed instead.
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
			delete(m.Against, name)
			if name == ours {
				clear(m.Against)
			}
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
