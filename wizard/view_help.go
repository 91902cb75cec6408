package wizard

import (
	"strings"

	"bitgate/interview"
)

// openHelp explains the keys, the question and the page's considerations.
func (m *model) openHelp() {
	w, _ := m.frame().body()
	w = min(w, maxText)
	var lines []string
	add := func(title string, text ...string) {
		if len(lines) > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, m.st.bold.Render(title))
		for _, t := range text {
			lines = append(lines, wrap(t, w)...)
		}
	}
	step := interview.StepBitbucket
	switch m.page {
	case pageAsk:
		q := m.ask.q
		step = q.Step
		text := []string{q.Why}
		if q.Example != "" {
			text = append(text, "Example: "+q.Example)
		}
		if q.Default != "" {
			text = append(text, "Default: "+q.Default)
		}
		if !q.Virtual {
			text = append(text, strings.TrimSpace("Without questions: --"+q.ID+" "+q.Arg))
		}
		add(q.Title, text...)
	case pageReview, pageApply, pageResult:
		step = interview.StepReview
	}
	add("Worth knowing", interview.Considerations(step)...)
	add("Keys", keyHelp(m.page)...)
	m.over = overHelp
	m.view.set(lines)
}

func keyHelp(p page) []string {
	switch p {
	case pageReview:
		return []string{
			"a            opens the consent line; only the word apply and Enter count", "[ ] tab      file before, next file", "up down pgup pgdn home end   scroll",
			"/ n N        search, next, previous", "$            show in your pager", "s            save the plan to a file", "e            all answers, to change one", "esc          back to the questions",
		}
	case pageApply:
		return []string{"l            the log", "ctrl+c       take back what was done"}
	}
	return []string{
		"enter            next", "esc, shift+tab   the question before", "tab              the whole preview", "y n              in a yes or no question",
		"? or f1          this help (f1 where ? can be typed)", "ctrl+c           quit; nothing is changed",
	}
}

// openPreview shows the whole change of the step.
func (m *model) openPreview() {
	w, _ := m.frame().body()
	p := m.ask.preview
	lines := []string{m.st.bold.Render("Preview  ") + p.Title, ""}
	if p.Title == "" {
		lines = wrap("There is no preview yet: it is made from the same plan that apply uses, and that needs the public URL and an answer that is valid.", min(w, maxText))
	}
	for _, l := range p.Lines {
		for _, part := range hangWrap(l, w) {
			lines = append(lines, m.st.signed(sign(l), part))
		}
	}
	m.over = overPreview
	m.view.set(lines)
}

func (m *model) overlayHeight() int {
	_, h := m.frame().body()
	return h - 1
}

func (m *model) overlayView(w, h int) []string {
	lines := append([]string(nil), m.view.window(h-1)...)
	for len(lines) < h-1 {
		lines = append(lines, "")
	}
	return append(lines, m.st.dim.Render(m.view.more(h-1)))
}
