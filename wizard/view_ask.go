package wizard

import (
	"strings"

	"bitgate/internal/problem"
	"bitgate/interview"
)

// block is a part of the screen that gives way when room is short.
type block struct {
	lines []string
	least int // fewer lines than this and it is left out
}

// stack puts blocks under each other in h lines, an empty line between them.
// The first ones are served first.
func stack(h int, blocks ...block) []string {
	var out []string
	for _, b := range blocks {
		gap := 0
		if len(out) > 0 {
			gap = 1
		}
		room := h - len(out) - gap
		if len(b.lines) == 0 || room < min(b.least, len(b.lines)) {
			continue
		}
		if gap == 1 {
			out = append(out, "")
		}
		out = append(out, b.lines[:min(len(b.lines), room)]...)
	}
	return out
}

// askView is the question, what it means, and what it would change: the
// preview stands beside it in wide windows, else below.
func (m *model) askView(w, h int) []string {
	text, beside := m.columns()
	left := m.questionColumn(text, h)
	if beside == 0 {
		if room := h - len(left) - 1; room >= 3 {
			if preview := m.previewLines(text, room); len(preview) > 0 {
				left = append(append(left, ""), preview...)
			}
		}
		return left
	}
	right := m.previewLines(beside, h-2)
	var out []string
	for i := range h {
		l, r := "", ""
		if i < len(left) {
			l = left[i]
		}
		if i >= 2 && i-2 < len(right) {
			r = right[i-2]
		}
		out = append(out, pad(clip(l, text), text)+"   "+clip(r, beside))
	}
	return out
}

// questionColumn is the question with what is known about it. Where room is
// short the answers before it go first.
func (m *model) questionColumn(w, h int) []string {
	head, question := m.stepHeading(w), m.questionLines(w)
	checks, advice := m.checkLines(w), m.adviceLines(w)
	if len(head)+len(question)+len(checks)+len(advice)+3 > h {
		head = head[:min(len(head), m.headingLines())]
	}
	return stack(h, block{head, 1}, block{question, 1}, block{checks, 1}, block{advice, 2})
}

// headingLines are the lines of the heading itself.
func (m *model) headingLines() int {
	if m.w >= railFrom {
		return 2
	}
	return 0
}

// columns are the widths of the question and of the preview beside it, 0 for below.
func (m *model) columns() (text, beside int) {
	w, _ := frame{w: m.w, h: m.h, rail: m.rail()}.body()
	if m.w < besideFrom {
		return w, 0
	}
	text = min(w*11/20, maxText)
	return text, w - text - 3
}

func (m *model) fieldWidth() int {
	text, _ := m.columns()
	return min(text, maxText)
}

// stepHeading names the step and what was answered in it so far.
func (m *model) stepHeading(w int) []string {
	var lines []string
	if m.w >= railFrom {
		name := interview.StepTitle(m.ask.q.Step, m.iv.Answers)
		if n := interview.StepNumber(m.ask.q.Step); n > 0 {
			name = m.st.dim.Render(interview.StepOf(n)+"   ") + m.st.bold.Render(strings.TrimSuffix(name, " (optional)"))
		}
		lines = append(lines, name, m.st.dim.Render(strings.Repeat("-", w)))
	}
	var before []interview.Question
	width := 0
	for _, q := range interview.Questions() {
		answered := m.iv.Done(q.ID) && m.iv.Open(q) || q.ID == interview.PasswordID && m.iv.SignedIn != "" && m.iv.Done(q.ID)
		if q.ID != m.ask.q.ID && q.Step == m.ask.q.Step && answered {
			before = append(before, q)
			width = max(width, len(q.Title))
		}
	}
	for _, q := range before {
		lines = append(lines, clip(m.st.good.Render("ok")+"  "+pad(q.Title, width)+"   "+m.shownAnswer(q), w))
	}
	return lines
}

// shownAnswer is an answer as people read it.
func (m *model) shownAnswer(q interview.Question) string {
	if q.ScreenKind() == interview.Password {
		return "accepted"
	}
	return interview.OptionLabel(q, m.iv.Prefill(q))
}

func (m *model) questionLines(w int) []string {
	q := m.ask.q
	lines := wrap(q.Why, min(w, maxText))
	lines = append(lines, wrap(m.o.Notes[q.ID], min(w, maxText))...)
	lines = append(lines, "", m.st.bold.Render(q.Title))
	lines = append(lines, m.ask.field.lines()...)
	switch {
	case m.ask.signingIn:
		lines = append(lines, m.spinner()+"signing in as "+m.iv.Answers.AdminUser)
	case m.ask.invalid != "":
		for i, l := range wrap(m.ask.invalid, w-4) {
			lead := "    "
			if i == 0 {
				lead = m.st.mark(problem.Fail) + "  "
			}
			lines = append(lines, lead+m.st.fail.Render(l))
		}
	case m.ask.choices != "":
		for _, l := range wrap(m.ask.choices, w) {
			lines = append(lines, m.st.dim.Render(l))
		}
	default:
		if q.ID == interview.PasswordID {
			lines = append(lines, m.st.dim.Render("for "+m.iv.Answers.AdminUser+" at "+m.signInAt()))
		} else if src := m.sourceLine(); src != "" {
			for _, l := range wrap(src, w) {
				lines = append(lines, m.st.dim.Render(l))
			}
		}
	}
	return lines
}

// sourceLine says where the text in the field comes from, or what it replaces.
func (m *model) sourceLine() string {
	a := &m.ask
	src := m.iv.Source(a.q)
	if len(a.q.Selectable()) > 0 {
		return strings.TrimSuffix(src, "default") // it stands there by itself
	}
	if a.prefill == "" {
		return ""
	}
	if a.field.fresh {
		if src != "" {
			src += ". "
		}
		return src + "Typing replaces it, the arrow keys edit it."
	}
	if a.field.text == a.prefill {
		return src
	}
	if a.q.Because != nil {
		if why := a.q.Because(m.iv.Facts, a.candidate); why != "" {
			return why
		}
	}
	if src != "" {
		src = " (" + src + ")"
	}
	return "instead of " + a.prefill + src
}

func (m *model) signInAt() string {
	if m.iv.Facts.Instance.Base != "" {
		return m.iv.Facts.Instance.Base
	}
	return m.iv.Answers.Upstream
}
