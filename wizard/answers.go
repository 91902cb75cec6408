package wizard

import (
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
)

// answerList is every answer with its source; any of them can be changed,
// also those that are never asked.
type answerList struct {
	at int
}

// openAnswers shows the list over the page.
func (m *model) openAnswers() { m.over, m.list = overAnswers, answerList{} }

// listed are the questions of the list: those with a value of their own.
func listed() []Question {
	var out []Question
	for _, q := range questions {
		if !q.Virtual || q.ID == "ssh" {
			out = append(out, q)
		}
	}
	return out
}

func (m *model) answersKey(name string) tea.Cmd {
	n := len(listed())
	switch name {
	case "up", "k", "shift+tab":
		m.list.at = (m.list.at + n - 1) % n
	case "down", "j", "tab":
		m.list.at = (m.list.at + 1) % n
	case "home", "g":
		m.list.at = 0
	case "end", "G":
		m.list.at = n - 1
	case "enter":
		return m.enterQuestion(listed()[m.list.at], true)
	case "esc", "q", "e":
		m.over = noOverlay
	}
	return nil
}

func (m *model) answersView(w, h int) []string {
	lines := []string{m.st.bold.Render("All answers"), ""}
	room := h - len(lines) - 1
	qs := listed()
	top := max(0, min(m.list.at-room/2, len(qs)-room))
	for i := top; i < min(top+room, len(qs)); i++ {
		q := qs[i]
		value := q.Get(m.iv.answers)
		if value == "" {
			value = "-"
		}
		row := pad(q.ID, 20) + " " + value
		lead := "  "
		if i == m.list.at {
			lead = m.st.accent.Render("> ")
			row = m.st.accent.Render(pad(q.ID, 20)) + " " + value
		}
		src := ""
		if s, ok := m.iv.sources[q.ID]; ok && value != "-" {
			src = sourceText(q.ID, s)
		}
		row = lead + clip(row, w-2)
		if room := w - ansi.StringWidth(row) - 3; room >= 12 {
			row = ends(row, m.st.dim.Render(clip(src, room)), w)
		}
		lines = append(lines, row)
	}
	return lines
}
