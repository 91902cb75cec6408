package wizard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// Plain asks the same questions line by line, for screen readers, small and
// dumb terminals and pipes: no redraw, no colour by itself, defaults in words.
// One reader serves all questions. The end of in, or of ctx, before consent is
// a cancellation: nothing was changed.
func Plain(ctx context.Context, in io.Reader, out io.Writer, b Backend, said setup.Answers, src setup.Sources, o Options) (Outcome, error) {
	if o.Width <= 0 {
		o.Width = defaultW
	}
	p := &prompter{ctx: ctx, b: b, o: o, out: out, lines: newLineReader(ctx, in), iv: newInterview(b, said, src), st: newStyle(io.Discard, true)}
	outcome, err := p.session()
	outcome.Answers = p.iv.answers
	if errors.Is(err, errCancelled) {
		outcome.Cancelled = true
		p.say("", "Cancelled. Nothing was changed.")
		return outcome, nil
	}
	return outcome, err
}

// errCancelled is the end of the input, or the person's wish, before consent.
var errCancelled = errors.New("cancelled")

type prompter struct {
	ctx   context.Context
	b     Backend
	o     Options
	out   io.Writer
	lines *lineReader
	iv    *interview
	st    style
	step  string // whose heading was printed last
}

// say prints paragraphs, wrapped.
func (p *prompter) say(paragraphs ...string) {
	for _, t := range paragraphs {
		if t == "" {
			fmt.Fprintln(p.out)
			continue
		}
		for _, l := range wrap(t, p.o.Width) {
			fmt.Fprintln(p.out, l)
		}
	}
}

func (p *prompter) findings(findings []setup.Finding) {
	for _, f := range findings {
		for _, l := range p.st.findingLines(f, p.o.Width) {
			fmt.Fprintln(p.out, l)
		}
	}
}

func (p *prompter) session() (Outcome, error) {
	var outcome Outcome
	p.say("bitgate puts this Bitbucket behind HTTPS. Nothing is changed before you type the word apply.", "Looking at this machine.")
	if err := p.look(); err != nil {
		return outcome, err
	}
	for _, l := range foundLines(p.iv.facts, p.iv.answers) {
		p.findings([]setup.Finding{{Level: l.level, Seen: strings.TrimRight(l.label+": "+l.value+from(strings.TrimPrefix(l.source, "from ")), " ")}})
	}
	p.findings(worthSaying(p.iv.facts.Findings))
	if run := p.iv.facts.OpenRun; run != "" {
		return outcome, openRun(run)
	}
	p.say("", "Enter takes the answer in brackets. ? explains, < goes back, ctrl+c quits.")
	if err := p.interview(); err != nil {
		return outcome, err
	}
	return p.review()
}

func (p *prompter) look() error {
	f, err := p.b.Detect(p.ctx, p.iv.said)
	if err != nil {
		if p.ctx.Err() != nil {
			return errCancelled
		}
		return err
	}
	p.iv.found(f)
	return nil
}

// errBack asks for the question before.
var errBack = errors.New("back")

// interview asks what is open, until nothing is.
func (p *prompter) interview() error {
	q, ok := p.iv.resume()
	for ok {
		err := p.ask(q)
		switch {
		case errors.Is(err, errBack):
			if before, any := p.iv.previous(q.ID); any {
				q = before
			}
		case err != nil:
			return err
		default:
			q, ok = p.iv.next(q.ID)
		}
	}
	return nil
}

// ask puts one question until it has an answer.
func (p *prompter) ask(q Question) error {
	if q.Step != p.step {
		p.step = q.Step
		title := stepTitle(q.Step, p.iv.answers)
		if n := stepNumber(q.Step); n > 0 {
			title = stepOf(n) + ": " + strings.TrimSuffix(title, " (optional)")
		}
		p.say("", title)
	}
	p.say("", q.Why)
	if q.ID == PasswordID {
		return p.signIn()
	}
	prefill := p.iv.prefill(q)
	if candidate, err := p.iv.preview(q, prefill); err == nil || q.ID != "url" {
		p.findings(advice(q, p.iv.facts, candidate))
	}
	for i, o := range q.options() {
		p.say(fmt.Sprintf("  %d. %s", i+1, o.Label))
	}
	for {
		text, err := p.read(q, prefill)
		if err != nil {
			return err
		}
		if err := p.iv.answer(q, text); err != nil {
			p.say("x   " + err.Error())
			continue
		}
		return p.follow(q)
	}
}

// read prompts and turns the line into an answer: empty is the one in
// brackets, "-" empties it, a number picks a choice.
func (p *prompter) read(q Question, prefill string) (string, error) {
	prompt := q.Title
	if shown := optionLabel(q, prefill); prefill != "" {
		prompt += " [" + shown
		if src := p.iv.source(q); src != "" {
			prompt += "; " + src
		}
		prompt += "]"
	} else if q.Example != "" {
		prompt += " (" + q.hint() + ")"
	}
	for {
		fmt.Fprint(p.out, prompt+": ")
		line, err := p.lines.next()
		if err != nil {
			return "", err
		}
		switch line = strings.TrimSpace(line); line {
		case "":
			return prefill, nil
		case "-":
			return "", nil
		case "<":
			return "", errBack
		case "?":
			p.explain(q)
			continue
		}
		if n, err := strconv.Atoi(line); err == nil && n >= 1 && n <= len(q.options()) {
			return q.options()[n-1].Value, nil
		}
		return line, nil
	}
}

func (p *prompter) explain(q Question) {
	p.say(q.Why)
	if q.Default != "" {
		p.say("Default: " + q.Default + ".")
	}
	if !q.Virtual {
		p.say(strings.TrimSpace("Without questions: --" + q.ID + " " + q.Arg))
	}
	for _, c := range considerations(q.Step) {
		p.say("-   " + c)
	}
}

// follow does what an answer entails: keep it, look again, check it.
func (p *prompter) follow(q Question) error {
	if p.b.SaveDraft != nil {
		_ = p.b.SaveDraft(p.iv.said)
	}
	if q.looks {
		if err := p.look(); err != nil {
			return err
		}
	}
	if q.slow && p.b.Check != nil {
		p.findings(p.b.Check(p.ctx, q.ID, p.iv.facts, p.iv.answers))
	}
	return p.ctxErr()
}

func (p *prompter) ctxErr() error {
	if p.ctx.Err() != nil {
		return errCancelled
	}
	return nil
}

// signIn asks for the password, three times at most.
func (p *prompter) signIn() error {
	for {
		prompt := "Password for " + p.iv.answers.AdminUser + ": "
		password, err := p.password(prompt)
		if err != nil {
			return err
		}
		if string(password) == "<" {
			return errBack
		}
		if len(password) == 0 {
			p.say("x   an answer is needed here; < goes back")
			continue
		}
		err = p.b.Login(p.ctx, p.iv.answers.AdminUser, password)
		wipe(password)
		if err == nil {
			p.iv.signedIn, p.iv.done[PasswordID] = p.iv.answers.AdminUser, true
			p.say("ok  signed in as " + p.iv.signedIn)
			return p.look()
		}
		if p.ctx.Err() != nil {
			return errCancelled
		}
		p.say("x   " + problemLine(err))
		if problem.KindOf(err) == problem.Credentials && !p.iv.refused() {
			return err
		}
	}
}

func (p *prompter) password(prompt string) ([]byte, error) {
	if p.o.ReadPassword != nil {
		password, err := p.o.ReadPassword(prompt)
		if err != nil {
			return nil, errCancelled
		}
		return password, nil
	}
	fmt.Fprint(p.out, prompt)
	line, err := p.lines.next()
	return []byte(strings.TrimRight(line, "\r\n")), err
}
