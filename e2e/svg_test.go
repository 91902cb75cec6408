package e2e

import (
	"bytes"
	"fmt"
	"html"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// The colours of a dark terminal, by their ANSI numbers.
var ansiColours = map[string]string{"31": "#f47067", "91": "#f47067", "32": "#6bc46d", "33": "#daaa3f", "36": "#56d4dd"}

const (
	ground, foreground, faint = "#1c2128", "#cdd9e5", "#768390"

	cellWidth, cellHeight = 8.4, 18
	margin                = 16
)

// look is how text stands at some place of the screen.
type look struct {
	colour                         string
	bold, dim, underlined, reverse bool
}

// change applies one code of a Select Graphic Rendition sequence (ECMA-48, 8.3.117).
func (l *look) change(code string) {
	switch code {
	case "", "0":
		*l = look{}
	case "1":
		l.bold = true
	case "2":
		l.dim = true
	case "4":
		l.underlined = true
	case "7":
		l.reverse = true
	case "22":
		l.bold, l.dim = false, false
	case "24":
		l.underlined = false
	case "27":
		l.reverse = false
	case "39":
		l.colour = ""
	default:
		l.colour = ansiColours[code]
	}
}

func (l look) attributes() string {
	fill := l.colour
	switch {
	case l.reverse:
		fill = ground
	case l.dim:
		fill = faint
	case fill == "":
		fill = foreground
	}
	out := fmt.Sprintf(`fill="%s"`, fill)
	if l.bold {
		out += ` font-weight="bold"`
	}
	if l.underlined {
		out += ` text-decoration="underline"`
	}
	return out
}

// drawSVG is a captured screen as a picture.
func drawSVG(view string, w, h int) []byte {
	var b bytes.Buffer
	openSVG(&b, w, h)
	drawScreen(&b, view)
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// openSVG begins a picture of w columns and h lines.
func openSVG(b *bytes.Buffer, w, h int) {
	width, height := float64(w)*cellWidth+2*margin, h*cellHeight+2*margin
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" width="%.0f" height="%d" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">`+"\n", width, height, width, height)
	fmt.Fprintf(b, `<rect width="100%%" height="100%%" rx="8" fill="%s"/>`+"\n", ground)
}

// drawScreen draws what tmux captured, colours and all.
func drawScreen(b *bytes.Buffer, view string) {
	var now look
	for y, line := range strings.Split(strings.TrimRight(view, "\n"), "\n") {
		x := 0
		for i, part := range strings.Split(line, "\x1b[") {
			text := part
			if i > 0 {
				codes, rest, _ := strings.Cut(part, "m")
				for code := range strings.SplitSeq(codes, ";") {
					now.change(code)
				}
				text = rest
			}
			n := ansi.StringWidth(text)
			left, top := margin+float64(x)*cellWidth, margin+y*cellHeight
			if now.reverse && n > 0 {
				fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", left, top, float64(n)*cellWidth, cellHeight, foreground)
			}
			if strings.TrimSpace(text) != "" {
				fmt.Fprintf(b, `<text xml:space="preserve" x="%.1f" y="%d" textLength="%.1f" %s>%s</text>`+"\n",
					left, top+14, float64(n)*cellWidth, now.attributes(), html.EscapeString(text))
			}
			x += n
		}
	}
}
