package wizard

import (
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"bitgate/internal/publicurl"
	"bitgate/interview"
	"bitgate/setup"
)

// pump drives a model the way the program would, without a terminal and
// without waiting: timers fire only when a test says so.
type pump struct {
	t       *testing.T
	m       *model
	machine *machine
	msgs    chan tea.Msg
	pending int
	timers  []tea.Msg
	quit    bool
	pressed map[string]int // keys, counted
}

func newPump(t *testing.T, mc *machine, input setup.Answers, src setup.Sources, o Options) *pump {
	t.Helper()
	return newPumpWith(t, mc, mc.backend(), input, src, o)
}

func newPumpWith(t *testing.T, mc *machine, b Backend, input setup.Answers, src setup.Sources, o Options) *pump {
	t.Helper()
	clock := time.Date(2026, 11, 22, 10, 1, 0, 0, time.UTC)
	o.Now = func() time.Time { return clock }
	p := &pump{t: t, machine: mc, msgs: make(chan tea.Msg, 100), pressed: map[string]int{}}
	p.m = newModel(t.Context(), b, input, src, o, newStyle(io.Discard, Options{NoColor: true, Spell: o.Spell}))
	p.m.tick = func(_ time.Duration, msg tea.Msg) tea.Cmd {
		p.timers = append(p.timers, msg)
		return nil
	}
	return p
}

func (p *pump) start(w, h int) *pump {
	p.run(p.m.Init())
	p.send(tea.WindowSizeMsg{Width: w, Height: h})
	return p
}

// run starts a command; its message is taken by settle.
func (p *pump) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	p.pending++
	go func() { p.msgs <- cmd() }()
}

// send delivers a message and everything that follows from it.
func (p *pump) send(msg tea.Msg) {
	p.deliver(msg)
	p.settle()
}

func (p *pump) deliver(msg tea.Msg) {
	switch msg := msg.(type) {
	case nil:
		return
	case tea.QuitMsg:
		p.quit = true
		return
	case tea.BatchMsg:
		for _, cmd := range msg {
			p.run(cmd)
		}
		return
	}
	_, cmd := p.m.Update(msg)
	p.run(cmd)
}

// settle takes messages until nothing is under way, or a run waits for a decision.
func (p *pump) settle() {
	for p.pending > 0 && p.m.run.decision == nil {
		msg := <-p.msgs
		p.pending--
		p.deliver(msg)
	}
}

// rest lets the keyboard be quiet: the last timer of each kind fires.
func (p *pump) rest() {
	timers := p.timers
	p.timers = nil
	last := map[reflect.Type]tea.Msg{}
	for _, msg := range timers {
		last[reflect.TypeOf(msg)] = msg
	}
	for _, msg := range last {
		if _, spinner := msg.(spinMsg); !spinner {
			p.send(msg)
		}
	}
}

// rest2 is rest for chains of calls.
func (p *pump) rest2() *pump {
	p.rest()
	return p
}

var specialKeys = map[string]tea.KeyType{
	"enter": tea.KeyEnter, "esc": tea.KeyEsc, "tab": tea.KeyTab, "shift+tab": tea.KeyShiftTab, "up": tea.KeyUp, "down": tea.KeyDown,
	"ctrl+c": tea.KeyCtrlC, "ctrl+u": tea.KeyCtrlU, "f1": tea.KeyF1, "backspace": tea.KeyBackspace, "pgdown": tea.KeyPgDown, "end": tea.KeyEnd,
}

func keyMsg(name string) tea.KeyMsg {
	if t, ok := specialKeys[name]; ok {
		return tea.KeyMsg{Type: t}
	}
	if name == " " {
		return tea.KeyMsg{Type: tea.KeySpace, Runes: []rune{' '}}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(name)}
}

// keys presses keys one after the other.
func (p *pump) keys(names ...string) *pump {
	for _, n := range names {
		p.pressed[n]++
		p.send(keyMsg(n))
	}
	return p
}

// enterText replaces what stands in the field and presses Enter.
func (p *pump) enterText(text string) *pump {
	p.t.Helper()
	if p.m.page != pageAsk {
		p.t.Fatalf("there is no question on the screen:\n%s", p.m.View())
	}
	p.clear()
	for _, r := range text {
		p.keys(string(r))
	}
	return p.keys("enter")
}

func (p *pump) clear() {
	p.keys("end", "ctrl+u")
}

// choose moves to an option of the question and presses Enter.
func (p *pump) choose(value string) *pump {
	p.t.Helper()
	for range p.m.ask.q.Selectable() {
		if p.m.ask.field.text == value {
			return p.keys("enter")
		}
		p.keys("down")
	}
	p.t.Fatalf("%s has no option %q", p.m.ask.q.ID, value)
	return p
}

// at asserts the question on the screen.
func (p *pump) at(id string) *pump {
	p.t.Helper()
	if p.m.page != pageAsk || p.m.ask.q.ID != id {
		p.t.Fatalf("want the question %q, the screen is page %d, question %q:\n%s", id, p.m.page, p.m.ask.q.ID, p.m.View())
	}
	return p
}

func (p *pump) sees(texts ...string) *pump {
	p.t.Helper()
	view := p.m.View()
	for _, text := range texts {
		if !strings.Contains(view, text) {
			p.t.Errorf("the screen lacks %q:\n%s", text, view)
		}
	}
	return p
}

// standard answers every question of the standard run as a person would.
func (p *pump) standard() *pump {
	p.t.Helper()
	p.keys("enter").at("url").enterText("git.example.com")
	p.at("admin-user").enterText("admin")
	p.at(interview.PasswordID).enterText(p.machine.password)
	p.at("cert").enterText("/etc/ssl/git.pem")
	p.at("key").enterText("/etc/ssl/git.key")
	p.at("ssh").keys("enter")
	if p.m.page != pageReview {
		p.t.Fatalf("want the review:\n%s", p.m.View())
	}
	return p
}

func (p *pump) url(text string) publicurl.URL {
	p.t.Helper()
	var u publicurl.URL
	if err := u.UnmarshalText([]byte(text)); err != nil {
		p.t.Fatal(err)
	}
	return u
}

// consents types the word as a person does.
func (p *pump) consents() *pump {
	p.keys("a").rest()
	return p.keys("a", "p", "p", "l", "y", "enter")
}
