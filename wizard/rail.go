package wizard

import (
	"path"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"bitgate/internal/problem"
	"bitgate/interview"
	"bitgate/setup"
)

// changed says how far the server has been touched.
func (m *model) changed() string {
	switch {
	case m.page == pageApply && m.run.stopping:
		return "taking back what was done"
	case m.page == pageApply && m.run.active:
		return "changing this server"
	case m.page == pageApply, m.page == pageResult:
		return m.run.state()
	}
	if run := m.iv.Facts.OpenRun; run != "" {
		return "run " + run + " is not settled"
	}
	return "nothing has been changed yet"
}

func (m *model) frame() frame {
	return frame{style: m.st, w: m.w, h: m.h, what: m.what(), status: m.changed(), rail: m.rail(), keys: m.footerKeys()}
}

// body is the room for a screen.
func (m *model) body() (w, h int) {
	return frame{w: m.w, h: m.h, rail: m.rail()}.body()
}

func (m *model) what() string {
	switch m.page {
	case pageReview:
		if len(m.review.tabs) > 0 {
			return "Review: " + interview.PlanSummary(m.review.plan)
		}
		return "Review"
	case pageApply:
		return "Apply"
	case pageResult:
		return "Result"
	}
	text := interview.Headline(m.iv.Facts, m.iv.Answers)
	if ansi.StringWidth(text)+len(m.changed())+len(" bitgate   ")+2 > m.w {
		text, _, _ = strings.Cut(text, " behind ")
	}
	return text
}

// rail shows the documented steps; the review and what follows use the whole width.
func (m *model) rail() []railItem {
	if m.page != pageAsk && m.page != pageWelcome || m.over == overAnswers {
		return nil
	}
	current := interview.StepBitbucket
	if m.page == pageAsk {
		current = m.ask.q.Step
	}
	ids := append(append([]string{interview.StepBitbucket}, interview.Steps...), interview.StepReview)
	var out []railItem
	for _, id := range ids {
		it := railItem{number: interview.StepNumber(id), title: interview.StepTitle(id, m.iv.Answers), now: id == current}
		if !it.now {
			it.mark, it.detail = m.stepState(id)
		}
		out = append(out, it)
	}
	return out
}

// stepState is a step's mark and the answer that sums it up.
func (m *model) stepState(id string) (mark, detail string) {
	a := m.iv.Answers
	if a.Skips(id) {
		return "-", "left out"
	}
	if !m.stepDone(id) {
		return "", ""
	}
	switch id {
	case interview.StepBitbucket:
		detail = a.Version
	case setup.StepContextPath:
		detail = interview.SpellPath(a.URL.TomcatPath())
	case setup.StepBaseURL:
		detail = map[string]string{setup.Manual: "by hand", setup.MethodSkip: "left as it is"}[a.BaseURLMethod]
		if m.iv.SignedIn != "" {
			detail = "signed in as " + m.iv.SignedIn
		}
	case setup.StepConnector:
		detail = strings.TrimPrefix(a.Upstream, "http://")
	case setup.StepHAProxy:
		detail = certificateFrom(a)
	case setup.StepSSH:
		detail = "not forwarded"
		if interview.ForwardsSSH(a) {
			detail = a.SSHListen
		}
	}
	mark = "ok"
	for _, q := range interview.Questions() {
		if q.Step == id && m.failedCheck(q.ID) {
			mark = "!"
		}
	}
	return mark, detail
}

// certificateFrom is where the certificate comes from in a word or two.
func certificateFrom(a setup.Answers) string {
	switch file := a.Cert + a.PEM; {
	case file != "":
		return path.Base(file)
	case a.Orders():
		return "ordered"
	case a.CertSource == setup.SourceRequest:
		return "requested"
	case a.CertSource == setup.SourceBitbucket:
		return "as Bitbucket serves"
	}
	return ""
}

func (m *model) failedCheck(id string) bool {
	return len(problem.Failures(m.checks[id].findings)) > 0
}

// stepDone reports whether no open question of the step is left.
func (m *model) stepDone(id string) bool {
	if id == interview.StepReview || !m.iv.Known || m.page == pageWelcome {
		return false
	}
	return !slices.ContainsFunc(interview.Questions(), func(q interview.Question) bool { return q.Step == id && m.iv.Open(q) && !m.iv.Done(q.ID) })
}

func (m *model) footerKeys() []string {
	switch {
	case m.over == overQuit:
		return []string{"enter quit", "esc stay"}
	case m.over == overAnswers:
		return []string{"enter change", "up/down choose", "esc back"}
	case m.over != noOverlay:
		return []string{"esc back", "up/down scroll", "ctrl+c quit"}
	}
	return m.pageKeys()
}

// pageKeys are those of the page below any overlay.
func (m *model) pageKeys() []string {
	switch m.page {
	case pageWelcome:
		keys := []string{"enter next", "r look again", "e answers"}
		if m.o.Last.SetUp() && m.iv.Facts.OpenRun == "" {
			keys = append(keys, "v verify", "u undo")
		}
		return append(keys, "? help", "ctrl+c quit")
	case pageAsk:
		help := "? help"
		if m.ask.q.Literal() {
			help = "f1 help"
		}
		if m.ask.signingIn {
			return []string{"ctrl+c quit"}
		}
		return []string{"enter next", "esc back", m.ask.tabHelp(), help, "ctrl+c quit"}
	case pageReview:
		return m.review.keys()
	case pageApply:
		return m.run.keys()
	case pageResult:
		keys := []string{"enter finish", "up/down scroll"}
		if canServe(m.b, m.out) {
			keys = append(keys, "s serve now")
		}
		return keys
	}
	keys := []string{"r look again"}
	if q, ok := interview.AtFault(m.trouble.err); ok && m.iv.Known {
		keys = append([]string{"enter change: " + lowerFirst(q.Title)}, keys...)
	}
	if m.iv.Known {
		keys = append(keys, "esc back", "e answers")
	}
	return append(keys, "ctrl+c quit")
}

// lowerFirst is a title within a sentence.
func lowerFirst(title string) string { return strings.ToLower(title[:1]) + title[1:] }
