package wizard

import (
	"fmt"
	"strconv"
	"strings"

	"bitgate/internal/problem"
)

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
	p.say("", q.Why, p.o.Notes[q.ID])
	if q.ID == PasswordID {
		return p.signIn()
	}
	prefill := p.iv.prefill(q)
	if candidate, err := p.iv.preview(q, prefill); err == nil || q.ID != "url" {
		p.findings(advice(q, p.iv.facts, candidate))
	}
	for i, o := range q.offered(prefill) {
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
		offered := q.offered(prefill)
		if n, err := strconv.Atoi(line); err == nil && n >= 1 && n <= len(offered) {
			return offered[n-1].Value, nil
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
		_ = p.b.SaveDraft(p.iv.said, p.iv.answered())
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
