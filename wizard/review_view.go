package wizard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"bitgate/internal/problem"
	"bitgate/interview"
)

// reviewView: tabs, the diff, what the services do, and the consent line.
func (s *reviewScreen) view(w, h int) []string {
	if len(s.tabs) == 0 {
		return []string{s.spinner() + " looking at the files you named"}
	}
	bodyH := s.height()
	lines := []string{s.tabLine(w)}
	rule := s.st.dim.Render(strings.Repeat("-", w))
	lines = append(lines, rule)
	t := s.tabs[s.at]
	top := min(s.text.top(), max(len(s.text.lines)-1, 0))
	visible := s.text.lines[top:min(top+bodyH, len(s.text.lines))]
	for i, l := range visible {
		lines = append(lines, " "+s.line(t, s.signs[top+i:top+i+1], l))
	}
	for len(lines) < bodyH+2 {
		lines = append(lines, "")
	}
	more := s.text.more(bodyH)
	if more != "" {
		rule = s.st.dim.Render(strings.Repeat("-", max(w-len(more)-2, 1)) + " " + more)
	}
	lines = append(lines, rule)
	lines = append(lines, s.foot(w)...)
	return lines[:min(len(lines), h)]
}

// reviewLine colours a line and marks the searched text.
func (s *reviewScreen) line(t interview.Tab, sign, line string) string {
	if q := s.query; q != "" && !s.searching {
		if i := strings.Index(strings.ToLower(line), strings.ToLower(q)); i >= 0 && i+len(q) <= len(line) {
			return line[:i] + s.st.accent.Bold(true).Underline(true).Render(line[i:i+len(q)]) + line[i+len(q):]
		}
	}
	if t.Diff {
		return s.st.signed(sign, line)
	}
	switch {
	case strings.HasPrefix(line, "ok  "):
		return s.st.good.Render("ok") + line[2:]
	case strings.HasPrefix(line, "x   "):
		return s.st.fail.Render("x") + line[1:]
	case strings.HasPrefix(line, "!   "):
		return s.st.warn.Render("!") + line[1:]
	}
	return line
}

// tabLine names the tabs, the current one in brackets. Where there is no room
// for all of them, < and > stand for those to the left and to the right.
func (s *reviewScreen) tabLine(w int) string {
	if close := s.closeTabs(); s.tabsWidth(0, len(s.tabs)) > w && ansi.StringWidth(close) <= w {
		return close
	}
	from, to := 0, len(s.tabs)
	for s.tabsWidth(from, to) > w && to-from > 1 {
		if to-1 > s.at {
			to--
		} else {
			from++
		}
	}
	line := ""
	if from > 0 {
		line = s.st.dim.Render("< ")
	}
	for i := from; i < to; i++ {
		if title := s.tabTitle(i); i == s.at {
			line += s.st.accent.Render("[" + title + "]")
		} else {
			line += " " + title + " "
		}
	}
	if to < len(s.tabs) {
		line += s.st.dim.Render(" >")
	}
	return clip(line, w)
}

// closeTabs are all tabs with single blanks between them.
func (s *reviewScreen) closeTabs() string {
	var titles []string
	for i := range s.tabs {
		title := s.tabTitle(i)
		if i == s.at {
			title = s.st.accent.Render("[" + title + "]")
		}
		titles = append(titles, title)
	}
	return strings.Join(titles, " ")
}

func (s *reviewScreen) tabTitle(i int) string {
	t := s.tabs[i].Title
	if t != interview.ChecksTab {
		return t
	}
	all := interview.Distinct(append(append([]problem.Finding(nil), s.findings...), s.plan.Notes...))
	if len(problem.Failures(all)) > 0 {
		return t + " x"
	}
	if n := len(problem.OfLevel(all, problem.Warn)); n > 0 {
		return fmt.Sprintf("%s !%d", t, n)
	}
	return t
}

// failures are the findings that forbid apply.
func (s *reviewScreen) failures() []problem.Finding {
	return problem.Failures(interview.Distinct(append(slices.Clone(s.findings), s.plan.Notes...)))
}

// tabsWidth is the room that some of the tabs and the signs for the others take.
func (s *reviewScreen) tabsWidth(from, to int) int {
	width := 0
	if from > 0 {
		width += 2
	}
	if to < len(s.tabs) {
		width += 2
	}
	for i := from; i < to; i++ {
		width += ansi.StringWidth(s.tabTitle(i)) + 2
	}
	return width
}

// reviewFoot is the part under the diff: consent, search or what comes.
func (s *reviewScreen) foot(w int) []string {
	switch {
	case s.consent.open:
		return append(wrapText(s.effects()[0], w)[:1], s.consentLines(w)...) // who is away first; below is room for three lines
	case s.searching:
		return []string{s.st.accent.Render("/ ") + s.query + "_"}
	}
	lines := []string{}
	switch {
	case s.plan.Empty():
		lines = append(lines, s.st.mark(problem.OK)+"  Nothing to do: this server is as asked. Enter checks it from outside.")
	case s.proving:
		doing := "checking the plan before anything changes"
		if s.b.Checking != nil && s.b.Checking() != "" {
			doing = "rehearsing the change, apart from this machine: " + s.b.Checking()
		}
		doingLines := wrapText(doing, w-3) // the sign has a colour, which the text of others may not have
		doingLines[0] = s.spinner() + " " + doingLines[0]
		lines = append(lines, doingLines...)
	case len(s.failures()) > 0:
		lines = append(lines, s.st.mark(problem.Fail)+"  "+interview.Count(len(s.failures()), "check")+" failed: the plan cannot be applied yet")
	default:
		lines = append(append(lines, wrapText(strings.Join(s.effects(), " "), w)...), s.rehearsed(w)...)
	}
	if s.note != "" {
		lines = append(lines, wrapText(s.note, w)...)
	}
	return lines
}

// effects say what people will notice, a sentence each.
func (s *reviewScreen) effects() []string {
	var all []string
	for _, ref := range s.plan.Ordered() {
		if s := s.plan.At(ref).Service; s != nil {
			all = append(all, interview.Effect(*s)+".")
		}
	}
	if len(all) == 0 {
		all = append(all, "No service is touched.")
	}
	if s.iv.Facts.Instance.State == interview.StateRunning && s.iv.SignedIn != "" {
		all = append(all, "Signed in as "+s.iv.SignedIn+".")
	}
	return all
}

// rehearsed is how the rehearsal went, in a line.
func (s *reviewScreen) rehearsed(w int) []string {
	for _, f := range s.findings {
		if f.ID == rehearsal {
			return wrapText(strings.ToUpper(f.Found[:1])+f.Found[1:]+".", w)
		}
	}
	return nil
}

// rehearsal is the id of the finding that says how the rehearsal went.
const rehearsal = "rehearsal"

func (s *reviewScreen) keys() []string {
	switch {
	case s.consent.open:
		return []string{"esc back", "ctrl+c quit"}
	case s.searching:
		return []string{"enter search", "esc back"}
	case len(s.tabs) == 0:
		return []string{"esc back", "ctrl+c quit"}
	}
	first := "a apply ..."
	if s.plan.Empty() {
		first = "enter check"
	}
	keys := []string{first, "tab file"}
	script := s.tabs[s.at].Title == interview.CommandTab && s.b.SaveScript != nil
	if script {
		keys = append(keys, "s save as script")
	}
	keys = append(keys, "r look again", "e answers", "/ search") // where room is short, the last of these go
	if s.b.SavePlan != nil && !script {
		keys = append(keys, "s save")
	}
	if s.b.Pager != nil {
		keys = append(keys, "$ pager")
	}
	return append(keys, "esc back", "? help")
}
