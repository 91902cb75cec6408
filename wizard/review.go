package wizard

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/interview"
	"bitgate/setup"
)

// reviewScreen is the plan before consent: a tab for every file, then what is
// no file, and the consent line.
type reviewScreen struct {
	plan      setup.Plan
	tabs      []interview.Tab
	at        int
	scroll    scroller
	signs     string            // of the lines before they were wrapped
	findings  []problem.Finding // of CheckPlan
	proving   bool
	proofs    int // number of the last CheckPlan
	query     string
	searching bool
	note      string
	consent   consent
}

type (
	provenMsg struct {
		number   int
		findings []problem.Finding
		err      error
	}
	savedMsg struct {
		path   string
		err    error
		script bool
	}
	pagerMsg struct{ err error }
)

// enterReview builds the plan and starts its checks, once nothing is being
// looked at and no question is open.
func (m *model) enterReview() tea.Cmd {
	m.page, m.over = pageReview, noOverlay
	if m.looking {
		m.review = reviewScreen{proofs: m.review.proofs, proving: true}
		return m.startSpinner()
	}
	if q, ok := m.iv.Resume(); ok {
		return m.enterQuestion(q, false)
	}
	plan, diffs, err := m.iv.FinishedPlan()
	if err != nil {
		return m.fail(err)
	}
	m.review = reviewScreen{plan: plan, proofs: m.review.proofs + 1}
	m.out.Plan = plan
	m.review.tabs = interview.Tabs(plan, diffs, m.iv)
	m.showTab(0)
	if m.b.CheckPlan == nil || plan.Empty() {
		return nil
	}
	m.review.proving = true
	number, facts := m.review.proofs, m.iv.Facts
	return tea.Batch(m.startSpinner(), func() tea.Msg {
		findings, err := m.b.CheckPlan(m.ctx, facts, plan)
		return provenMsg{number, findings, err}
	})
}

func (m *model) proven(msg provenMsg) {
	r := &m.review
	if msg.number != r.proofs {
		return
	}
	r.proving, r.note = false, "" // which may say that it is being checked
	r.findings = msg.findings
	if msg.err != nil {
		r.findings = append(r.findings, problem.Finding{ID: "plan", Level: problem.Fail, Found: problemLine(msg.err)})
	}
	for i, t := range r.tabs {
		if t.Title == interview.ChecksTab {
			r.tabs[i].Lines = interview.ChecksText(r.plan, r.findings)
			if r.at == i {
				m.showTab(i)
			} else if interview.Failures(r.findings) > 0 && r.scroll.top == 0 && !r.consent.open {
				m.showTab(i) // what forbids apply must not hide in a tab
			}
		}
	}
}

func (m *model) showTab(i int) {
	r := &m.review
	r.at = (i + len(r.tabs)) % len(r.tabs)
	var lines []string
	r.signs = ""
	for _, l := range r.tabs[r.at].Lines {
		parts := m.reviewWrap(r.tabs[r.at], l)
		lines = append(lines, parts...)
		r.signs += strings.Repeat(sign(l), len(parts))
	}
	r.scroll.set(lines)
}

// rewrapReview follows a new width.
func (m *model) rewrapReview() {
	if len(m.review.tabs) == 0 {
		return
	}
	top := m.review.scroll.top
	m.showTab(m.review.at)
	m.review.scroll.top = top
	m.review.scroll.clamp(m.reviewHeight())
}

// reviewWrap breaks a line of a diff anywhere and other text between words,
// which then goes on under its beginning.
func (m *model) reviewWrap(t interview.Tab, line string) []string {
	w := m.w - 4
	header := strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "+++ ")
	if t.Diff && !header && strings.Trim(sign(line), "+-@ ") == "" || t.Title == interview.CommandTab {
		return hangWrap(line, w)
	}
	under := hanging(line)
	parts := wrap(line[under:], w-under)
	if len(parts) == 0 {
		return []string{line}
	}
	for i := range parts {
		if i == 0 {
			parts[i] = line[:under] + parts[i]
		} else {
			parts[i] = strings.Repeat(" ", under) + parts[i]
		}
	}
	return parts
}

// hanging is the column at which the text of a line starts: behind blanks and
// behind a mark or a label that two blanks set off.
func hanging(line string) int {
	text := strings.TrimLeft(line, " ")
	start := len(line) - len(text)
	if gap := strings.Index(text, "  "); gap > 0 && gap <= 8 {
		return start + gap + len(text[gap:]) - len(strings.TrimLeft(text[gap:], " "))
	}
	return start
}

// sign is the first byte of a diff's line, also of an empty one.
func sign(line string) string {
	if line == "" {
		return " "
	}
	if strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "+++ ") {
		return "@"
	}
	if line[0] >= 0x80 {
		return "?"
	}
	return line[:1]
}

func (m *model) reviewHeight() int { return max(m.h-4-6, 3) }

func (m *model) reviewKey(msg tea.KeyMsg) tea.Cmd {
	r := &m.review
	name := msg.String()
	if len(r.tabs) == 0 { // still looking
		if name == "esc" {
			return m.backFromReview()
		}
		return nil
	}
	if r.consent.open {
		return m.consentKey(msg)
	}
	if r.searching {
		m.searchKey(msg)
		return nil
	}
	r.note = ""
	if r.scroll.key(name, m.reviewHeight()) {
		return nil
	}
	switch name {
	case "]", "tab", "right", "l":
		m.showTab(r.at + 1)
	case "[", "shift+tab", "left", "h":
		m.showTab(r.at - 1)
	case "/":
		r.searching, r.query = true, ""
	case "n":
		m.search(1)
	case "N":
		m.search(-1)
	case "a":
		return m.openConsent()
	case "enter":
		if r.plan.Empty() {
			return m.verifyOnly()
		}
		r.note = "enter changes nothing here; a opens the consent line"
	case "q":
		m.over = overQuit
	case "s":
		return m.savePlan()
	case "$":
		return m.openPager()
	case "e":
		m.openAnswers()
	case "esc":
		return m.backFromReview()
	}
	return nil
}

func (m *model) backFromReview() tea.Cmd {
	if q, ok := m.iv.Previous(""); ok {
		return m.enterQuestion(q, false)
	}
	m.page = pageWelcome
	return nil
}

func (m *model) savePlan() tea.Cmd {
	if m.review.tabs[m.review.at].Title == interview.CommandTab && m.b.SaveScript != nil {
		script, save := interview.ScriptText(m.iv), m.b.SaveScript
		return func() tea.Msg {
			path, err := save(script)
			return savedMsg{path: path, err: err, script: true}
		}
	}
	if m.b.SavePlan == nil {
		return nil
	}
	plan, save := m.review.plan, m.b.SavePlan
	return func() tea.Msg {
		path, err := save(plan)
		return savedMsg{path: path, err: err}
	}
}

func (r *reviewScreen) saved(msg savedMsg) {
	r.note = "saved as " + msg.path + "; bitgate apply " + msg.path + " does the same without questions"
	if msg.script {
		r.note = "saved as " + msg.path + "; it does the same without questions"
	}
	if msg.err != nil {
		r.note = errorText(msg.err)
	}
}
