package wizard

import (
	"fmt"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"bitgate/internal/problem"
	"bitgate/interview"
)

// welcomeScreen says what was found and what Enter leads to.
type welcomeScreen struct{ *shell }

// view tells what bitgate is about to do and what it found.
func (s *welcomeScreen) view(w, h int) []string {
	intro := wrapText("bitgate puts this Bitbucket behind HTTPS, step by step as Atlassian's page \"Securing Bitbucket behind HAProxy using SSL\" has it. It reads first, then asks, shows every change, and does nothing before you type the word apply.", min(w, maxText))
	if !s.iv.Known {
		return stack(h, block{intro, 1}, block{[]string{s.spinner() + " looking at this machine"}, 1})
	}
	f := s.iv.Facts
	found := s.foundBlock(w, true)
	notes := s.st.findingLines(w, interview.WorthSaying(append(slices.Clone(s.worries), f.FindingsFor(s.iv.Answers)...))...)
	if s.o.Last != nil && f.OpenRun == "" { // how it stands comes first, and what bitgate is was said before
		intro = s.st.findingLines(w, s.o.Last.finding(f, s.renewal))
	}
	next := s.nextLines(w)
	if len(intro)+len(found)+len(next)+len(notes)+3 > h {
		found = s.foundBlock(w, false)
	}
	return stack(h, block{intro, 1}, block{found, 1}, block{next, 1}, block{notes, 1})
}

// foundBlock lists what was found and, where there is room, its source: beside
// it, or else on a line of its own if sources says so.
func (s *welcomeScreen) foundBlock(w int, sources bool) []string {
	found := []string{s.st.bold.Render("Found on this machine")}
	for _, l := range interview.FoundLines(s.iv.Facts, s.iv.Answers) {
		source := ""
		if l.Source != "" {
			source = interview.Origin(s.iv.Facts, l.Source)
		}
		beside := ansi.StringWidth(l.Value)+3+ansi.StringWidth(source) <= w-18
		for i, part := range wrapText(l.Value, w-18) {
			lead := pad("", 18)
			if i == 0 {
				lead = s.st.mark(l.Level) + "  " + pad(l.Label, 13) + " "
			}
			if beside && source != "" {
				part += "   " + s.st.dim.Render(source)
			}
			found = append(found, lead+part)
		}
		if !beside && sources {
			for _, part := range wrapText(source, w-18) {
				found = append(found, pad("", 18)+s.st.dim.Render(part))
			}
		}
	}
	if s.looking {
		found = append(found, s.spinner()+" looking again")
	}
	return found
}

// nextLines say what Enter leads to.
func (s *welcomeScreen) nextLines(w int) []string {
	if run := s.iv.Facts.OpenRun; run != "" {
		return s.st.findingLines(w, problem.Finding{Level: problem.Fail, Found: "run " + run + " was interrupted and is still open", Do: "bitgate recover"})
	}
	q, ok := s.iv.Resume()
	if !ok && s.o.Last.SetUp() {
		return wrap("Enter looks for what is not as that run set it up, and for new certificate files. v checks the site from outside, e changes an answer, u takes the run back.", w)
	}
	if !ok {
		return []string{"Every question is answered. Enter goes to the review."}
	}
	text := "Enter starts with step " + fmt.Sprint(interview.StepNumber(q.Step)) + ", " + strings.ToLower(interview.StepTitle(q.Step, s.iv.Answers)[:1]) + interview.StepTitle(q.Step, s.iv.Answers)[1:] + "."
	switch resumed := s.o.Resumed; {
	case resumed.When != "" && len(resumed.Answered) > 0:
		text = fmt.Sprintf("Continuing where you left off (%s). Enter goes on with: %s. Esc leads back to what was answered.", resumed.When, strings.ToLower(q.Title[:1])+q.Title[1:])
	case interview.StepNumber(q.Step) == 0:
		text = "Enter starts with what could not be found."
	case interview.StepNumber(q.Step) > 1 || s.iv.OutsideAnswers() > 0:
		given := interview.Count(s.iv.OutsideAnswers(), "answer") + " are given already."
		if s.iv.OutsideAnswers() == 1 {
			given = "1 answer is given already."
		}
		text = fmt.Sprintf("%s Enter goes on with: %s.", given, strings.ToLower(q.Title[:1])+q.Title[1:])
	}
	return wrapText(text, w)
}

func (s *welcomeScreen) key(name string) tea.Cmd {
	switch {
	case !s.iv.Known:
		return nil
	case name == "enter":
		if _, asks := s.iv.Resume(); !asks && s.o.Last.SetUp() { // the screen may have stood for hours
			return tea.Batch(s.look(), s.proceed())
		}
		return s.proceed()
	case name == "r":
		return s.look()
	case name == "esc" && s.o.Resumed.When != "":
		if q, ok := s.iv.Resume(); ok {
			if before, any := s.iv.Previous(q.ID); any {
				return s.showQuestion(before, false)
			}
		}
	case name == "e":
		s.showAnswers()
	case name == "v" && s.o.Last.SetUp():
		plan, _, err := s.iv.FinishedPlan()
		if err != nil {
			return s.fail(err)
		}
		return s.showVerify(plan)
	case name == "u" && s.o.Last.SetUp():
		s.out.Undo = s.o.Last.ID
		return s.quit()
	}
	return nil
}
