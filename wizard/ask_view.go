package wizard

import (
	"cmp"
	"strings"

	"github.com/charmbracelet/x/ansi"

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
func (s *askScreen) view(w, h int) []string {
	text, beside := s.columns()
	left := s.questionColumn(text, h)
	if beside == 0 {
		if room := h - len(left) - 1; room >= 3 {
			if preview := s.previewLines(text, room); len(preview) > 0 {
				left = append(append(left, ""), preview...)
			}
		}
		return left
	}
	right := s.previewLines(beside, h-2)
	var out []string
	for i := range h {
		out = append(out, pad(clip(lineAt(left, i), text), text)+"   "+clip(lineAt(right, i-2), beside))
	}
	return out
}

// questionColumn is the question with what is known about it. Where room is
// short the answers before it go first.
func (s *askScreen) questionColumn(w, h int) []string {
	head, question := s.stepHeading(w), s.questionLines(w, h)
	checks, advice := s.checkLines(w), s.st.findingLines(w, s.advice...)
	if len(head)+len(question)+len(checks)+len(advice)+3 > h {
		head = head[:min(len(head), s.headingLines())]
	}
	return stack(h, block{head, 1}, block{question, 1}, block{checks, 1}, block{advice, 2})
}

// headingLines are the lines of the heading itself.
func (s *askScreen) headingLines() int {
	if s.w >= railFrom {
		return 2
	}
	return 0
}

// columns are the widths of the question and of the preview beside it, 0 for below.
func (s *askScreen) columns() (text, beside int) {
	w, _ := s.body()
	if s.w < besideFrom {
		return w, 0
	}
	text = min(w*11/20, maxText)
	return text, w - text - 3
}

func (s *askScreen) fieldWidth() int {
	text, _ := s.columns()
	return min(text, maxText)
}

// stepHeading names the step and what was answered in it so far.
func (s *askScreen) stepHeading(w int) []string {
	var lines []string
	if s.w >= railFrom {
		name := interview.StepTitle(s.q.Step, s.iv.Answers)
		if n := interview.StepNumber(s.q.Step); n > 0 {
			name = s.st.dim.Render(interview.StepOf(n)+"   ") + s.st.bold.Render(strings.TrimSuffix(name, " (optional)"))
		}
		lines = append(lines, name, s.st.dim.Render(strings.Repeat("-", w)))
	}
	var before []interview.Question
	width := 0
	for _, q := range interview.Questions() {
		answered := s.iv.Done(q.ID) && s.iv.Open(q) || q.ID == interview.PasswordID && s.iv.SignedIn != "" && s.iv.Done(q.ID) || q.ID == interview.CertPasswordID && s.iv.Done(q.ID)
		if q.ID != s.q.ID && q.Step == s.q.Step && answered {
			before = append(before, q)
			width = max(width, len(q.Title))
		}
	}
	for _, q := range before {
		answer := s.shownAnswer(q)
		if width+7+ansi.StringWidth(answer) > w && len(q.Selectable()) > 0 {
			answer, _, _ = strings.Cut(answer, ", ") // the name without what is said of it
		}
		lines = append(lines, clip(s.st.good.Render("ok")+"  "+pad(q.Title, width)+"   "+answer, w))
	}
	return lines
}

// shownAnswer is an answer as people read it.
func (s *askScreen) shownAnswer(q interview.Question) string {
	if q.ScreenKind() == interview.Password {
		return "accepted"
	}
	return interview.OptionLabel(q, s.iv.Prefill(q))
}

// questionLines are the question, its field and what is said of the answer. Where h
// lines are not enough for why an answer was refused, what is asked for gives way.
func (s *askScreen) questionLines(w, h int) []string {
	why := append(wrapText(s.q.Why, min(w, maxText)), wrapText(s.o.Notes[s.q.ID], min(w, maxText))...)
	lines := s.fieldLines(w)
	if room := h - len(lines) - 1; s.invalid != "" && room < len(why) {
		if room <= 0 {
			return lines
		}
		why = append(why[:room-1:room-1], clip(why[room-1]+" …", w))
	}
	return append(append(why, ""), lines...)
}

// fieldLines are the field with its title and what is said of the answer.
func (s *askScreen) fieldLines(w int) []string {
	q := s.q
	lines := append([]string{s.st.bold.Render(q.Title)}, s.field.lines()...)
	switch {
	case s.signingIn:
		lines = append(lines, s.spinner()+"signing in as "+s.iv.Answers.AdminUser)
	case s.unlocking:
		lines = append(lines, s.spinner()+"opening "+s.iv.Answers.Cert+s.iv.Answers.PEM)
	case s.fetching:
		lines = append(lines, s.spinner()+"fetching "+s.iv.Facts.Certificate.Missing)
	case s.judging && (q.ScreenKind() == interview.Password || q.ID == interview.FetchChainID):
		lines = append(lines, s.spinner()+"looking at "+s.iv.Answers.Cert+s.iv.Answers.PEM)
	case s.judging:
		lines = append(lines, s.spinner()+"looking at "+s.field.text)
	case s.invalid != "":
		for i, l := range wrapText(s.invalid, w-4) {
			lead := "    "
			if i == 0 {
				lead = s.st.mark(problem.Fail) + "  "
			}
			lines = append(lines, lead+s.st.fail.Render(l))
		}
	case s.choices != "":
		for _, l := range wrapText(s.choices, w) {
			lines = append(lines, s.st.dim.Render(l))
		}
	default:
		if q.ID == interview.PasswordID {
			lines = append(lines, s.st.dim.Render("for "+s.iv.Answers.AdminUser+" at "+cmp.Or(s.iv.Facts.Instance.Base, s.iv.Answers.Upstream)))
		} else if src := s.sourceLine(); src != "" {
			for _, l := range wrapText(src, w) {
				lines = append(lines, s.st.dim.Render(l))
			}
		}
	}
	return lines
}

// sourceLine says where the text in the field comes from, or what it replaces.
func (s *askScreen) sourceLine() string {
	src := s.iv.Source(s.q)
	if s.field.types() {
		return strings.TrimSuffix("or type another, "+s.q.Hint(), ", ")
	}
	if len(s.q.Selectable()) > 0 {
		return strings.TrimSuffix(src, "default") // it stands there by itself
	}
	if s.prefill == "" {
		return ""
	}
	if s.field.fresh {
		if src != "" {
			src += ". "
		}
		return src + "Typing replaces it, the arrow keys edit it."
	}
	if s.field.text == s.prefill {
		return src
	}
	if s.q.Because != nil && !s.unusable {
		if why := s.q.Because(s.iv.Facts, s.candidate); why != "" {
			return why
		}
	}
	if src != "" {
		src = " (" + src + ")"
	}
	return "instead of " + s.prefill + src
}
