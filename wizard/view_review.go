package wizard

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"bitgate/setup"
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
func (m *model) reviewLine(t tab, sign, line string) string {
	if q := m.review.query; q != "" && !m.review.searching {
		if i := strings.Index(strings.ToLower(line), strings.ToLower(q)); i >= 0 && i+len(q) <= len(line) {
			return line[:i] + m.st.accent.Bold(true).Underline(true).Render(line[i:i+len(q)]) + line[i+len(q):]
		}
	}
	if t.diff {
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
	t := m.review.tabs[i].title
	if t == checksTab && failures(m.review.findings) > 0 {
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

// planSummary counts what apply will do.
func planSummary(p setup.Plan) string {
	changes, restarts, reloads := 0, 0, 0
	for _, ref := range p.Ordered() {
		c := p.At(ref)
		switch {
		case c.Service == nil:
			changes++
		case c.Service.Reloads():
			reloads++
		default:
			restarts++
		}
	}
	parts := []string{count(changes, "change")}
	if restarts > 0 {
		parts = append(parts, count(restarts, "restart"))
	}
	if reloads > 0 {
		parts = append(parts, count(reloads, "reload"))
	}
	return strings.Join(parts, ", ")
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
		lines = append(lines, m.st.mark(setup.OK)+"  Nothing to do: this server is as asked. Enter checks it from outside.")
	case r.proving:
		lines = append(lines, m.spinner()+" checking the plan before anything changes")
	case failures(r.findings)+failures(r.plan.Notes) > 0:
		lines = append(lines, m.st.mark(setup.Fail)+"  "+count(failures(r.findings)+failures(r.plan.Notes), "check")+" failed: the plan cannot be applied yet")
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
			parts = append(parts, effect(*s))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "No service is touched")
	}
	text := strings.Join(parts, ". ") + "."
	if m.iv.facts.Instance.State == stateRunning && m.iv.signedIn != "" {
		text += " Signed in as " + m.iv.signedIn + "."
	}
	return wrap(text, w)
}

// effect is what people notice of a service change, as a sentence.
func effect(s setup.ServiceChange) string {
	name := serviceName(s.Target)
	if s.Target == "proxy" {
		name = "the " + name
	}
	switch {
	case s.Effect == "":
		return fmt.Sprintf("%s %ss", name, s.Verb)
	case strings.HasPrefix(strings.ToLower(s.Effect), strings.ToLower(name)):
		return strings.ToUpper(s.Effect[:1]) + s.Effect[1:]
	}
	return fmt.Sprintf("%s %ss (%s)", name, s.Verb, s.Effect)
}

func serviceName(target string) string {
	switch target {
	case "bitbucket":
		return "Bitbucket"
	case "haproxy":
		return "HAProxy"
	case "proxy":
		return "built-in proxy"
	}
	return target
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
	} else if m.o.PlanOnly {
		first = "enter finish"
	}
	keys := []string{first}
	if m.b.SavePlan != nil {
		save := "s save"
		if r.tabs[r.at].title == commandTab && m.b.SaveScript != nil {
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
