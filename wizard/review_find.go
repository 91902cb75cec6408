package wizard

import (
	"fmt"
	"io"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
)

// pagerCommand lends the terminal to the pager.
type pagerCommand struct {
	run  func(text string, in io.Reader, out io.Writer) error
	text string
	in   io.Reader
	out  io.Writer
}

func (p *pagerCommand) Run() error { return p.run(p.text, p.in, p.out) }

func (p *pagerCommand) SetStdin(r io.Reader) { p.in = r }

func (p *pagerCommand) SetStdout(w io.Writer) { p.out = w }

func (p *pagerCommand) SetStderr(io.Writer) {}

func (m *model) openPager() tea.Cmd {
	if m.b.Pager == nil {
		return nil
	}
	var text strings.Builder
	for _, t := range m.review.tabs {
		fmt.Fprintf(&text, "%s\n\n%s\n\n", t.Title, strings.Join(t.Lines, "\n"))
	}
	return tea.Exec(&pagerCommand{run: m.b.Pager, text: text.String()}, func(err error) tea.Msg { return pagerMsg{err} })
}

// searchKey edits the search line; Enter goes to the first hit.
func (m *model) searchKey(msg tea.KeyMsg) {
	r := &m.review
	switch msg.Type {
	case tea.KeyEnter:
		r.searching = false
		r.scroll.top--
		m.search(1)
	case tea.KeyEsc:
		r.searching, r.query = false, ""
	case tea.KeyBackspace:
		if q := []rune(r.query); len(q) > 0 {
			r.query = string(q[:len(q)-1])
		}
	case tea.KeyRunes, tea.KeySpace:
		r.query += string(msg.Runes)
	}
}

// search goes to the next hit, through the tabs and round.
func (m *model) search(dir int) {
	r := &m.review
	if r.query == "" {
		return
	}
	query := strings.ToLower(r.query)
	from := r.scroll.top + dir
	for range len(r.tabs) + 1 {
		for i := from; i >= 0 && i < len(r.scroll.lines); i += dir {
			if strings.Contains(strings.ToLower(ansi.Strip(r.scroll.lines[i])), query) {
				r.scroll.top = i // not clamped: the hit is the first line
				return
			}
		}
		m.showTab(r.at + dir)
		from = 0
		if dir < 0 {
			from = len(r.scroll.lines) - 1
		}
	}
	r.note = fmt.Sprintf("%q is in none of the files", r.query)
}
