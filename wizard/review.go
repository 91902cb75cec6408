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
	*shell
	plan      setup.Plan
	tabs      []interview.Tab
	at        int
	text      pager
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

// enter builds the plan and starts its checks, once nothing is being looked at
// and no question is open.
func (s *reviewScreen) enter() tea.Cmd {
	if s.looking {
		*s = reviewScreen{shell: s.shell, proofs: s.proofs + 1, proving: true}
		return s.startSpinner()
	}
	if q, ok := s.iv.Resume(); ok {
		return s.showQuestion(q, false)
	}
	plan, diffs, err := s.iv.FinishedPlan()
	if err != nil {
		return s.fail(err)
	}
	*s = reviewScreen{shell: s.shell, plan: plan, proofs: s.proofs + 1, tabs: interview.Tabs(plan, diffs, s.iv)}
	for i, t := range s.tabs {
		if t.Title == interview.ChecksTab || t.Title == interview.CommandTab {
			s.tabs[i].Lines = s.st.spell.Texts(t.Lines)
		}
	}
	s.out.Plan = plan
	s.showTab(0)
	if s.b.CheckPlan == nil || plan.Empty() {
		return nil
	}
	s.proving = true
	ctx, check, number, facts := s.ctx, s.b.CheckPlan, s.proofs, s.iv.Facts
	return tea.Batch(s.startSpinner(), func() tea.Msg {
		findings, err := check(ctx, facts, plan)
		return provenMsg{number, findings, err}
	})
}

// lookAgain makes the plan and its checks from what is so now.
func (s *reviewScreen) lookAgain() tea.Cmd {
	cmd := s.look()
	return tea.Batch(cmd, s.enter())
}

func (s *reviewScreen) proven(msg provenMsg) {
	if msg.number != s.proofs {
		return
	}
	s.proving, s.note = false, "" // which may say that it is being checked
	s.findings = msg.findings
	if msg.err != nil {
		s.findings = append(s.findings, problem.Finding{ID: "plan", Level: problem.Fail, Found: s.st.problemLine(msg.err)})
	}
	for i, t := range s.tabs {
		if t.Title == interview.ChecksTab {
			s.tabs[i].Lines = s.st.spell.Texts(interview.ChecksText(s.plan, s.findings))
			if s.at == i {
				s.showTab(i)
			} else if len(problem.Failures(s.findings)) > 0 && s.text.top() == 0 && !s.consent.open {
				s.showTab(i) // what forbids apply must not hide in a tab
			}
		}
	}
}

func (s *reviewScreen) showTab(i int) {
	s.at = (i + len(s.tabs)) % len(s.tabs)
	var lines []string
	s.signs = ""
	for _, l := range s.tabs[s.at].Lines {
		parts := s.wrapLine(s.tabs[s.at], foldLists(l))
		lines = append(lines, parts...)
		s.signs += strings.Repeat(sign(l), len(parts))
	}
	s.text.set(lines)
}

// rewrap follows a new width.
func (s *reviewScreen) rewrap() {
	if len(s.tabs) == 0 {
		return
	}
	top := s.text.top()
	s.showTab(s.at)
	s.text.moveTo(top)
	s.text.clamp(s.height())
}

// wrapLine breaks a line of a diff anywhere and other text between words,
// which then goes on under its beginning.
func (s *reviewScreen) wrapLine(t interview.Tab, line string) []string {
	w := s.w - 4
	header := strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "+++ ")
	if t.Diff && !header && strings.Trim(sign(line), "+-@ ") == "" || t.Title == interview.CommandTab {
		return hangWrap(line, w)
	}
	under := hanging(line)
	if parts := wrap(line[under:], w-under); len(parts) > 0 {
		return behind(line[:under], parts)
	}
	return []string{line}
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

// height is what the frame, the tabs and the lines below leave for a file; those are
// three, and more where a rehearsal is told of.
func (s *reviewScreen) height() int {
	foot := 3
	if len(s.tabs) > 0 && !s.consent.open && !s.searching {
		foot = max(foot, len(s.foot(s.w-2)))
	}
	return max(s.h-7-foot, 3)
}

func (s *reviewScreen) key(msg tea.KeyMsg) tea.Cmd {
	name := msg.String()
	if len(s.tabs) == 0 { // still looking
		if name == "esc" {
			return s.showBefore("")
		}
		return nil
	}
	if s.consent.open {
		return s.consentKey(msg)
	}
	if s.searching {
		s.searchKey(msg)
		return nil
	}
	s.note = ""
	if s.text.key(msg, s.height()) {
		return nil
	}
	switch name {
	case "]", "tab", "right", "l":
		s.showTab(s.at + 1)
	case "[", "shift+tab", "left", "h":
		s.showTab(s.at - 1)
	case "/":
		s.searching, s.query = true, ""
	case "n":
		s.search(1)
	case "N":
		s.search(-1)
	case "a":
		return s.openConsent()
	case "r":
		return s.lookAgain()
	case "enter":
		if s.plan.Empty() {
			return s.showVerify(s.plan)
		}
		s.note = "enter changes nothing here; a opens the consent line"
		if len(s.failures()) > 0 {
			s.note = "enter changes nothing here; r looks again"
		}
	case "q":
		s.askToQuit()
	case "s":
		return s.savePlan()
	case "$":
		return s.openPager()
	case "e":
		s.showAnswers()
	case "esc":
		return s.showBefore("")
	}
	return nil
}

func (s *reviewScreen) savePlan() tea.Cmd {
	if s.tabs[s.at].Title == interview.CommandTab && s.b.SaveScript != nil {
		script, save := interview.ScriptText(s.iv, s.st.spell), s.b.SaveScript
		return func() tea.Msg {
			path, err := save(script)
			return savedMsg{path: path, err: err, script: true}
		}
	}
	if s.b.SavePlan == nil {
		return nil
	}
	plan, save := s.plan, s.b.SavePlan
	return func() tea.Msg {
		path, err := save(plan)
		return savedMsg{path: path, err: err}
	}
}

func (s *reviewScreen) saved(msg savedMsg) {
	s.note = "saved as " + msg.path + "; " + s.st.spell.Text("bitgate apply "+msg.path) + " does the same without questions"
	if msg.script {
		s.note = "saved as " + msg.path + "; it does the same without questions"
	}
	if msg.err != nil {
		s.note = s.st.errorText(msg.err)
	}
}
