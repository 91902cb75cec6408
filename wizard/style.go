package wizard

import (
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/huh"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"bitgate/internal/pattern"
	"bitgate/internal/printable"
	"bitgate/internal/problem"
)

// style is the look: the sixteen ANSI colours and nothing else, so that light
// and dark terminals keep their own shades.
type style struct {
	ascii                                      bool
	plain, bold, accent, dim, good, warn, fail lipgloss.Style
	form                                       *huh.Theme
	spell                                      problem.Spelling
}

// newStyle judges colour by the stream that is really written to.
func newStyle(out io.Writer, o Options) style {
	r := lipgloss.NewRenderer(out)
	if o.NoColor {
		r.SetColorProfile(termenv.Ascii)
	}
	s := styleOf(r, o.Light)
	s.spell = o.Spell
	return s
}

// styleOf is the look in the colours that r has. On a light background yellow and
// cyan cannot be read: magenta and blue stand for them; on a dark one red is too dark
// nearly everywhere, and bright red stands for it.
func styleOf(r *lipgloss.Renderer, light bool) style {
	r.SetHasDarkBackground(true) // never ask the terminal
	base := r.NewStyle()
	ansi16 := func(n string) lipgloss.Style { return base.Foreground(lipgloss.Color(n)) }
	s := style{
		ascii: r.ColorProfile() == termenv.Ascii,
		plain: base, bold: base.Bold(true), dim: base.Faint(true),
		accent: ansi16("6"), good: ansi16("2"), warn: ansi16("3"), fail: ansi16("9"),
	}
	if light {
		s.accent, s.warn, s.fail, s.good = ansi16("4"), ansi16("5"), ansi16("1"), s.good.Bold(true)
	}
	s.form = s.theme()
	return s
}

// theme is the form library's part of the look. Every style is made here,
// because the library's own belong to a renderer that looks at standard output.
func (s style) theme() *huh.Theme {
	t := huh.ThemeBase()
	cursor := s.plain
	if s.ascii {
		cursor = s.plain.Transform(asciiCursor)
	}
	f := huh.FieldStyles{
		Base: s.plain, Title: s.bold, Description: s.dim,
		ErrorIndicator: s.plain, ErrorMessage: s.fail,
		SelectSelector: s.accent.SetString("> "), Option: s.plain,
		SelectedOption: s.accent, UnselectedOption: s.plain,
		NextIndicator: s.plain, PrevIndicator: s.plain,
		TextInput: huh.TextInputStyles{Cursor: cursor, CursorText: s.plain, Placeholder: s.dim, Prompt: s.accent, Text: s.plain},
	}
	t.Focused, t.Blurred = f, f
	t.Form.Base, t.Group.Base = s.plain, s.plain
	return t
}

// asciiCursor makes the cursor visible where nothing can be shown in reverse.
func asciiCursor(under string) string {
	if strings.TrimSpace(under) == "" {
		return "_"
	}
	return "|" + under
}

// mark is a level as a word or sign, two columns wide.
func (s style) mark(l problem.Level) string {
	switch l {
	case problem.OK:
		return s.good.Render("ok")
	case problem.Warn:
		return s.warn.Render("! ")
	case problem.Fail:
		return s.fail.Render("x ")
	}
	return s.dim.Render("- ")
}

// diffLine colours one line of a diff.
func (s style) diffLine(line string) string {
	return s.signed(sign(line), line)
}

// signed colours a line, or a part of one, by the sign of the whole.
func (s style) signed(sign, line string) string {
	switch sign {
	case "@":
		return s.dim.Render(line)
	case "+":
		return s.good.Render(line)
	case "-":
		return s.fail.Render(line)
	}
	return line
}

// wrapText is wrap for text without colours, which may be that of others.
func wrapText(text string, w int) []string { return wrap(printable.Text(text), w) }

// wrap breaks text into lines of at most w columns.
func wrap(text string, w int) []string {
	if text == "" {
		return nil
	}
	w = max(w, 8)
	words := strings.SplitAfter(text, " ")
	for i, word := range words {
		switch {
		case ansi.StringWidth(strings.TrimRight(word, " ")) <= w: // the library breaks at any hyphen, also in paths and flags
			words[i] = held.Replace(word)
		case strings.Contains(word, "/"): // too long for a line: it is broken between its parts
			words[i] = strings.ReplaceAll(word, "-", heldHyphen)
		}
	}
	lines := strings.Split(ansi.Wrap(strings.Join(words, ""), w, "/"), "\n")
	for i := range lines {
		lines[i] = released.Replace(strings.TrimRight(lines[i], " "))
	}
	return lines
}

// These stand for a hyphen and a slash at which no line ends, a column wide as those are.
const heldHyphen, heldSlash = "\uE0D0", "\uE0D1"

var (
	held     = strings.NewReplacer("-", heldHyphen, "/", heldSlash)
	released = strings.NewReplacer(heldHyphen, "-", heldSlash, "/")
)

// hardWrap breaks a line of code wherever it must be broken.
func hardWrap(line string, w int) []string {
	return strings.Split(ansi.Hardwrap(strings.ReplaceAll(line, "\t", "    "), max(w, 8), true), "\n")
}

// hangWrap breaks lines of code where their words or their parts end, with an indent that tells
// the rest of one from the next line.
func hangWrap(text string, w int) (lines []string) {
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, hangLine(line, w)...)
	}
	return lines
}

// hangLine is hangWrap for a single line.
func hangLine(line string, w int) []string {
	const indent = "        "
	line = strings.ReplaceAll(line, "\t", "    ")
	if ansi.StringWidth(line) <= w || w < 2*len(indent) {
		return hardWrap(line, w)
	}
	var lines []string
	for lead := ""; line != ""; lead = indent {
		part := hardWrap(line, w-len(lead))[0]
		if part == "" || !strings.HasPrefix(line, part) {
			return append(lines, lead+line) // bytes that no terminal shows
		}
		if len(part) < len(line) && line[len(part)] != ' ' {
			part = part[:breakAt(part)]
		}
		line = strings.TrimLeft(line[len(part):], " ")
		lines = append(lines, lead+strings.TrimRight(part, " "))
	}
	return lines
}

// breakAt is where a line of code ends whose next word has no room to speak of: behind
// the last blank, else between the parts of a list or a path.
func breakAt(part string) int {
	for _, between := range []string{" ", ":,/"} {
		if at := strings.LastIndexAny(part, between); at > len(part)/2 {
			return at + 1
		}
	}
	return len(part)
}

// longList is a list of names with colons between them, as of ciphers.
var longList = pattern.Lazy(`[A-Z0-9][A-Za-z0-9_-]+(:[A-Za-z0-9_-]+){3,}`)

// foldLists shortens lists of ciphers and the like to their first name and how many
// follow; the pager shows all of them.
func foldLists(line string) string {
	return longList().ReplaceAllStringFunc(line, func(list string) string {
		if len(list) < 60 {
			return list
		}
		first, rest, _ := strings.Cut(list, ":")
		return fmt.Sprintf("%s:(%d more)", first, strings.Count(rest, ":")+1)
	})
}

// clip cuts a line at w columns and says so.
func clip(line string, w int) string {
	if ansi.StringWidth(line) <= w {
		return line
	}
	return ansi.Truncate(line, max(w, 1), "…")
}

// pad fills a line up to w columns.
func pad(line string, w int) string {
	if n := w - ansi.StringWidth(line); n > 0 {
		return line + strings.Repeat(" ", n)
	}
	return line
}

// ends puts two texts at the two ends of a line.
func ends(left, right string, w int) string {
	gap := w - ansi.StringWidth(left) - ansi.StringWidth(right)
	if gap < 2 {
		left = clip(left, w-ansi.StringWidth(right)-2)
		gap = w - ansi.StringWidth(left) - ansi.StringWidth(right)
	}
	return left + strings.Repeat(" ", max(gap, 1)) + right
}

// lineAt is one of lines, "" outside of them.
func lineAt(lines []string, i int) string {
	if i < 0 || i >= len(lines) {
		return ""
	}
	return lines[i]
}

// behind puts the first line behind lead, and the others below it.
func behind(lead string, lines []string) []string {
	var out []string
	for _, line := range lines {
		out = append(out, lead+line)
		lead = strings.Repeat(" ", ansi.StringWidth(lead))
	}
	return out
}

// findingLines lays findings out, each under its mark.
func (s style) findingLines(w int, findings ...problem.Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, behind(s.mark(f.Level)+"  ", wrapText(s.spell.Text(f.Headline()), w-4))...)
		if f.Level == problem.Fail || f.Level == problem.Warn {
			for _, line := range wrapText(s.spell.Text(f.Do), w-4) {
				out = append(out, "    "+s.dim.Render(line))
			}
		}
	}
	return out
}
