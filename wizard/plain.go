package wizard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"bitgate/internal/problem"
	"bitgate/interview"
	"bitgate/setup"
)

// Plain asks the same questions line by line, for screen readers, small and
// dumb terminals and pipes: no redraw, no colour by itself, defaults in words.
// One reader serves all questions. The end of in, or of ctx, before consent is
// a cancellation: nothing was changed.
func Plain(ctx context.Context, in io.Reader, out io.Writer, b Backend, input setup.Answers, src setup.Sources, o Options) (Outcome, error) {
	if o.Width <= 0 {
		o.Width = defaultW
	}
	p := &prompter{ctx: ctx, b: b, o: o, out: out, lines: newLineReader(ctx, in), iv: interviewWith(b, input, src, o), st: newStyle(io.Discard, true)}
	outcome, err := p.session()
	outcome.Answers = p.iv.Answers
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
	iv    *interview.Interview
	st    style
	step  string // whose heading was printed last
}

// say prints paragraphs, wrapped; an empty first one is an empty line.
func (p *prompter) say(paragraphs ...string) {
	for i, t := range paragraphs {
		if t == "" && i > 0 {
			continue
		}
		if t == "" {
			fmt.Fprintln(p.out)
			continue
		}
		for _, l := range wrapText(t, p.o.Width) {
			fmt.Fprintln(p.out, l)
		}
	}
}

func (p *prompter) findings(findings []problem.Finding) {
	for _, f := range findings {
		p.o.View.Finding(f)
	}
}

func (p *prompter) session() (Outcome, error) {
	var outcome Outcome
	p.say("bitgate puts this Bitbucket behind HTTPS. Nothing is changed before you type the word apply.", "Looking at this machine.")
	if err := p.look(); err != nil {
		return outcome, err
	}
	for _, l := range interview.FoundLines(p.iv.Facts, p.iv.Answers) {
		p.findings([]problem.Finding{{Level: l.Level, Found: strings.TrimRight(l.Label+": "+l.Value+interview.SourceNote(p.iv.Facts, l.Source), " ")}})
	}
	p.findings(interview.WorthSaying(p.iv.Facts.Findings))
	if run := p.iv.Facts.OpenRun; run != "" {
		return outcome, openRun(run)
	}
	if when := p.o.Resumed.When; when != "" && len(p.o.Resumed.Answered) > 0 {
		p.say("", "Continuing where you left off ("+when+"). < leads back to what was answered.")
	}
	p.say("", "Enter takes the answer in brackets. ? explains, < goes back, ctrl+c quits.")
	if err := p.interview(); err != nil {
		return outcome, err
	}
	return p.review()
}

func (p *prompter) look() error {
	f, err := p.b.Detect(p.ctx, p.iv.Input)
	if err != nil {
		if p.ctx.Err() != nil {
			return errCancelled
		}
		return err
	}
	p.iv.Found(f)
	return nil
}

// errBack asks for the question before.
var errBack = errors.New("back")

// interview asks what is open, until nothing is.
func (p *prompter) interview() error {
	q, ok := p.iv.Resume()
	for ok {
		visited := p.iv.Done(q.ID)
		err := p.ask(q)
		switch {
		case errors.Is(err, errBack):
			if before, any := p.iv.Previous(q.ID); any {
				q = before
			}
		case err != nil:
			return err
		default:
			q, ok = p.iv.After(q, visited)
		}
	}
	return nil
}
