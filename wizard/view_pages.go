package wizard

import (
	"errors"
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"bitgate/internal/problem"
	"bitgate/interview"
)

// welcomeView tells what bitgate is about to do and what it found.
func (m *model) welcomeView(w, h int) []string {
	intro := wrap("bitgate puts this Bitbucket behind HTTPS, step by step as Atlassian's page \"Securing Bitbucket behind HAProxy using SSL\" has it. It reads first, then asks, shows every change, and does nothing before you type the word apply.", min(w, maxText))
	if !m.iv.Known {
		return stack(h, block{intro, 1}, block{[]string{m.spinner() + " looking at this machine"}, 1})
	}
	f := m.iv.Facts
	found := m.foundBlock(w, true)
	var notes []string
	for _, n := range interview.WorthSaying(f.Findings) {
		notes = append(notes, m.st.findingLines(n, w)...)
	}
	next := m.nextLines(w)
	if len(intro)+len(found)+len(next)+len(notes)+3 > h {
		found = m.foundBlock(w, false)
	}
	return stack(h, block{intro, 1}, block{found, 1}, block{next, 1}, block{notes, 1})
}

// foundBlock lists what was found and, where there is room, its source: beside
// it, or else on a line of its own if sources says so.
func (m *model) foundBlock(w int, sources bool) []string {
	found := []string{m.st.bold.Render("Found on this machine")}
	for _, l := range interview.FoundLines(m.iv.Facts, m.iv.Answers) {
		source := ""
		if l.Source != "" {
			source = interview.Origin(m.iv.Facts, l.Source)
		}
		beside := ansi.StringWidth(l.Value)+3+ansi.StringWidth(source) <= w-18
		for i, part := range wrap(l.Value, w-18) {
			lead := pad("", 18)
			if i == 0 {
				lead = m.st.mark(l.Level) + "  " + pad(l.Label, 13) + " "
			}
			if beside && source != "" {
				part += "   " + m.st.dim.Render(source)
			}
			found = append(found, lead+part)
		}
		if !beside && sources {
			for _, part := range wrap(source, w-18) {
				found = append(found, pad("", 18)+m.st.dim.Render(part))
			}
		}
	}
	if m.looking {
		found = append(found, m.spinner()+" looking again")
	}
	return found
}

// nextLines say what Enter leads to.
func (m *model) nextLines(w int) []string {
	if run := m.iv.Facts.OpenRun; run != "" {
		return m.st.findingLines(problem.Finding{Level: problem.Fail, Found: "run " + run + " was interrupted and is still open", Do: "bitgate recover"}, w)
	}
	q, ok := m.iv.Resume()
	if !ok {
		return []string{"Every question is answered. Enter goes to the review."}
	}
	text := "Enter starts with step " + fmt.Sprint(interview.StepNumber(q.Step)) + ", " + strings.ToLower(interview.StepTitle(q.Step, m.iv.Answers)[:1]) + interview.StepTitle(q.Step, m.iv.Answers)[1:] + "."
	switch resumed := m.o.Resumed; {
	case resumed.When != "" && len(resumed.Answered) > 0:
		text = fmt.Sprintf("This goes on where you left it (%s). Enter goes on with: %s. Esc leads back to what was answered.", resumed.When, strings.ToLower(q.Title[:1])+q.Title[1:])
	case interview.StepNumber(q.Step) == 0:
		text = "Enter starts with what could not be found."
	case interview.StepNumber(q.Step) > 1 || m.iv.OutsideAnswers() > 0:
		text = fmt.Sprintf("%d answers are given already. Enter goes on with: %s.", m.iv.OutsideAnswers(), strings.ToLower(q.Title[:1])+q.Title[1:])
	}
	return wrap(text, w)
}

// errorView shows an error with its reason and its remedy.
func (m *model) errorView(w int) []string {
	lines := []string{m.st.mark(problem.Fail) + "  " + m.st.bold.Render("This cannot go on yet"), ""}
	return append(lines, m.problemLines(m.trouble, w)...)
}

func (m *model) problemLines(err error, w int) []string {
	w = min(w, maxText)
	var p *problem.Error
	if !errors.As(err, &p) {
		return wrap(err.Error(), w)
	}
	lines := wrap(p.Error(), w)
	if p.Why != "" {
		lines = append(append(lines, ""), wrap(p.Why, w)...)
	}
	if p.Do != "" {
		lines = append(lines, "", m.st.bold.Render("What to do"))
		lines = append(lines, wrap(p.Do, w)...)
	}
	return lines
}

func (m *model) quitView(w int) []string {
	lines := []string{m.st.bold.Render("Quit bitgate?"), "", "Nothing was changed on this server."}
	if m.page == pageApply || m.page == pageResult {
		lines[2] = m.changed()
	}
	if m.b.SaveDraft != nil && m.page == pageAsk {
		lines = append(lines, wrap("The answers given so far are kept, without secrets; the next bitgate setup goes on from here.", min(w, maxText))...)
	}
	return lines
}
