package wizard

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"bitgate/interview"
)

// answerList is every answer with its source; any of them can be changed,
// also those that are never asked.
type answerList struct {
	at int
}

// openAnswers shows the list over the page.
func (m *model) openAnswers() { m.over, m.list = overAnswers, answerList{} }

// listed are the questions of the list: those with a value of their own.
func listed() []interview.Question {
	var out []interview.Question
	for _, q := range interview.Questions() {
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
	room := h - len(lines) - 3
	qs := listed()
	top := max(0, min(m.list.at-room/2, len(qs)-room))
	for i := top; i < min(top+room, len(qs)); i++ {
		lines = append(lines, m.answerLine(qs[i], i == m.list.at, w))
	}
	at := qs[m.list.at]
	return append(lines, "", m.st.dim.Render(clip(strings.TrimSuffix(at.Title+": "+m.answerSource(at), ": "), w)))
}

// answerLine is an answer, with its source where there is room for all of it.
func (m *model) answerLine(q interview.Question, current bool, w int) string {
	value := q.Get(m.iv.Answers)
	if value == "" {
		value = "-"
	}
	lead, id := "  ", pad(q.ID, 20)
	if current {
		lead, id = m.st.accent.Render("> "), m.st.accent.Render(id)
	}
	line := clip(lead+id+" "+value, w)
	if src := m.answerSource(q); ansi.StringWidth(line)+3+ansi.StringWidth(src) <= w {
		line = ends(line, m.st.dim.Render(src), w)
	}
	return line
}

// answerSource says where an answer comes from, "" where there is none.
func (m *model) answerSource(q interview.Question) string {
	s, ok := m.iv.Sources[q.ID]
	if !ok || q.Get(m.iv.Answers) == "" {
		return ""
	}
	return interview.SourceText(m.iv.Facts, q.ID, s)
}
