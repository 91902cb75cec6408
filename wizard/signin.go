package wizard

import (
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/problem"
	"bitgate/interview"
	"bitgate/setup"
)

// signIn tries the password once.
func (s *askScreen) signIn(password string) tea.Cmd {
	if password == "" {
		s.invalid = "an answer is needed here"
		return nil
	}
	s.signingIn, s.invalid = true, ""
	ctx, a, login, secret := s.ctx, s.iv.Answers, s.b.Login, []byte(password)
	s.field = newField(s.q, "", s.st, s.fieldWidth()) // the form forgets it
	return tea.Batch(s.startSpinner(), func() tea.Msg {
		defer clear(secret)
		return loginMsg{a.AdminUser, login(ctx, a, secret)}
	})
}

func (s *askScreen) loggedIn(msg loginMsg, shown bool) tea.Cmd {
	s.signingIn = false
	if !shown || s.q.ID != interview.PasswordID {
		return nil
	}
	if msg.err == nil {
		s.iv.SignIn(msg.user)
		// Signed in, more can be read: the base URL and the application links.
		return tea.Batch(s.look(), s.advance(s.q))
	}
	s.invalid = s.st.problemLine(msg.err)
	if problem.KindOf(msg.err) != problem.Credentials {
		return nil
	}
	if s.iv.Refused() {
		s.invalid += fmt.Sprintf(" (%d of %d tries)", s.iv.Refusals, interview.MaxRefusals)
		return nil
	}
	why := s.st.spell.Text(strings.Join(problem.Explain(msg.err).Found, ": "))
	q, _ := interview.Find("base-url-method")
	cmd := s.showQuestion(q, false)
	s.field.choose(setup.Manual)
	s.refreshPreview()
	s.invalid = fmt.Sprintf("%s (%d of %[2]d tries); %s", why, interview.MaxRefusals, interview.LockedAdvice)
	return cmd
}

// problemLine is an error in one line.
func (s style) problemLine(err error) string {
	told := problem.Explain(err)
	return s.spell.Text(strings.Join(append([]string{strings.Join(told.Found, ": ")}, told.Do...), "; "))
}

func (s style) errorText(err error) string {
	if err == nil {
		return ""
	}
	return s.problemLine(err)
}
