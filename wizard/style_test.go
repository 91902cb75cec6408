package wizard

import (
	"io"
	"math"
	"strings"
	"testing"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"bitgate/setup"
)

// shades are the sixteen colours as terminals ship them, the background first, then
// red, green, yellow, blue, magenta and cyan (xterm's charproc.c, GNOME's and Apple's
// terminals and VS Code as Wikipedia's "ANSI escape code" has them, Solarized by its author).
var shades = map[string]struct {
	light  bool
	ground int
	paint  map[string]int
}{
	"xterm on black":        {false, 0x000000, map[string]int{"9": 0xff0000, "2": 0x00cd00, "3": 0xcdcd00, "6": 0x00cdcd}},
	"xterm on white":        {true, 0xffffff, map[string]int{"1": 0xcd0000, "4": 0x0000ee, "5": 0xcd00cd}},
	"Terminal.app on white": {true, 0xffffff, map[string]int{"1": 0x990000, "4": 0x0000b2, "5": 0xb200b2}},
	"GNOME on white":        {true, 0xffffff, map[string]int{"1": 0xc01c28, "4": 0x12488b, "5": 0xa347ba}},
	"VS Code on dark":       {false, 0x1e1e1e, map[string]int{"9": 0xf14c4c, "2": 0x0dbc79, "3": 0xe5e510, "6": 0x11a8cd}},
	"Solarized on dark":     {false, 0x002b36, map[string]int{"9": 0xcb4b16, "2": 0x859900, "3": 0xb58900, "6": 0x2aa198}},
	"VS Code on white":      {true, 0xffffff, map[string]int{"1": 0xcd3131, "4": 0x0451a5, "5": 0xbc05bc}},
	"Solarized on light":    {true, 0xfdf6e3, map[string]int{"1": 0xdc322f, "4": 0x268bd2, "5": 0xd33682}},
	"GNOME on dark":         {false, 0x171421, map[string]int{"9": 0xf66151, "2": 0x26a269, "3": 0xa2734c, "6": 0x2aa1b3}},
}

// TestContrast: focus, warnings and errors stand out from the background by 3 to 1 (WCAG
// 2.2, 1.4.11), and so does green on dark ones; on light ones green is bold, and no more
// than a help. What they say stands there in words too.
func TestContrast(t *testing.T) {
	for name, s := range shades {
		r := lipgloss.NewRenderer(io.Discard)
		r.SetColorProfile(termenv.ANSI)
		st := styleOf(r, s.light)
		roles := map[string]lipgloss.Style{"accent": st.accent, "warn": st.warn, "fail": st.fail}
		if !s.light {
			roles["good"] = st.good
		}
		for role, style := range roles {
			number, _ := style.GetForeground().(lipgloss.Color)
			shade, known := s.paint[string(number)]
			if c := contrast(shade, s.ground); !known || c < 3 {
				t.Errorf("%s: %s is colour %q, contrast %.1f", name, role, number, c)
			}
		}
	}
}

// contrast is the ratio of WCAG 2.2, "contrast ratio".
func contrast(a, b int) float64 {
	luminance := func(rgb int) float64 {
		out := 0.0
		for i, weight := range []float64{0.0722, 0.7152, 0.2126} {
			c := float64(rgb>>(8*i)&0xff) / 255
			if c <= 0.04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			out += weight * c
		}
		return out
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestColoursAreNoText: where there are colours, no screen shows how they are written.
func TestColoursAreNoText(t *testing.T) {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(termenv.ANSI)
	for _, s := range screens {
		p := newPump(t, standardMachine(), setup.Answers{}, nil, Options{})
		p.m.st = styleOf(r, false)
		p.start(80, 24)
		s.walk(p)
		if view := p.m.View(); strings.Contains(view, `\x1b`) {
			t.Errorf("%s:\n%s", s.name, view)
		}
	}
}
