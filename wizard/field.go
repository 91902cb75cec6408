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
	own   bool // instead of a choice an answer of one's own is typed
	st    style
	w     int
}

func newField(q interview.Question, text string, st style, w int) *field {
	f := &field{q: q, text: text, fresh: text != "" && len(q.Selectable()) == 0, st: st, w: w}
	if opts := q.Offered(text); len(opts) > 0 {
		f.show(f.list(opts))
	} else {
		f.show(f.input())
	}
	return f
}

// list offers the choices, and what stands there already.
func (f *field) list(opts []interview.Option) huh.Field {
	var list []huh.Option[string]
	known := false
	for _, o := range opts {
		list = append(list, huh.NewOption(o.Label, o.Value))
		known = known || o.Value == f.text
	}
	if !known && f.text != "" { // an answer of the administrator's own
		list = append(list, huh.NewOption(f.text, f.text))
	}
	return huh.NewSelect[string]().Options(list...).Value(&f.text)
}

func (f *field) input() huh.Field {
	in := huh.NewInput().Prompt("> ").Placeholder(f.q.Hint()).Value(&f.text)
	if f.q.ScreenKind() == interview.Password {
		in = in.EchoMode(huh.EchoModePassword)
	}
	return in
}

// show makes the form of one part.
func (f *field) show(body huh.Field) {
	keys := huh.NewDefaultKeyMap()
	keys.Select.Filter.SetEnabled(false)
	f.form = huh.NewForm(huh.NewGroup(body)).WithShowHelp(false).WithShowErrors(false).
		WithTheme(f.st.form).WithKeyMap(keys).WithWidth(f.w)
	f.form.Init()
	f.resize(f.w)
}

// resize gives the form its width and all the height it needs.
func (f *field) resize(w int) {
	f.w, f.form = w, f.form.WithWidth(w)
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
	if msg.Paste { // the end of the line that was copied is no part of it
		if msg.Runes = []rune(strings.TrimRight(string(msg.Runes), "\r\n")); len(msg.Runes) == 0 {
			return
		}
	}
	if f.types() && !f.own && msg.Type == tea.KeyRunes {
		f.own, f.text = true, ""
		f.show(f.input())
	}
	if f.fresh && msg.Type == tea.KeyRunes {
		f.send(tea.KeyMsg{Type: tea.KeyEnd})
		f.send(tea.KeyMsg{Type: tea.KeyCtrlU})
	}
	f.fresh = false
	f.send(msg)
}

// types reports whether one may type instead of choosing.
func (f *field) types() bool { return f.q.Free && len(f.q.Selectable()) > 0 }

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
