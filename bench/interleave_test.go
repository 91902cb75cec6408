package main

import (
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var everything = regexp.MustCompile("")

func TestOursIsMeasuredAroundItsRivals(t *testing.T) {
	m := measure{figures: []figure{{name: "work", goals: map[string]float64{"one": 1, "two": 1}}}}
	lines := m.metrics(everything)
	var asked []string
	clock := 0.0
	all := series{lines, func(name string) ([]float64, error) {
		asked = append(asked, name)
		clock++
		if name == "broken" {
			return nil, errors.New("it is")
		}
		return []float64{clock}, nil
	}, io.Discard}
	all.round([]string{ours, "one", "broken", "other", "two"})
	if got := strings.Join(asked, " "); got != "bitgate one bitgate broken broken other two bitgate" {
		t.Error(got)
	}
	for name, want := range map[string]float64{"one": 2.0 / 2, "two": 5.5 / 7} { // ours was 1 and 3, 3 and 8
		if got := lines[0].Against[name]; !slices.Equal(got, []float64{want}) {
			t.Errorf("against %s: %v, want %g", name, got, want)
		}
	}
	if got := lines[0].Rounds[ours]; !slices.Equal(got, []float64{4}) {
		t.Errorf("ours of the round: %v, want the mean of 1, 3 and 8", got)
	}
	asked = nil
	all.round([]string{"two", "broken", ours})
	if got := strings.Join(asked, " "); got != "bitgate two bitgate" || lines[0].Void["broken"] == "" {
		t.Errorf("%s; void: %v", got, lines[0].Void)
	}
}

func TestOursIsMeasuredOnceWithoutGoals(t *testing.T) {
	lines := measure{figures: []figure{{name: "work"}}}.metrics(everything)
	all := series{lines, func(string) ([]float64, error) { return []float64{7}, nil }, io.Discard}
	all.round([]string{ours, "one"})
	if got := lines[0].Rounds; !slices.Equal(got[ours], []float64{7}) || !slices.Equal(got["one"], []float64{7}) || len(lines[0].Against) != 0 {
		t.Error(got)
	}
}

// Only those whose goal is in doubt are measured further, and not for ever.
func TestUnsettledRivalsAreMeasuredFurther(t *testing.T) {
	m := measure{figures: []figure{{name: "work", goals: map[string]float64{"near": 1, "doubtful": 1, "far": 2}}}}
	lines := m.metrics(everything)
	count := map[string]int{}
	all := series{lines, func(name string) ([]float64, error) {
		count[name]++
		cost := 10.0
		if name == "doubtful" && count[name] > 4 {
			cost = 11 // settled once the first four are outside the interval
		}
		return []float64{cost}, nil
	}, io.Discard}
	names := []string{ours, "near", "doubtful", "far"}
	for range 9 {
		all.round(names)
	}
	all.settle(names, 50)
	if count["near"] != 59 || count["far"] != 9 || count["doubtful"] <= 9 || count["doubtful"] >= 59 {
		t.Error(count)
	}
	if got := lines[0].Rounds; len(got[ours]) != 9 || len(got["near"]) != 9 || len(lines[0].Against["near"]) != 59 {
		t.Errorf("rounds %v", got)
	}
	all.settle([]string{"near", "far"}, 1)
	if count["near"] != 59 {
		t.Error("measured without ours")
	}
}

// What fails in a late round has no verdict from the rounds before, and nobody is
// measured further against it.
func TestVoidTakesTheVerdict(t *testing.T) {
	for _, broken := range []string{ours, "near"} {
		lines := measure{figures: []figure{{name: "work", goals: map[string]float64{"near": 1}}}}.metrics(everything)
		failing, asked := false, 0
		all := series{lines, func(name string) ([]float64, error) {
			if asked++; failing && name == broken && asked != 1 { // in the middle of a round
				return nil, errors.New("it is")
			}
			return []float64{10}, nil
		}, io.Discard}
		names := []string{ours, "near"}
		for range 9 {
			all.round(names)
		}
		failing, asked = true, 0
		all.round(names)
		if got := lines[0].Ours(ours, "near").Median; !math.IsNaN(got) || len(lines[0].Rounds[broken]) != 0 || lines[0].Void[broken] == "" {
			t.Errorf("%s broke: the ratio is still %g, the rounds %v; void: %v", broken, got, lines[0].Rounds, lines[0].Void)
		}
		asked = 0
		if all.settle(names, 50); asked != 0 {
			t.Errorf("%s broke: measured %d times more", broken, asked)
		}
	}
}
