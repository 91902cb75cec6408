package wizard

import (
	"fmt"
	"strconv"
	"strings"

	"bitgate/internal/problem"
	"bitgate/interview"
)

// ask puts one question until it has an answer.
func (p *prompter) ask(q interview.Question) error {
	if q.Step != p.step {
		p.step = q.Step
		title := interview.StepTitle(q.Step, p.iv.Answers)
		if n := interview.StepNumber(q.Step); n > 0 {
			title = interview.StepOf(n) + ": " + strings.TrimSuffix(title, " (optional)")
		}
		p.say("", title)
	}
	p.say("", q.Why, p.o.Notes[q.ID])
	switch q.ID {
	case interview.PasswordID:
		return p.signIn()
	case interview.CertPasswordID:
		return p.unlock(q)
	}
	prefill := p.iv.Prefill(q)
	if candidate, err := p.iv.Preview(q, prefill); err == nil || q.ID != "url" {
		p.findings(interview.Advice(q, p.iv.Facts, candidate))
	}
	for i, o := range q.Offered(prefill) {
		p.say(fmt.Sprintf("  %d. %s", i+1, o.Label))
	}
	for {
		text, err := p.read(q, prefill)
		if err != nil {
			return err
		}
		if q.ID == interview.FetchChainID && interview.Fetches(text) {
			if fetched, err := p.fetchChain(text); fetched || err != nil {
				return err
			}
			continue
		}
		if err := p.iv.Answer(q, text); err != nil {
			p.say("x   " + err.Error())
			continue
		}
		fit, err := p.follow(q)
		if err != nil || fit {
			return err
		}
		p.iv.Reopen(q.ID)
		prefill = p.iv.Prefill(q)
	}
}

// read prompts and turns the line into an answer: empty is the one in
// brackets, "-" empties it, a number picks a choice.
func (p *prompter) read(q interview.Question, prefill string) (string, error) {
	prompt := q.Title
	if shown := interview.OptionLabel(q, prefill); prefill != "" {
		prompt += " [" + shown
		if src := p.iv.Source(q); src != "" {
			prompt += "; " + src
		}
		prompt += "]"
	} else if q.Example != "" {
		prompt += " (" + q.Hint() + ")"
	}
	prompt = strings.Join(wrapText(prompt+":", p.o.Width-1), "\n") // a terminal breaks within words
	for {
		fmt.Fprint(p.out, prompt+" ")
		line, err := p.lines.next()
		if err != nil {
			return "", err
		}
		switch line = strings.TrimSpace(line); line {
		case "":
			return prefill, nil
		case "-":
			if q.Dash {
				return line, nil
			}
			return "", nil
		case "<":
			return "", errBack
		case "?":
			p.explain(q)
			continue
		}
		offered := q.Offered(prefill)
		if n, err := strconv.Atoi(line); err == nil && n >= 1 && n <= len(offered) {
			return offered[n-1].Value, nil
		}
		return line, nil
	}
}

func (p *prompter) explain(q interview.Question) {
	p.say(q.Why)
	if q.Default != "" {
		p.say("Default: " + q.Default + ".")
	}
	if !q.Virtual {
		p.say(strings.TrimSpace("Without questions: --" + q.ID + " " + q.Arg))
	}
	for _, c := range interview.Considerations(q.Step) {
		p.say("-   " + c)
	}
	for _, t := range interview.Terms(q.Step) {
		p.say(t.Name + ": " + t.Means)
	}
}

// follow does what an answer entails: keep it, look again, check it. A file that
// is unfit is asked for again.
func (p *prompter) follow(q interview.Question) (fit bool, err error) {
	if p.b.SaveDraft != nil {
		_ = p.b.SaveDraft(p.iv.Input, p.iv.Answered())
	}
	if q.Looks {
		if err := p.look(); err != nil {
			return false, err
		}
	}
	if !q.Slow || p.b.Check == nil {
		return true, p.ctxErr()
	}
	findings := p.b.Check(p.ctx, q.ID, p.iv.Facts, p.iv.Answers)
	p.findings(findings)
	return !q.Judged() || len(problem.Failures(findings)) == 0, p.ctxErr()
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
		prompt := "Password for " + p.iv.Answers.AdminUser + ": "
		password, err := p.password(prompt)
		if err != nil {
			return err
		}
		if string(password) == "?" { // as at every question; it is nobody's password
			q, _ := interview.Find(interview.PasswordID)
			p.explain(q)
			continue
		}
		if string(password) == "<" {
			return errBack
		}
		if len(password) == 0 {
			p.say("x   an answer is needed here; < goes back")
			continue
		}
		err = p.b.Login(p.ctx, p.iv.Answers, password)
		clear(password)
		if err == nil {
			p.iv.SignIn(p.iv.Answers.AdminUser)
			p.say("ok  signed in as " + p.iv.SignedIn)
			return p.look()
		}
		if p.ctx.Err() != nil {
			return errCancelled
		}
		p.say("x   " + p.st.problemLine(err))
		if problem.KindOf(err) == problem.Credentials {
			if !p.iv.Refused() {
				p.say(strings.ToUpper(interview.LockedAdvice[:1]) + interview.LockedAdvice[1:] + ".")
				return errLocked
			}
			p.say(fmt.Sprintf("%d of %d tries", p.iv.Refusals, interview.MaxRefusals))
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
