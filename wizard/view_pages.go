package wizard

import (
	"errors"
	"fmt"
	"strings"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// welcomeView tells what bitgate is about to do and what it found.
func (m *model) welcomeView(w, h int) []string {
	intro := wrap("bitgate puts this Bitbucket behind HTTPS, step by step as Atlassian's page \"Securing Bitbucket behind HAProxy using SSL\" has it. It reads first, then asks, shows every change, and does nothing before you type the word apply.", min(w, maxText))
	if !m.iv.known {
		return stack(h, block{intro, 1}, block{[]string{m.spinner() + " looking at this machine"}, 1})
	}
	f := m.iv.facts
	found := m.foundBlock(w, true)
	var notes []string
	for _, n := range worthSaying(f.Findings) {
		notes = append(notes, m.st.findingLines(n, w)...)
	}
	next := m.nextLines(w)
	if len(intro)+len(found)+len(next)+len(notes)+3 > h {
		found = m.foundBlock(w, false)
	}
	return stack(h, block{intro, 1}, block{found, 1}, block{next, 1}, block{notes, 1})
}

// foundBlock lists what was found, with its sources where there is room.
func (m *model) foundBlock(w int, sources bool) []string {
	found := []string{m.st.bold.Render("Found on this machine")}
	for _, l := range foundLines(m.iv.facts, m.iv.answers) {
		found = append(found, clip(m.st.mark(l.level)+"  "+pad(l.label, 13)+" "+l.value, w))
		if l.source != "" && sources {
			found = append(found, "    "+pad("", 14)+m.st.dim.Render(clip("from "+strings.TrimPrefix(l.source, "from "), w-18)))
		}
	}
	if m.looking {
		found = append(found, m.spinner()+" looking again")
	}
	return found
}

// nextLines say what Enter leads to.
func (m *model) nextLines(w int) []string {
	if run := m.iv.facts.OpenRun; run != "" {
		return m.st.findingLines(setup.Finding{Level: setup.Fail, Seen: "run " + run + " was interrupted and is still open", Do: "bitgate recover"}, w)
	}
	q, ok := m.iv.resume()
	if !ok {
		return []string{"Every question is answered. Enter goes to the review."}
	}
	text := "Enter starts with step " + fmt.Sprint(stepNumber(q.Step)) + ", " + strings.ToLower(stepTitle(q.Step, m.iv.answers)[:1]) + stepTitle(q.Step, m.iv.answers)[1:] + "."
	switch {
	case stepNumber(q.Step) == 0:
		text = "Enter starts with what could not be found."
	case stepNumber(q.Step) > 1 || m.iv.outsideAnswers() > 0:
		text = fmt.Sprintf("%d answers are given already. Enter goes on with: %s.", m.iv.outsideAnswers(), strings.ToLower(q.Title[:1])+q.Title[1:])
	}
	return wrap(text, w)
}

// outsideAnswers counts what a flag, a file or the environment has answered.
func (iv *interview) outsideAnswers() int {
	n := 0
	for _, src := range iv.given {
		switch src.From {
		case setup.FromFlag, setup.FromEnv, setup.FromFile:
			n++
		}
	}
	return n
}

// errorView shows an error with its reason and its remedy.
func (m *model) errorView(w int) []string {
	lines := []string{m.st.mark(setup.Fail) + "  " + m.st.bold.Render("This cannot go on yet"), ""}
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
	step := StepBitbucket
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
		step = StepReview
	}
	add("Worth knowing", considerations(step)...)
	add("Keys", keyHelp(m.page)...)
	m.over = overHelp
	m.view.set(lines)
}

func keyHelp(p page) []string {
	switch p {
	case pageReview:
		return []string{"a            opens the consent line; only the word apply and Enter count", "[ ] tab      file before, next file", "up down pgup pgdn home end   scroll",
			"/ n N        search, next, previous", "$            show in your pager", "s            save the plan to a file", "e            all answers, to change one", "esc          back to the questions"}
	case pageApply:
		return []string{"l            the log", "ctrl+c       take back what was done"}
	}
	return []string{"enter            next", "esc, shift+tab   the question before", "tab              the whole preview", "y n              in a yes or no question",
		"? or f1          this help (f1 where ? can be typed)", "ctrl+c           quit; nothing is changed"}
}

// openPreview shows the whole change of the step.
func (m *model) openPreview() {
	w, _ := m.frame().body()
	p := m.ask.preview
	lines := []string{m.st.bold.Render("Preview  ") + p.title, ""}
	if p.title == "" {
		lines = wrap("There is no preview yet: it is made from the same plan that apply uses, and that needs the public URL and an answer that is valid.", min(w, maxText))
	}
	for _, l := range p.lines {
		for _, part := range hardWrap(l, w) {
			lines = append(lines, m.st.diffLine(part))
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
