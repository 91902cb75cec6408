package view

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"bitgate/internal/problem"
)

// Error prints what was found, why it matters and what to do.
func (v *Text) Error(err error) {
	for _, e := range problem.Separate(err) {
		told := problem.Explain(e)
		v.hang("bitgate: ", 9, told.Found[0])
		for _, because := range told.Found[1:] {
			v.hang("    because: ", 13, because)
		}
		for _, why := range told.Why {
			v.hang("    why: ", 9, why)
		}
		for _, do := range told.Do {
			v.hang("    do:  ", 9, do)
		}
	}
}

// hang prints text behind lead; what goes on below stands under the text.
func (v *Text) hang(lead string, indent int, text string) {
	text = v.Spell.Text(text)
	width := 0
	if v.Width > 0 {
		width = max(v.Width-indent, 20)
	}
	for i, line := range Wrap(text, width) {
		if i > 0 {
			lead = strings.Repeat(" ", indent)
		}
		fmt.Fprintf(v.W, "%s%s\n", lead, line)
	}
}

// Wrap breaks text between words into lines of at most width characters, 0 for
// any; a word that is longer, a path or a URL, stays whole, so that it can be
// copied. Lines of the text itself stay apart.
func Wrap(text string, width int) []string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		if width <= 0 || utf8.RuneCountInString(line) <= width {
			out = append(out, line)
			continue
		}
		lead := line[:len(line)-len(strings.TrimLeft(line, " "))]
		now := lead
		for _, word := range strings.Fields(line) {
			switch {
			case now == lead:
				now += word
			case utf8.RuneCountInString(now)+1+utf8.RuneCountInString(word) > width:
				out = append(out, now)
				now = lead + word
			default:
				now += " " + word
			}
		}
		out = append(out, now)
	}
	return out
}
