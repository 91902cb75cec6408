package wizard

import (
	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/interview"
)

// fetchedMsg is what came of fetching the missing intermediate certificates.
type fetchedMsg struct {
	chain, said string
	err         error
}

// fetchChain fetches them once the person has agreed.
func (s *askScreen) fetchChain(how string) tea.Cmd {
	s.fetching, s.invalid = true, ""
	ctx, a, fetch := s.ctx, s.iv.Answers, s.b.FetchChain
	return tea.Batch(s.startSpinner(), func() tea.Msg {
		chain, said, err := fetch(ctx, a, how == interview.FetchPrivate)
		return fetchedMsg{chain, said, err}
	})
}

func (s *askScreen) fetched(msg fetchedMsg, shown bool) tea.Cmd {
	s.fetching = false
	if !shown || s.q.ID != interview.FetchChainID {
		return nil
	}
	if msg.err != nil {
		s.invalid = s.st.problemLine(msg.err)
		return nil
	}
	s.iv.Fetched(msg.chain)
	// On the screens that follow it is among the findings.
	s.checks[s.q.ID] = checkState{about: subject(s.q, s.iv.Answers), findings: []problem.Finding{{Level: problem.Note, Found: msg.said}}}
	s.judging = true // whether a chain is still missing decides which question is next
	return tea.Batch(s.saveDraft(), s.look())
}

// fetchChain does what the answer allows; where that fails it is asked again.
func (p *prompter) fetchChain(how string) (fetched bool, err error) {
	chain, said, err := p.b.FetchChain(p.ctx, p.iv.Answers, how == interview.FetchPrivate)
	if p.ctx.Err() != nil {
		return false, errCancelled
	}
	if err != nil {
		p.say("x   " + p.st.problemLine(err))
		return false, nil
	}
	p.iv.Fetched(chain)
	p.say("ok  " + said)
	return true, p.look()
}
