package wizard

import (
	"strings"

	"bitgate/interview"
)

// openHelp explains the question, the page's considerations, its words and the keys.
func (m *model) openHelp() {
	w, _ := m.body()
	w = min(w, maxText)
	var lines []string
	add := func(title string, text ...string) {
		if len(lines) > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, m.st.bold.Render(title))
		for _, t := range text {
			lines = append(lines, wrapText(t, w)...)
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
	case pageReview, pageApply, pageResult, pageError:
		step = interview.StepReview
	}
	add("Worth knowing", interview.Considerations(step)...)
	var words []string
	for _, t := range interview.Terms(step) {
		words = append(words, t.Name+": "+t.Means)
	}
	add("Words", words...)
	add("Keys", m.keyHelp()...)
	m.over = overHelp
	m.text.set(lines)
}

// keyHelp are the keys that do something on the page.
func (m *model) keyHelp() []string {
	switch m.page {
	case pageReview:
		return []string{
			"a            opens the consent line; only the word apply and Enter count", "[ ] tab      file before, next file", "up down pgup pgdn home end   scroll",
			"/ n N        search, next, previous", "$            show in your pager", "s            save the plan to a file", "r            look at this machine again", "e            all answers, to change one", "esc          back to the questions",
		}
	case pageApply:
		return []string{"l            the log", "ctrl+c       take back what was done"}
	case pageAsk:
		return []string{
			"enter            next", "esc, shift+tab   the question before", "tab              the whole preview", "y n              in a yes or no question",
			"? or f1          this help (f1 where ? can be typed)", "ctrl+c           quit; nothing is changed",
		}
	}
	var lines []string
	for _, k := range m.pageKeys() {
		key, does, _ := strings.Cut(k, " ")
		lines = append(lines, pad(key, 12)+" "+does)
	}
	return lines
}

// previewText is the whole change of a step.
func previewText(st style, p interview.Preview, w int) []string {
	lines := []string{st.bold.Render("Preview  ") + p.Title, ""}
	if p.Title == "" {
		lines = wrapText(p.Why, min(w, maxText))
	}
	for _, l := range p.Lines {
		for _, part := range hangWrap(l, w) {
			lines = append(lines, st.signed(sign(l), part))
		}
	}
	return lines
}
