package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// Curve is how one peer's cost grows.
type Curve struct {
	Name   string
	X, Y   []float64
	Dashed bool // told apart without colour too
}

// Chart is curves with what they show.
type Chart struct {
	File        string // of the plot
	Title, X, Y string
	Curves      []Curve
	Slope       bool // what counts is how much one more of X costs
}

// Table writes the figures as Markdown, below the plot.
func (c Chart) Table(w io.Writer) error {
	fmt.Fprintf(w, "\n## %s\n\n![%s](%s)\n\n", c.Title, c.Title, c.File)
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	head := []string{c.Y + " at so many " + c.X}
	for _, x := range ticks(c.Curves) {
		head = append(head, fmt.Sprintf("%g", x))
	}
	if c.Slope {
		head = append(head, "each, KB")
	}
	row(t, head)
	row(t, slices.Repeat([]string{"---"}, len(head)))
	for _, curve := range c.Curves {
		cells := []string{curve.Name}
		for _, y := range curve.Y {
			cells = append(cells, figure(y))
		}
		if last := len(curve.X) - 1; c.Slope {
			cells = append(cells, figure((curve.Y[last]-curve.Y[0])*1024/(curve.X[last]-curve.X[0])))
		}
		row(t, cells)
	}
	return t.Flush()
}

// Size and margins of a plot in pixels.
const (
	width, height            = 640, 360
	left, right, top, bottom = 70, 170, 40, 50
)

// The colours of Okabe and Ito, which colour-blind people can tell apart.
var colours = []string{"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"}

// Plot writes the curves as SVG; the x axis is logarithmic, y starts at zero.
func (c Chart) Plot(w io.Writer) error {
	title, x, y, curves := c.Title, c.X, c.Y, c.Curves
	least, most, highest := math.Inf(1), math.Inf(-1), 0.0
	for _, c := range curves {
		if len(c.X) == 0 {
			continue
		}
		least, most = min(least, slices.Min(c.X)), max(most, slices.Max(c.X))
		highest = max(highest, slices.Max(c.Y))
	}
	if !(least > 0 && most > least && highest > 0) {
		return fmt.Errorf("plot %q: no figures", title)
	}
	px := func(v float64) float64 {
		return left + (width-left-right)*(math.Log(v)-math.Log(least))/(math.Log(most)-math.Log(least))
	}
	py := func(v float64) float64 { return height - bottom - (height-top-bottom)*v/(highest*1.05) }

	out := &printer{w: w}
	out.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	out.printf(`<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="20" font-size="15">%s</text>`+"\n", left, title)
	out.printf(`<path d="M%d %d V%d H%d" fill="none" stroke="black"/>`+"\n", left, top, height-bottom, width-right)
	out.printf(`<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (left+width-right)/2, height-12, x)
	out.printf(`<text transform="translate(16 %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", height/2, y)
	for i := range 5 {
		v := highest * float64(i) / 4
		out.printf(`<text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", left-6, py(v)+4, figure(v))
	}
	for _, v := range ticks(curves) {
		out.printf(`<text x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n", px(v), height-bottom+16, v)
	}
	for i, c := range curves {
		colour, dash := colours[i%len(colours)], ""
		if c.Dashed {
			dash = ` stroke-dasharray="6 3"`
		}
		out.printf(`<polyline fill="none" stroke="%s" stroke-width="2"%s points="`, colour, dash)
		for k := range c.X {
			out.printf("%.1f,%.1f ", px(c.X[k]), py(c.Y[k]))
		}
		out.printf(`"/>` + "\n")
		line := top + 18*(i+1)
		out.printf(`<path d="M%d %d h24" stroke="%s" stroke-width="2"%s/><text x="%d" y="%d">%s</text>`+"\n",
			width-right+12, line, colour, dash, width-right+42, line+4, c.Name)
	}
	out.printf("</svg>\n")
	return out.err
}

// ticks are the places on the x axis that were measured.
func ticks(curves []Curve) []float64 {
	var all []float64
	for _, c := range curves {
		all = append(all, c.X...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
