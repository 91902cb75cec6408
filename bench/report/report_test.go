package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestRatioIsTheMedianOfRounds(t *testing.T) {
	m := Metric{Rounds: map[string][]float64{"a": {1, 4, 3}, "b": {2, 2, 3}}}
	if got, want := m.Ratio("a", "b"), (Spread{Median: 1, Min: 0.5, Max: 2, Low: 0.5, High: 2}); got != want {
		t.Errorf("ratio %+v, want %+v", got, want)
	}
}

// The limits are those of the sign test's tables for 99 %.
func TestIntervalOfTheMedian(t *testing.T) {
	for n, want := range map[int]int{1: 0, 8: 0, 11: 0, 12: 1, 15: 2, 20: 3, 25: 5, 30: 7, 40: 11} {
		figures := make([]float64, n)
		for i := range figures {
			figures[i] = float64(i)
		}
		if got := spread(figures); got.Low != float64(want) || got.High != float64(n-1-want) {
			t.Errorf("of %d figures from %g to %g, want the %d outermost left out", n, got.Low, got.High, want)
		}
	}
}

func TestOursIsComparedWithWhatWasMeasuredBeside(t *testing.T) {
	m := Metric{Rounds: map[string][]float64{"a": {9, 9}, "b": {2, 4}, "c": {3, 3}}, Against: map[string][]float64{"b": {0.5, 0.25, 0.75}}}
	if got := m.Ours("a", "b").Median; got != 0.5 {
		t.Errorf("beside b: %g", got)
	}
	if got := m.Ours("a", "c").Median; got != 3 {
		t.Errorf("nothing was measured beside c: %g", got)
	}
	if got := m.Ours("a", "a").Median; got != 1 {
		t.Errorf("against itself: %g", got)
	}
}

func TestTablesSayWhichGoalsAreMissed(t *testing.T) {
	for want, figures := range map[string][]float64{
		"**1.50 / 1.20 missed**": {3, 3, 3}, "1.50 / 1.20 missed?": {3, 2, 4}, "1.00 / 1.20 met?": {2, 1, 4}, "1.00 / 1.20 met |": {2, 2, 2},
	} {
		var out bytes.Buffer
		if err := work(figures).WriteTables(&out, "a"); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("%g: no %q in %s", figures, want, &out)
		}
	}
}

// work is a report of a that costs what figures say and b that costs 2.
func work(figures []float64) Report {
	return Report{Reference: "b", Peers: []string{"a", "b"}, Metrics: []Metric{{
		Name: "work", Unit: "µs", Rounds: map[string][]float64{"a": figures, "b": {2, 2, 2}}, Goals: map[string]float64{"b": 1.2},
	}}}
}

func TestVerdictsOfSeveralRuns(t *testing.T) {
	for _, tt := range []struct {
		one, two []float64
		want     string
	}{
		{[]float64{3, 3, 3}, []float64{3, 2, 4}, "1 of 1 are alike; 0 times"},
		{[]float64{3, 2, 4}, []float64{2, 2, 2}, "0 of 1 are alike; 0 times"},
		{[]float64{3, 3, 3}, []float64{2, 2, 2}, "0 of 1 are alike; 1 times"},
	} {
		var out bytes.Buffer
		if err := WriteVerdicts(&out, []Report{work(tt.one), work(tt.two)}, "a"); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), tt.want) {
			t.Errorf("%g, %g: no %q in %s", tt.one, tt.two, tt.want, &out)
		}
	}
}

func TestPlotIsWellFormed(t *testing.T) {
	var out bytes.Buffer
	if err := (Chart{Title: "title", X: "x", Y: "y", Curves: []Curve{{Name: "a", X: []float64{1, 10, 100}, Y: []float64{3, 2, 1}, Dashed: true}}}).Plot(&out); err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(&out)
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestPlotRefusesNothing(t *testing.T) {
	if err := (Chart{Title: "title", X: "x", Y: "y"}).Plot(io.Discard); err == nil {
		t.Error("a plot without figures was drawn")
	}
}
