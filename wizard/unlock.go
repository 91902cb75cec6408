package wizard

import (
	tea "github.com/charmbracelet/bubbletea"

	"bitgate/interview"
)

// unlockMsg is how a try to open the certificate's files ended.
type unlockMsg struct{ err error }

// unlock tries the password once. It may be typed as often as one likes: a file locks
// nobody out.
func (s *askScreen) unlock(password string) tea.Cmd {
	if password == "" {
		s.invalid = "an answer is needed here"
		return nil
	}
	s.unlocking, s.invalid = true, ""
	ctx, a, try, secret := s.ctx, s.iv.Answers, s.b.Unlock, []byte(password)
	s.field = newField(s.q, "", s.st, s.fieldWidth()) // the form forgets it
	return tea.Batch(s.startSpinner(), func() tea.Msg {
		defer clear(secret)
		return unlockMsg{try(ctx, a, secret)}
	})
}

func (s *askScreen) unlocked(msg unlockMsg, shown bool) tea.Cmd {
	s.unlocking = false
	if !shown || s.q.ID != interview.CertPasswordID {
		return nil
	}
	if msg.err != nil {
		s.invalid = s.st.problemLine(msg.err)
		return nil
	}
	s.iv.Unlocked()
	s.judging = true // what the files hold decides which question is next
	return s.look()
}

// unlock asks until the certificate's files open.
func (p *prompter) unlock(q interview.Question) error {
	for {
		password, err := p.password(q.Title + ": ")
		if err != nil {
			return err
		}
		switch string(password) {
		case "<":
			return errBack
		case "":
			p.say("x   an answer is needed here; < goes back")
			continue
		}
		err = p.b.Unlock(p.ctx, p.iv.Answers, password)
		clear(password)
		if err == nil {
			p.iv.Unlocked()
			p.say("ok  opened")
			return p.look()
		}
		if p.ctx.Err() != nil {
			return errCancelled
		}
		p.say("x   " + p.st.problemLine(err))
	}
}
