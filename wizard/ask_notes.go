package wizard

import (
	"fmt"
	"slices"
	"strings"

	"bitgate/internal/problem"
	"bitgate/interview"
)

// checkLines are the slow checks of this step, running or done, and what
// failed elsewhere meanwhile.
func (s *askScreen) checkLines(w int) []string {
	var lines []string
	var all []problem.Finding
	elsewhere := "esc goes back to change it"
	for _, q := range interview.Questions() {
		if q.ID == s.q.ID {
			elsewhere = "it is asked further on"
		}
		c, ok := s.checks[q.ID]
		// What was fetched is told on the next screen, whatever it is about.
		here, other := q.ID == s.q.ID, q.Step != s.q.Step && q.ID != interview.FetchChainID
		switch {
		case !ok || here && (s.unusable || c.about != s.currentText() || s.invalid != "" || s.judging) || !here && c.about != subject(q, s.iv.Answers):
		case c.running && !other:
			lines = append(lines, s.spinner()+" checking "+strings.ToLower(q.Title[:1])+q.Title[1:])
		default:
			for _, f := range c.findings {
				if f.Level == problem.Fail && !here {
					f.Do = strings.TrimPrefix(f.Do+"; ", "; ") + elsewhere
				}
				if here || f.Level == problem.Fail || f.Level != problem.OK && !other {
					all = append(all, f)
				}
			}
		}
	}
	return append(lines, s.st.findingLines(w, interview.Distinct(all)...)...)
}

// currentText is the field's answer as the checks know it.
func (s *askScreen) currentText() string { return subject(s.q, s.candidate) }

// previewLines show the change in at most h lines.
func (s *askScreen) previewLines(w, h int) []string {
	p := s.preview
	if p.Title == "" {
		return nil
	}
	lines := []string{s.st.dim.Render("Preview  ") + clip(p.Title, w-9)}
	room := h - 1
	body := shownPreview(p.Lines, false)
	if len(body) > room {
		body = fromFrontend(shownPreview(p.Lines, true))
	}
	more := ""
	if len(body) > room && room > 1 {
		more = fmt.Sprintf("%d more lines", len(body)-room+1)
		if !s.canComplete() {
			more += ": tab"
		}
		body = body[:room-1]
	}
	for _, l := range body {
		lines = append(lines, s.st.diffLine(clip(strings.ReplaceAll(l, "\t", "    "), w)))
	}
	if more != "" {
		lines = append(lines, s.st.dim.Render(more))
	}
	return lines
}

// fromFrontend leaves out what a new haproxy.cfg has before the front itself.
func fromFrontend(lines []string) []string {
	at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "+frontend ") })
	return lines[max(at, 0):]
}

// shownPreview is a diff without its positions; where room is short also
// without what stays as it is, empty lines and comments.
func shownPreview(diff []string, short bool) []string {
	var out []string
	for _, l := range diff {
		text := strings.TrimLeft(l, "+- \t")
		changed := strings.HasPrefix(l, "+") || strings.HasPrefix(l, "-")
		if strings.HasPrefix(l, "@@") || short && (!changed || text == "" || strings.HasPrefix(text, "#") && l[0] == '+') {
			continue
		}
		out = append(out, l)
	}
	return out
}
