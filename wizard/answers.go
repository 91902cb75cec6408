package wizard

import (
	"cmp"
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"bitgate/interview"
)

// answersOverlay is every answer with its source; any of them can be changed,
// also those that are never asked.
type answersOverlay struct {
	*shell
	at int
}

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

func (s *answersOverlay) key(name string) (cmd tea.Cmd, closed bool) {
	n := len(listed())
	switch name {
	case "up", "k", "shift+tab":
		s.at = (s.at + n - 1) % n
	case "down", "j", "tab":
		s.at = (s.at + 1) % n
	case "home", "g":
		s.at = 0
	case "end", "G":
		s.at = n - 1
	case "enter":
		return s.showQuestion(listed()[s.at], true), false
	case "esc", "q", "e":
		return nil, true
	}
	return nil, false
}

func (s *answersOverlay) view(w, h int) []string {
	lines := []string{s.st.bold.Render("All answers"), ""}
	room := h - len(lines) - 3
	qs := listed()
	top := max(0, min(s.at-room/2, len(qs)-room))
	for i := top; i < min(top+room, len(qs)); i++ {
		lines = append(lines, s.answerLine(qs[i], i == s.at, w))
	}
	at, more := qs[s.at], ""
	if room < len(qs) {
		more = fmt.Sprintf("%d of %d", s.at+1, len(qs))
	}
	return append(lines, s.st.dim.Render(more), s.st.dim.Render(clip(strings.TrimSuffix(at.Title+": "+s.answerSource(at), ": "), w)))
}

// answerLine is an answer, with its source where there is room for all of it.
func (s *answersOverlay) answerLine(q interview.Question, current bool, w int) string {
	value := cmp.Or(q.Get(s.iv.Answers), "-")
	lead, id := "  ", pad(q.ID, 20)
	if current {
		lead, id = s.st.accent.Render("> "), s.st.accent.Render(id)
	}
	line := clip(lead+id+" "+value, w)
	if src := s.answerSource(q); ansi.StringWidth(line)+3+ansi.StringWidth(src) <= w {
		line = ends(line, s.st.dim.Render(src), w)
	}
	return line
}

// answerSource says where an answer comes from, "" where there is none.
func (s *answersOverlay) answerSource(q interview.Question) string {
	src, ok := s.iv.Sources[q.ID]
	if !ok || q.Get(s.iv.Answers) == "" {
		return ""
	}
	return interview.SourceText(s.iv.Facts, q.ID, src)
}
