package wizard

import (
	"strings"

	"github.com/charmbracelet/bubbles/viewport"
	tea "github.com/charmbracelet/bubbletea"
)

// pager is a list of lines in a viewport. Its height is given with every key
// and drawing, because what stands around it changes.
type pager struct {
	lines []string
	port  viewport.Model
}

func (p *pager) set(lines []string) {
	p.lines, p.port = lines, viewport.New(0, 0)
	p.port.KeyMap.PageDown.SetKeys("pgdown", " ", "ctrl+d")
	p.port.KeyMap.PageUp.SetKeys("pgup", "b", "ctrl+u")
	p.port.KeyMap.HalfPageDown.SetEnabled(false)
	p.port.KeyMap.HalfPageUp.SetEnabled(false)
	p.port.KeyMap.Left.SetEnabled(false)
	p.port.KeyMap.Right.SetEnabled(false)
	p.port.SetContent(strings.Join(lines, "\n"))
}

func (p *pager) top() int { return p.port.YOffset }

// moveTo makes line the first one, also one near the end.
func (p *pager) moveTo(line int) { p.port.YOffset = max(line, 0) }

// keep stays where the view is while the lines are made anew, in another width.
func (p *pager) keep(renew func()) {
	top := p.top()
	renew()
	p.moveTo(top)
}

// key moves the view; it reports whether the key was one of its own.
func (p *pager) key(msg tea.KeyMsg, h int) bool {
	p.port.Height = h
	switch msg.String() {
	case "home", "g":
		p.port.GotoTop()
	case "end", "G":
		p.port.GotoBottom()
	case "up", "k", "down", "j", "pgup", "b", "ctrl+u", "pgdown", " ", "ctrl+d":
		p.port, _ = p.port.Update(msg)
	default:
		return false
	}
	return true
}

// clamp takes the view back where it went over the end.
func (p *pager) clamp(h int) {
	p.port.Height = h
	p.port.SetYOffset(p.port.YOffset)
}

// window is the part shown in h lines.
func (p *pager) window(h int) []string {
	p.clamp(h)
	return p.lines[p.top():min(p.top()+h, len(p.lines))]
}

// more says how much is out of sight, "" for nothing.
func (p *pager) more(h int) string {
	switch above, below := p.top() > 0, p.top()+h < len(p.lines); {
	case above && below:
		return "more above and below"
	case above:
		return "more above"
	case below:
		return "more below"
	}
	return ""
}

// page fills h lines with the window and, in the last, what is out of sight.
func (p *pager) page(h int, st style) []string {
	lines := append([]string(nil), p.window(h-1)...)
	for len(lines) < h-1 {
		lines = append(lines, "")
	}
	return append(lines, st.dim.Render(p.more(h-1)))
}
