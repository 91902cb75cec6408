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

func (s *reviewScreen) openPager() tea.Cmd {
	if s.b.Pager == nil {
		return nil
	}
	var text strings.Builder
	for _, t := range s.tabs {
		fmt.Fprintf(&text, "%s\n\n%s\n\n", t.Title, strings.Join(t.Lines, "\n"))
	}
	return tea.Exec(&pagerCommand{run: s.b.Pager, text: text.String()}, func(err error) tea.Msg { return pagerMsg{err} })
}

// searchKey edits the search line; Enter goes to the first hit.
func (s *reviewScreen) searchKey(msg tea.KeyMsg) {
	switch msg.Type {
	case tea.KeyEnter:
		s.searching = false
		s.text.moveTo(s.text.top() - 1)
		s.search(1)
	case tea.KeyEsc:
		s.searching, s.query = false, ""
	case tea.KeyBackspace:
		if q := []rune(s.query); len(q) > 0 {
			s.query = string(q[:len(q)-1])
		}
	case tea.KeyRunes, tea.KeySpace:
		s.query += string(msg.Runes)
	}
}

// search goes to the next hit, through the tabs and round.
func (s *reviewScreen) search(dir int) {
	if s.query == "" {
		return
	}
	query := strings.ToLower(s.query)
	from := s.text.top() + dir
	for range len(s.tabs) + 1 {
		for i := from; i >= 0 && i < len(s.text.lines); i += dir {
			if strings.Contains(strings.ToLower(ansi.Strip(s.text.lines[i])), query) {
				s.text.moveTo(i)
				return
			}
		}
		s.showTab(s.at + dir)
		from = 0
		if dir < 0 {
			from = len(s.text.lines) - 1
		}
	}
	s.note = fmt.Sprintf("%q is in none of the files", s.query)
}
