package wizard

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/huh"

	"bitgate/interview"
)

// field is one question as a huh form of one group. It is rebuilt on every
// entry, because a finished form is dead; enter, esc, tab and ctrl+c never
// reach it. The form's own commands (cursor blinking, moving between fields,
// asking for the window's size) are dropped: everything here is synchronous,
// so that keys typed ahead cannot land in the wrong field.
type field struct {
	q     interview.Question
	text  string
	form  *huh.Form
	fresh bool // the prefilled text is untouched: typing replaces it
}

func newField(q interview.Question, text string, st style, w int) *field {
	f := &field{q: q, text: text, fresh: text != "" && len(q.Selectable()) == 0}
	var body huh.Field
	if opts := q.Offered(text); len(opts) > 0 {
		var list []huh.Option[string]
		known := false
		for _, o := range opts {
			list = append(list, huh.NewOption(o.Label, o.Value))
			known = known || o.Value == text
		}
		if !known && text != "" { // a command of the administrator's own
			list = append(list, huh.NewOption(text, text))
		}
		body = huh.NewSelect[string]().Options(list...).Value(&f.text)
	} else {
		in := huh.NewInput().Prompt("> ").Placeholder(q.Hint()).Value(&f.text)
		if q.ScreenKind() == interview.Password {
			in = in.EchoMode(huh.EchoModePassword)
		}
		body = in
	}
	keys := huh.NewDefaultKeyMap()
	keys.Select.Filter.SetEnabled(false)
	f.form = huh.NewForm(huh.NewGroup(body)).WithShowHelp(false).WithShowErrors(false).
		WithTheme(st.form).WithKeyMap(keys).WithWidth(w)
	f.form.Init()
	f.resize(w)
	return f
}

// resize gives the form its width and all the height it needs.
func (f *field) resize(w int) {
	f.form = f.form.WithWidth(w)
	f.send(tea.WindowSizeMsg{Width: w, Height: len(f.q.Selectable())*4 + 4})
}

// key passes an editing key on.
func (f *field) key(msg tea.KeyMsg) {
	if f.q.ScreenKind() == interview.Confirm {
		switch msg.String() {
		case "y":
			f.choose("yes")
			return
		case "n":
			f.choose("no")
			return
		}
	}
	if f.fresh && msg.Type == tea.KeyRunes {
		f.send(tea.KeyMsg{Type: tea.KeyEnd})
		f.send(tea.KeyMsg{Type: tea.KeyCtrlU})
	}
	f.fresh = false
	f.send(msg)
}

// set replaces the text, as if it had been typed.
func (f *field) set(text string) {
	f.send(tea.KeyMsg{Type: tea.KeyEnd})
	f.send(tea.KeyMsg{Type: tea.KeyCtrlU})
	f.send(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(text)})
}

// choose moves the selection of a confirmation.
func (f *field) choose(value string) {
	for range f.q.Selectable() {
		if f.text == value {
			return
		}
		f.send(tea.KeyMsg{Type: tea.KeyDown})
	}
}

func (f *field) send(msg tea.Msg) {
	m, _ := f.form.Update(msg)
	if form, ok := m.(*huh.Form); ok {
		f.form = form
	}
}

// lines is the field as drawn.
func (f *field) lines() []string {
	view := strings.TrimRight(f.form.View(), "\n ")
	return strings.Split(view, "\n")
}
