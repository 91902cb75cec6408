package local

import (
	"fmt"
	"slices"
	"strings"
)

// Cure is what a person is to do, word by word, in this order: lines of files,
// then commands.
type Cure []Step

// Step is one line of a file that becomes another (New), goes (New is ""), or gets
// one below it (Below); or a command; or, in words, what only a person can do.
type Step struct {
	Place
	New   string
	Below string
	Run   string
	Words string
}

// Write replaces a line.
func Write(p Place, text string) Step { return Step{Place: p, New: text} }

// Add puts a line below one; line 0 is the beginning of the file.
func Add(p Place, text string) Step { return Step{Place: p, Below: text} }

// Take takes a line out.
func Take(p Place) Step { return Step{Place: p} }

// Run is a command; without one, in words.
func Run(command, otherwise string) Step {
	if command == "" {
		return Step{Words: otherwise}
	}
	return Step{Run: command}
}

// String is the cure as it is printed.
//
//	in line 4 of /etc/x.conf write `a b;`; below line 9 of /etc/x.conf add `c`;
//	take line 7 of /etc/x.conf out; then: nginx -s reload
func (c Cure) String() string {
	var out []string
	for _, s := range c {
		switch {
		case s.Run != "" && len(out) > 0:
			out = append(out, "then: "+s.Run)
		case s.Run != "":
			out = append(out, s.Run)
		case s.Words != "" && len(out) > 0 && s.File == "":
			out = append(out, "then "+s.Words)
		case s.Words != "":
			out = append(out, s.Words)
		case s.Below != "" && s.Line == 0:
			out = append(out, fmt.Sprintf("at the top of %s add `%s`", s.File, s.Below))
		case s.Below != "":
			out = append(out, fmt.Sprintf("below %s add `%s`", s.Place, s.Below))
		case s.New != "":
			out = append(out, fmt.Sprintf("in %s write `%s`", s.Place, s.New))
		default:
			out = append(out, fmt.Sprintf("take %s out", s.Place))
		}
	}
	return strings.Join(out, "; ")
}

// Then is the cure with more steps behind it.
func (c Cure) Then(s ...Step) Cure { return append(append(Cure{}, c...), s...) }

// fromBelow puts the lower lines of a file first, so that the numbers of those above
// stay right while the cure is carried out.
func (c Cure) fromBelow() Cure {
	slices.SortStableFunc(c, func(a, b Step) int { return b.Line - a.Line })
	return c
}
