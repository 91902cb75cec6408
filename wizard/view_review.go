package wizard

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"bitgate/internal/problem"
	"bitgate/interview"
)

// reviewView: tabs, the diff, what the services do, and the consent line.
func (m *model) reviewView(w, h int) []string {
	r := &m.review
	if len(r.tabs) == 0 {
		return []string{m.spinner() + " looking at the files you named"}
	}
	bodyH := m.reviewHeight()
	lines := []string{m.tabLine(w)}
	rule := m.st.dim.Render(strings.Repeat("-", w))
	lines = append(lines, rule)
	t := r.tabs[r.at]
	top := min(r.scroll.top, max(len(r.scroll.lines)-1, 0))
	visible := r.scroll.lines[top:min(top+bodyH, len(r.scroll.lines))]
	for i, l := range visible {
		lines = append(lines, " "+m.reviewLine(t, r.signs[top+i:top+i+1], l))
	}
	for len(lines) < bodyH+2 {
		lines = append(lines, "")
	}
	more := r.scroll.more(bodyH)
	if more != "" {
		rule = m.st.dim.Render(strings.Repeat("-", max(w-len(more)-2, 1)) + " " + more)
	}
	lines = append(lines, rule)
	lines = append(lines, m.reviewFoot(w)...)
	return lines[:min(len(lines), h)]
}

// reviewLine colours a line and marks the searched text.
func (m *model) reviewLine(t interview.Tab, sign, line string) string {
	if q := m.review.query; q != "" && !m.review.searching {
		if i := strings.Index(strings.ToLower(line), strings.ToLower(q)); i >= 0 && i+len(q) <= len(line) {
			return line[:i] + m.st.accent.Bold(true).Underline(true).Render(line[i:i+len(q)]) + line[i+len(q):]
		}
	}
	if t.Diff {
		return m.st.signed(sign, line)
	}
	switch {
	case strings.HasPrefix(line, "ok  "):
		return m.st.good.Render("ok") + line[2:]
	case strings.HasPrefix(line, "x   "):
		return m.st.fail.Render("x") + line[1:]
	case strings.HasPrefix(line, "!   "):
		return m.st.warn.Render("!") + line[1:]
	}
	return line
}

// tabLine names the tabs, the current one in brackets. Where there is no room
// for all of them, < and > stand for those to the left and to the right.
func (m *model) tabLine(w int) string {
	r := &m.review
	if close := m.closeTabs(); m.tabsWidth(0, len(r.tabs)) > w && ansi.StringWidth(close) <= w {
		return close
	}
	from, to := 0, len(r.tabs)
	for m.tabsWidth(from, to) > w && to-from > 1 {
		if to-1 > r.at {
			to--
		} else {
			from++
		}
	}
	line := ""
	if from > 0 {
		line = m.st.dim.Render("< ")
	}
	for i := from; i < to; i++ {
		if title := m.tabTitle(i); i == r.at {
			line += m.st.accent.Render("[" + title + "]")
		} else {
			line += " " + title + " "
		}
	}
	if to < len(r.tabs) {
		line += m.st.dim.Render(" >")
	}
	return clip(line, w)
}

// closeTabs are all tabs with single blanks between them.
func (m *model) closeTabs() string {
	var titles []string
	for i := range m.review.tabs {
		title := m.tabTitle(i)
		if i == m.review.at {
			title = m.st.accent.Render("[" + title + "]")
		}
		titles = append(titles, title)
	}
	return strings.Join(titles, " ")
}

func (m *model) tabTitle(i int) string {
	t := m.review.tabs[i].Title
	if t == interview.ChecksTab && interview.Failures(m.review.findings) > 0 {
		t += " x"
	}
	return t
}

// tabsWidth is the room that some of the tabs and the signs for the others take.
func (m *model) tabsWidth(from, to int) int {
	width := 0
	if from > 0 {
		width += 2
	}
	if to < len(m.review.tabs) {
		width += 2
	}
	for i := from; i < to; i++ {
		width += ansi.StringWidth(m.tabTitle(i)) + 2
	}
	return width
}

// reviewFoot is the part under the diff: consent, search or what comes.
func (m *model) reviewFoot(w int) []string {
	r := &m.review
	switch {
	case r.consent.open:
		return m.consentLines(w)
	case r.searching:
		return []string{m.st.accent.Render("/ ") + r.query + "_"}
	}
	lines := []string{}
	switch {
	case r.plan.Empty():
		lines = append(lines, m.st.mark(problem.OK)+"  Nothing to do: this server is as asked. Enter checks it from outside.")
	case r.proving:
		lines = append(lines, m.spinner()+" checking the plan before anything changes")
	case interview.Failures(r.findings)+interview.Failures(r.plan.Notes) > 0:
		lines = append(lines, m.st.mark(problem.Fail)+"  "+interview.Count(interview.Failures(r.findings)+interview.Failures(r.plan.Notes), "check")+" failed: the plan cannot be applied yet")
	default:
		lines = append(lines, m.effects(w)...)
	}
	if r.note != "" {
		lines = append(lines, wrap(r.note, w)...)
	}
	return lines
}

// effects say in one line what people will notice.
func (m *model) effects(w int) []string {
	var parts []string
	for _, ref := range m.review.plan.Ordered() {
		if s := m.review.plan.At(ref).Service; s != nil {
			parts = append(parts, interview.Effect(*s))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "No service is touched")
	}
	text := strings.Join(parts, ". ") + "."
	if m.iv.Facts.Instance.State == interview.StateRunning && m.iv.SignedIn != "" {
		text += " Signed in as " + m.iv.SignedIn + "."
	}
	return wrap(text, w)
}

func (m *model) reviewKeys() []string {
	r := &m.review
	switch {
	case r.consent.open:
		return []string{"esc back", "ctrl+c quit"}
	case r.searching:
		return []string{"enter search", "esc back"}
	case len(r.tabs) == 0:
		return []string{"esc back", "ctrl+c quit"}
	}
	first := "a apply ..."
	if r.plan.Empty() {
		first = "enter check"
	}
	keys := []string{first}
	if m.b.SavePlan != nil {
		save := "s save"
		if r.tabs[r.at].Title == interview.CommandTab && m.b.SaveScript != nil {
			save = "s save as script"
		}
		keys = append(keys, save)
	}
	keys = append(keys, "/ search")
	if m.b.Pager != nil {
		keys = append(keys, "$ pager")
	}
	return append(keys, "tab file", "e answers", "esc back", "? help")
}
