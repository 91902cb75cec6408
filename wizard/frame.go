package wizard

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/bubbles/help"
	"github.com/charmbracelet/bubbles/key"
	"github.com/charmbracelet/lipgloss"

	"bitgate/interview"
	"bitgate/setup"
)

// Sizes of the screen.
const (
	minWidth, minHeight = 60, 16 // below: a notice
	railFrom            = 100    // columns from which the rail is on the left
	railWidth           = 24     // columns of the rail
	wideRail            = 28     // the same in wide windows
	besideFrom          = 132    // columns from which the preview is beside the question
	maxText             = 92     // columns of running text
	defaultW, defaultH  = 80, 24 // where the terminal does not tell
)

// frame is the chrome around a screen: header, rail or breadcrumb, footer.
type frame struct {
	style
	w, h   int
	what   string // "Bitbucket 8.19.1 behind HAProxy 2.6.12"
	status string // "nothing has been changed yet"
	rail   []railItem
	keys   []string // "enter next"
}

type railItem struct {
	mark   string // "ok", ">", ""
	number int
	title  string
	detail string // dim, under a finished item
	now    bool
}

func (f frame) railWidth() int {
	if f.w >= besideFrom {
		return wideRail
	}
	return railWidth
}

// body is the room left for a screen.
func (f frame) body() (w, h int) {
	w, h = f.w-2, f.h-4
	if f.w >= railFrom && len(f.rail) > 0 {
		w -= f.railWidth() + 3
	} else if len(f.rail) > 0 {
		h--
	}
	return w, h
}

// render puts a screen's lines into the frame; exactly h lines of at most w columns.
func (f frame) render(body []string) string {
	lines := []string{
		ends(" "+f.bold.Render("bitgate")+"  "+f.what, f.dim.Render(f.status)+" ", f.w),
	}
	bw, bh := f.body()
	if f.w >= railFrom && len(f.rail) > 0 {
		lines = append(lines, "")
		rail := f.railLines(bh)
		for i := range bh {
			lines = append(lines, " "+pad(clip(lineAt(rail, i), f.railWidth()), f.railWidth())+"   "+clip(lineAt(body, i), bw))
		}
	} else {
		if len(f.rail) > 0 {
			lines = append(lines, " "+clip(f.breadcrumb(), f.w-2))
		}
		lines = append(lines, " "+f.dim.Render(strings.Repeat("-", f.w-2)))
		for i := range bh {
			lines = append(lines, " "+clip(lineAt(body, i), bw))
		}
	}
	lines = append(lines, "", " "+clip(f.footer(), f.w-2))
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// footer lists the keys. Where there is no room for all of them, those in the
// middle go: help has them too.
func (f frame) footer() string {
	h := help.New()
	h.Styles.ShortKey, h.Styles.ShortDesc, h.Styles.ShortSeparator = f.accent, f.dim, f.plain
	h.ShortSeparator = "   "
	keys := f.keys
	for {
		line := h.ShortHelpView(bindings(keys))
		switch n := len(keys); {
		case lipgloss.Width(line) <= f.w-2 || n <= 3 && h.ShortSeparator == "  ":
			return line
		case h.ShortSeparator == "   ":
			h.ShortSeparator = "  "
		default:
			keys = append(append([]string(nil), keys[:n-3]...), keys[n-2:]...)
		}
	}
}

// bindings are keys with what they do, "enter next".
func bindings(keys []string) []key.Binding {
	var out []key.Binding
	for _, k := range keys {
		name, what, _ := strings.Cut(k, " ")
		out = append(out, key.NewBinding(key.WithKeys(name), key.WithHelp(name, what)))
	}
	return out
}

// railLines is the documented page as a column.
func (f frame) railLines(h int) []string {
	details := len(f.rail)*2 <= h-2
	var lines []string
	for _, it := range f.rail {
		label := it.title
		if it.number > 0 {
			label = numbered(it.number, it.title, f.railWidth()-4)
		}
		switch {
		case it.now:
			lines = append(lines, f.accent.Render(">   "+label))
		case it.mark == "ok":
			lines = append(lines, f.good.Render("ok")+"  "+label)
		case it.mark != "":
			lines = append(lines, f.warn.Render(pad(it.mark, 2))+"  "+label)
		default:
			lines = append(lines, "    "+f.dim.Render(label))
		}
		if details && it.detail != "" {
			indent := "    "
			if it.number > 0 {
				indent = "      "
			}
			lines = append(lines, indent+f.dim.Render(clip(it.detail, f.railWidth()-len(indent))))
		}
	}
	return lines
}

// breadcrumb is the rail in one line.
func (f frame) breadcrumb() string {
	if long := f.crumbs(false); lipgloss.Width(long) <= f.w-2 {
		return long
	}
	return f.crumbs(true)
}

// numbered is a step's title behind its number, the brief one where there is no room.
func numbered(number int, title string, w int) string {
	label := fmt.Sprintf("%d %s", number, title)
	if brief, ok := briefTitles[title]; ok && len(label) > w {
		label = fmt.Sprintf("%d %s", number, brief)
	}
	return label
}

// briefTitles are steps as one line has room for all of them.
var briefTitles = map[string]string{"Tomcat connector": "Connector", "Built-in proxy": "Proxy", "Bitbucket's own TLS": "Own TLS"}

func (f frame) crumbs(short bool) string {
	var out []string
	for _, it := range f.rail {
		if it.title == interview.StepTitle(interview.StepBitbucket, setup.Answers{}) {
			continue // the first stop is no step
		}
		label := it.title
		if brief, is := briefTitles[label]; is {
			label = brief
		}
		label = strings.TrimSuffix(label, " (optional)")
		if short && !it.now && it.number > 0 {
			label = ""
		}
		if it.number > 0 {
			label = strings.TrimSpace(string(rune('0'+it.number)) + " " + label)
		}
		if it.mark == "!" {
			label += " !"
		}
		switch {
		case it.now:
			out = append(out, f.accent.Render("["+label+"]"))
		case it.mark != "":
			out = append(out, label)
		default:
			out = append(out, f.dim.Render(label))
		}
	}
	return strings.Join(out, f.dim.Render(" > "))
}
