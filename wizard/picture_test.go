package wizard

import (
	"bytes"
	"flag"
	"fmt"
	"html"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"bitgate/setup"
)

var pictures = flag.String("pictures", "", "write pictures of the main screens into this folder")

// TestPictures draws the program's own View as SVG (make pictures).
func TestPictures(t *testing.T) {
	if *pictures == "" {
		t.Skip("drawn by make pictures")
	}
	colours := lipgloss.NewRenderer(io.Discard)
	colours.SetColorProfile(termenv.ANSI)
	for _, s := range screens {
		switch s.name {
		case "welcome", "path-changed", "key-cert-mismatch", "review-haproxy", "consent", "result":
		default:
			continue
		}
		p := newPump(t, standardMachine(), setup.Answers{}, nil, Options{})
		p.m.st = styleOf(colours)
		p.start(100, 30)
		s.walk(p)
		file := filepath.Join(*pictures, s.name+".svg")
		if err := os.WriteFile(file, drawSVG(p.m.View(), 100, 30), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The colours of a dark terminal, by their ANSI numbers.
var ansiColours = map[string]string{"31": "#f47067", "32": "#6bc46d", "33": "#daaa3f", "36": "#56d4dd"}

const (
	cellWidth, cellHeight = 8.4, 18
	margin                = 16
)

// drawSVG is a screen of coloured text as a picture.
func drawSVG(view string, w, h int) []byte {
	var b bytes.Buffer
	width, height := float64(w)*cellWidth+2*margin, h*cellHeight+2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" width="%.0f" height="%d" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">`+"\n", width, height, width, height)
	b.WriteString(`<rect width="100%" height="100%" rx="8" fill="#1c2128"/>` + "\n")
	for y, line := range strings.Split(view, "\n") {
		x := 0
		for _, run := range coloured(line) {
			n := ansi.StringWidth(run.text)
			if strings.TrimSpace(run.text) != "" {
				fmt.Fprintf(&b, `<text xml:space="preserve" x="%.1f" y="%d" textLength="%.1f" %s>%s</text>`+"\n",
					margin+float64(x)*cellWidth, margin+y*cellHeight+14, float64(n)*cellWidth, run.look, html.EscapeString(run.text))
			}
			x += n
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

type textRun struct{ text, look string }

// coloured cuts a line where its colour changes.
func coloured(line string) []textRun {
	var out []textRun
	fill, more := "#cdd9e5", ""
	for i, part := range strings.Split(line, "\x1b[") {
		codes, text, styled := strings.Cut(part, "m")
		if i == 0 || !styled {
			text = part
		} else {
			fill, more = "#cdd9e5", ""
			for code := range strings.SplitSeq(codes, ";") {
				switch code {
				case "1":
					more = ` font-weight="bold"`
				case "2":
					fill = "#768390"
				case "4":
					more += ` text-decoration="underline"`
				}
				if c := ansiColours[code]; c != "" {
					fill = c
				}
			}
		}
		if text != "" {
			out = append(out, textRun{text, fmt.Sprintf(`fill="%s"%s`, fill, more)})
		}
	}
	return out
}
