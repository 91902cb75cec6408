// Package report holds the figures of a benchmark and writes them down: as a
// table, as JSON and as a plot. Every figure is a cost: less is better.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// Report of one run.
type Report struct {
	Date      string            `json:"date"`
	Machine   string            `json:"machine"`
	Versions  map[string]string `json:"versions"`
	Reference string            `json:"reference"` // the peer that ratios are made with
	Peers     []string          `json:"peers"`
	Metrics   []Metric          `json:"metrics"`
}

// Metric is one thing measured on every peer.
type Metric struct {
	Name    string               `json:"name"`
	Unit    string               `json:"unit"`
	Rounds  map[string][]float64 `json:"rounds"`            // by peer, one figure a round
	Against map[string][]float64 `json:"against,omitempty"` // by peer: ours just before and after it, as a multiple of it
	Goals   map[string]float64   `json:"goals,omitempty"`
	Void    map[string]string    `json:"void,omitempty"` // why a peer has no figure
}

// Spread is the middle and the ends of several figures, and between which two of
// them the median of endlessly many would lie, with a confidence of 99 % (98 %
// for seven figures, less for fewer).
type Spread struct{ Median, Min, Max, Low, High float64 }

// Value is the spread of a peer's own figures.
func (m Metric) Value(peer string) Spread { return spread(m.Rounds[peer]) }

// Ratio is the spread of the per-round ratios of two peers: what a busy machine
// does to a round, it does to both.
func (m Metric) Ratio(peer, reference string) Spread {
	return ratios(m.Rounds[peer], m.Rounds[reference])
}

// Ours is the Ratio of ours to a peer, made with what was measured right beside
// the peer where that was done.
func (m Metric) Ours(ours, peer string) Spread {
	if against := m.Against[peer]; len(against) > 0 {
		return spread(against)
	}
	return m.Ratio(ours, peer)
}

// Unsettled reports whether there is a goal against a peer that may be met or
// missed as far as the figures tell.
func (m Metric) Unsettled(ours, peer string) bool {
	s, goal := m.Ours(ours, peer), m.Goals[peer]
	return goal > 0 && s.Low <= goal && goal <= s.High
}

func ratios(a, b []float64) Spread {
	all := make([]float64, 0, len(a))
	for i := range min(len(a), len(b)) {
		all = append(all, a[i]/b[i])
	}
	return spread(all)
}

func spread(figures []float64) Spread {
	n := len(figures)
	if n == 0 {
		nan := math.NaN()
		return Spread{nan, nan, nan, nan, nan}
	}
	sorted := slices.Sorted(slices.Values(figures))
	middle := (sorted[n/2] + sorted[(n-1)/2]) / 2
	out := outside(n)
	return Spread{middle, sorted[0], sorted[n-1], sorted[out], sorted[n-1-out]}
}

// outside is how many of n figures lie beyond each end of the median's interval:
// each figure is above the true median as a coin falls, so that the number of
// those above is binomial.
func outside(n int) int {
	below, ways, k := 0.0, math.Pow(0.5, float64(n)), 0
	for ; k < n/2; k++ {
		below += ways
		if below > 0.005 {
			break
		}
		ways *= float64(n-k) / float64(k+1)
	}
	return max(0, k-1)
}

// Merge makes one report of several runs of the same benchmark.
func Merge(runs []Report) Report {
	all := runs[0]
	all.Metrics = nil
	for i, m := range runs[0].Metrics {
		m.Rounds, m.Against = map[string][]float64{}, map[string][]float64{}
		for _, run := range runs {
			appendAll(m.Rounds, run.Metrics[i].Rounds)
			appendAll(m.Against, run.Metrics[i].Against)
		}
		all.Metrics = append(all.Metrics, m)
	}
	return all
}

func appendAll(to, from map[string][]float64) {
	for name, figures := range from {
		to[name] = append(to[name], figures...)
	}
}

// ReadJSON reads what WriteJSON wrote.
func ReadJSON(r io.Reader) (report Report, err error) {
	err = json.NewDecoder(r).Decode(&report)
	return report, err
}

// WriteJSON writes everything.
func (r Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// WriteTables writes the report as Markdown: what each peer costs as a multiple
// of the reference, and our own ratio to every peer beside its goal.
func (r Report) WriteTables(w io.Writer, ours string) error {
	fmt.Fprintf(w, "%s, %s\n\n", r.Date, r.Machine)
	for _, peer := range r.Peers {
		fmt.Fprintf(w, "- %s: %s\n", peer, r.Versions[peer])
	}
	fmt.Fprintf(w, "\nCost as a multiple of %s: median of the rounds' ratios, least to most in brackets. Less is better.\n\n", r.Reference)
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	row(t, append([]string{"metric", r.Reference}, r.Peers...))
	row(t, slices.Repeat([]string{"---"}, len(r.Peers)+2))
	for _, m := range r.Metrics {
		cells := []string{m.Name, fmt.Sprintf("%s %s", figure(m.Value(r.Reference).Median), m.Unit)}
		for _, peer := range r.Peers {
			against := m.Ratio(peer, r.Reference)
			if peer == ours {
				against = m.Ours(ours, r.Reference)
			}
			cells = append(cells, ratio(against, m.Void[peer]))
		}
		row(t, cells)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nOurs (%s) against each peer, with the goal behind the slash; a question mark where the goal lies within the interval that the true median is in with a confidence of 99 %%.\n\n", ours)
	row(t, append([]string{"metric", "ours"}, r.Peers...))
	row(t, slices.Repeat([]string{"---"}, len(r.Peers)+2))
	for _, m := range r.Metrics {
		cells := []string{m.Name, fmt.Sprintf("%s %s", figure(m.Value(ours).Median), m.Unit)}
		for _, peer := range r.Peers {
			cells = append(cells, m.verdict(ours, peer))
		}
		row(t, cells)
	}
	return t.Flush()
}

func row(w io.Writer, cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, "\t| ")) }

func ratio(s Spread, void string) string {
	if math.IsNaN(s.Median) {
		if void != "" {
			return "void"
		}
		return ""
	}
	return fmt.Sprintf("%.2f (%.2f-%.2f)", s.Median, s.Min, s.Max)
}

// verdict says whether the median holds the goal against a peer; "?" where that is
// unsettled, so that another run may say otherwise.
func (m Metric) verdict(ours, peer string) string {
	s, goal := m.Ours(ours, peer), m.Goals[peer]
	if math.IsNaN(s.Median) {
		return ""
	}
	if goal == 0 {
		return fmt.Sprintf("%.2f", s.Median)
	}
	word := "missed"
	if s.Median <= goal {
		word = "met"
	}
	switch text := fmt.Sprintf("%.2f / %.2f %s", s.Median, goal, word); {
	case m.Unsettled(ours, peer):
		return text + "?"
	case word == "missed":
		return "**" + text + "**"
	default:
		return text
	}
}

func figure(f float64) string {
	switch {
	case math.IsNaN(f):
		return "-"
	case f < 10:
		return fmt.Sprintf("%.2f", f)
	case f < 100:
		return fmt.Sprintf("%.1f", f)
	default:
		return fmt.Sprintf("%.0f", f)
	}
}
