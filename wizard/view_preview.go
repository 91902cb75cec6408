package wizard

import (
	"fmt"
	"strings"

	"bitgate/setup"
)

func (m *model) adviceLines(w int) []string {
	var lines []string
	for _, f := range m.ask.advice {
		lines = append(lines, m.st.findingLines(f, w)...)
	}
	return lines
}

// checkLines are the slow checks of this step, running or done.
func (m *model) checkLines(w int) []string {
	var lines []string
	for _, q := range questions {
		c, ok := m.checks[q.ID]
		if !ok || q.Step != m.ask.q.Step {
			continue
		}
		if c.running {
			lines = append(lines, m.spinner()+" checking "+strings.ToLower(q.Title[:1])+q.Title[1:])
			continue
		}
		if q.ID == m.ask.q.ID && c.about != m.currentText() {
			continue
		}
		for _, f := range c.findings {
			if q.ID == m.ask.q.ID || f.Level != setup.OK {
				lines = append(lines, m.st.findingLines(f, w)...)
			}
		}
	}
	return lines
}

// currentText is the field's answer as the checks know it.
func (m *model) currentText() string { return subject(m.ask.q, m.ask.candidate) }

// previewLines show the change in at most h lines.
func (m *model) previewLines(w, h int) []string {
	p := m.ask.preview
	if p.title == "" {
		return nil
	}
	lines := []string{m.st.dim.Render("Preview  ") + clip(p.title, w-9)}
	room := h - 1
	var body []string
	for _, l := range p.lines {
		if strings.HasPrefix(l, "@@") {
			continue
		}
		body = append(body, m.st.diffLine(clip(strings.ReplaceAll(l, "\t", "    "), w)))
	}
	if len(body) > room && room > 1 {
		hidden := len(body) - room + 1
		body = append(fitChange(body, p.lines, room-1), m.st.dim.Render(fmt.Sprintf("%d more lines: tab", hidden)))
	}
	return append(lines, body...)
}

// fitChange keeps the first changed line in view when a preview is cut.
func fitChange(body, raw []string, room int) []string {
	first, i := 0, 0
	for _, l := range raw {
		if strings.HasPrefix(l, "@@") {
			continue
		}
		if strings.HasPrefix(l, "+") || strings.HasPrefix(l, "-") {
			first = i
			break
		}
		i++
	}
	from := max(0, min(first-1, len(body)-room))
	return body[from : from+room]
}
