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
func (m *model) signIn(password string) tea.Cmd {
	if password == "" {
		m.ask.invalid = "an answer is needed here"
		return nil
	}
	m.ask.signingIn, m.ask.invalid = true, ""
	user, login, secret := m.iv.Answers.AdminUser, m.b.Login, []byte(password)
	m.ask.field = newField(m.ask.q, "", m.st, m.fieldWidth()) // the form forgets it
	return tea.Batch(m.startSpinner(), func() tea.Msg {
		defer wipe(secret)
		return loginMsg{user, login(m.ctx, user, secret)}
	})
}

func wipe(secret []byte) {
	for i := range secret {
		secret[i] = 0
	}
}

func (m *model) loggedIn(msg loginMsg) tea.Cmd {
	m.ask.signingIn = false
	if m.page != pageAsk || m.ask.q.ID != interview.PasswordID {
		return nil
	}
	if msg.err == nil {
		m.iv.SignIn(msg.user)
		// Signed in, more can be read: the base URL and the application links.
		return tea.Batch(m.look(), m.advance(m.ask.q))
	}
	m.ask.invalid = problemLine(msg.err)
	if problem.KindOf(msg.err) != problem.Credentials {
		return nil
	}
	if m.iv.Refused() {
		m.ask.invalid += fmt.Sprintf(" (%d of %d tries)", m.iv.Refusals, interview.MaxRefusals)
		return nil
	}
	why := m.ask.invalid
	q, _ := interview.Find("base-url-method")
	cmd := m.enterQuestion(q, false)
	m.ask.field.choose(setup.Manual)
	m.refreshPreview()
	m.ask.invalid = why + "; no further password is tried, change the base URL by hand"
	return cmd
}

// problemLine is an error in one line.
func problemLine(err error) string {
	told := problem.Explain(err)
	return strings.Join(append([]string{strings.Join(told.Found, ": ")}, told.Do...), "; ")
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return problemLine(err)
}
