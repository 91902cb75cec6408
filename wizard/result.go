package wizard

import (
	"fmt"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/interview"
	"bitgate/setup"
)

// resultScreen is how it ended.
type resultScreen struct {
	*shell
	text  pager
	serve bool // the person wants the built-in proxy in this terminal
}

// enter lays the result out: how it ended and the ways on from there first, for they
// must be in sight however much there is to say, then what to know and what was done.
func (s *resultScreen) enter(done func(w int) []string) {
	w, _ := s.body()
	w = min(w, maxText+20)
	deeds := done(w)
	if len(deeds) > 0 {
		deeds = append([]string{s.st.bold.Render("What was done")}, deeds...)
	}
	s.text.set(paragraphs(headlineOf(s.out, s.st, w), ways(s.out, s.b.After, w), remarkLines(s.out, s.st, w), deeds))
}

func (s *resultScreen) key(msg tea.KeyMsg) tea.Cmd {
	_, h := s.body()
	if s.text.key(msg, h-1) {
		return nil
	}
	switch msg.String() {
	case "enter", "q", "esc":
		return s.quit()
	case "s":
		if canServe(s.b, s.out) {
			s.serve = true
			return s.quit()
		}
	}
	return nil
}

// canServe: the built-in proxy has no service here and may run in this terminal.
func canServe(b Backend, out Outcome) bool {
	return b.ServeNow != nil && out.Result.State == setup.RunCommitted && out.Answers.Front == setup.FrontBuiltin && !startsProxy(out.Plan)
}

// summary is how a session ended, for the scrollback and the line prompter: the ways
// on from there last, above the prompt.
func summary(out Outcome, after func(setup.Result, setup.Answers) (string, string), st style, w int) []string {
	return paragraphs(headlineOf(out, st, w), remarkLines(out, st, w), ways(out, after, w))
}

// paragraphs has an empty line between those that are not empty.
func paragraphs(all ...[]string) []string {
	var lines []string
	for _, p := range all {
		if len(p) > 0 && len(lines) > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, p...)
	}
	return lines
}

// remarkLines are what there is to know and to do.
func remarkLines(out Outcome, st style, w int) []string {
	var left []problem.Finding
	for _, p := range out.Result.Pending {
		left = append(left, problem.Finding{Level: problem.Note, Found: "left for you: " + p})
	}
	if len(left) > 0 && len(out.Findings) > 0 && unverified(out) { // the one thing to do, and why nothing was checked
		out.Findings = nil
		return st.findingLines(w, append(left, remarks(out)...)...)
	}
	return st.findingLines(w, append(remarks(out), left...)...)
}

// ways are where the backups lie, and the commands that repeat and undo the run.
func ways(out Outcome, after func(setup.Result, setup.Answers) (string, string), w int) []string {
	var lines []string
	if out.Result.Backups != "" {
		lines = append(lines, "Backups   "+out.Result.Backups)
	}
	if after == nil {
		return lines
	}
	again, back := after(out.Result, out.Answers)
	lines = append(lines, commandText("Again     ", again, w)...)
	if out.Result.State == setup.RunCommitted {
		lines = append(lines, commandText("Back      ", back, w)...)
	}
	return lines
}

// remarks are what verify and the plan have to say. The plan says of the
// application links what to do with them; verify only that they are there.
func remarks(out Outcome) []problem.Finding {
	var all []problem.Finding
	planned := false
	for _, f := range out.Result.Notes {
		planned = planned || f.ID == "application-links"
	}
	for _, f := range append(append(all, out.Findings...), out.Result.Notes...) {
		if f.ID != "app-links" || !planned {
			all = append(all, f)
		}
	}
	all = interview.WorthSaying(all)
	slices.SortStableFunc(all, func(a, b problem.Finding) int {
		return slices.Index(worstFirst, a.Level) - slices.Index(worstFirst, b.Level)
	})
	return all
}

var worstFirst = []problem.Level{problem.Fail, problem.Warn, problem.Note}

// commandText lays a command out so that it can be copied: where it is too
// long every further flag stands on a line of its own.
func commandText(label, command string, w int) []string {
	if command == "" {
		return nil
	}
	if len(label)+len(command) <= w {
		return []string{label + command}
	}
	parts := strings.Split(command, " --")
	lines := []string{label + parts[0]}
	for _, p := range parts[1:] {
		lines[len(lines)-1] += " \\"
		lines = append(lines, strings.Repeat(" ", len(label)+2)+"--"+p)
	}
	return lines
}

func headlineOf(out Outcome, st style, w int) []string {
	switch {
	case out.Err != nil:
		return failureLines(out, st, w)
	case out.Result.State == setup.RunCommitted || out.Result.State == setup.RunNothing:
		count := func(l problem.Level) int { return len(problem.OfLevel(out.Findings, l)) }
		warn, fail := count(problem.Warn), count(problem.Fail)
		if len(out.Findings) == 0 || unverified(out) {
			return wrap(st.bold.Render(out.Answers.URL.BaseURL())+doneText(out), w)
		}
		text := fmt.Sprintf("%s passed", interview.Count(count(problem.OK), "check"))
		if warn > 0 {
			text += ", " + interview.Count(warn, "warning")
		}
		if fail > 0 {
			text += fmt.Sprintf(", %d failed", fail)
			return wrap(st.fail.Render("x")+"   "+st.bold.Render(out.Answers.URL.BaseURL())+doneText(out)+" But not everything works yet: "+text+".", w)
		}
		if slices.ContainsFunc(out.Findings, func(f problem.Finding) bool { return f.ID == Stopped }) {
			return wrap(st.bold.Render(out.Answers.URL.BaseURL())+doneText(out)+" The checks were stopped: "+text+".", w)
		}
		return wrap(st.bold.Render(out.Answers.URL.BaseURL())+" is up. "+text+".", w)
	}
	return []string{"The run ended as: " + string(out.Result.State)}
}

// Stopped is the ID of the finding that not all was checked, for somebody stopped it.
const Stopped = "stopped"

// unverified: what is pending keeps the checks from being made.
func unverified(out Outcome) bool {
	if len(out.Findings) == 0 {
		return len(out.Result.Pending) > 0
	}
	return len(out.Findings) == 1 && out.Findings[0].ID == "pending"
}

func doneText(out Outcome) string {
	nothing := out.Result.State == setup.RunNothing
	switch {
	case nothing && !out.Plan.Empty() && unverified(out):
		return ": nothing was changed, and it is not verified, for something is left for you."
	case nothing && !out.Plan.Empty():
		return ": nothing was changed, and the plan has changes."
	case unverified(out):
		return ": what bitgate does itself is done; it is not verified, for something is left for you."
	case nothing:
		return ": nothing to do, the server is as you want it."
	}
	return ": all changes are in place."
}

func failureLines(out Outcome, st style, w int) []string {
	head := "Apply failed."
	switch out.Result.State {
	case setup.RunTakenBack:
		if out.Stopped { // the error is only the echo of that
			return []string{st.warn.Render("<") + "   " + st.bold.Render("Apply was stopped, and everything was taken back: the server is as before.")}
		}
		head = "Apply failed, and everything was taken back."
	case setup.RunIncomplete, setup.RunOpen:
		head = "Apply failed, and something could not be taken back."
	}
	lines := []string{st.fail.Render("x") + "   " + st.bold.Render(head), ""}
	told := problem.Explain(out.Err)
	for i, found := range told.Found {
		lines = append(lines, wrapText(st.spell.Text(because(i, found)), w)...)
	}
	for _, why := range told.Why {
		lines = append(lines, wrapText(st.spell.Text("why: "+why), w)...)
	}
	for _, do := range told.Do {
		lines = append(lines, wrapText(st.spell.Text("do:  "+do), w)...)
	}
	return lines
}

// because marks the reasons below the first text of a chain.
func because(i int, found string) string {
	if i == 0 {
		return found
	}
	return "because: " + found
}

// startsProxy: a service runs the built-in proxy after the plan was carried out.
func startsProxy(p setup.Plan) bool {
	return slices.ContainsFunc(p.Ordered(), func(ref setup.Ref) bool {
		s := p.At(ref).Service
		return s != nil && s.Target == "proxy" && s.Control.How != service.Manual && s.Control.How != service.Never
	})
}
