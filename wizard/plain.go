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
	p := &prompter{ctx: ctx, b: b, o: o, out: out, lines: newLineReader(ctx, in), iv: interviewWith(b, input, src, o), st: newStyle(io.Discard, Options{NoColor: true, Spell: o.Spell})}
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
	if p.o.Last != nil && p.iv.Facts.OpenRun == "" {
		renewal, worries := "", []problem.Finding(nil)
		if p.b.Renewal != nil && p.o.Last.SetUp() {
			renewal, worries = p.b.Renewal(p.ctx)
		}
		p.o.View.Finding(p.o.Last.finding(p.iv.Facts, renewal))
		p.findings(interview.WorthSaying(worries))
	}
	p.findings(interview.WorthSaying(p.iv.Facts.FindingsFor(p.iv.Answers)))
	if run := p.iv.Facts.OpenRun; run != "" {
		return outcome, openRun(run)
	}
	if when := p.o.Resumed.When; when != "" && len(p.o.Resumed.Answered) > 0 {
		p.say("", "Continuing where you left off ("+when+"). < leads back to what was answered.")
	}
	p.say("", "Enter takes the answer in brackets. ? explains, < goes back, ctrl+c quits.")
	q, ok := p.iv.Resume()
	if !ok { // nothing is open: leave a place at which one can go back
		var err error
		if q, ok, err = p.resumed(); err != nil {
			return outcome, err
		}
	}
	for {
		if err := p.interview(q, ok); err != nil {
			return outcome, err
		}
		outcome, err := p.review()
		fault, known := interview.AtFault(err)
		if !known || outcome.Applied || problem.KindOf(err) == problem.Cancelled {
			return outcome, err
		}
		p.say("", "x   "+p.st.problemLine(err))
		p.iv.Reopen(fault.ID)
		q, ok = fault, true
	}
}

// resumed is the one question of a session in which all are answered.
func (p *prompter) resumed() (interview.Question, bool, error) {
	for {
		fmt.Fprint(p.out, "\nEvery question is answered. Enter goes on to the review, < goes back to the last question, new asks all of them again: ")
		line, err := p.lines.next()
		if err != nil {
			return interview.Question{}, false, err
		}
		switch strings.TrimSpace(line) {
		case "":
			return interview.Question{}, false, nil
		case "<":
			q, ok := p.iv.Previous("")
			return q, ok, nil
		case "new":
			for _, q := range interview.Questions() {
				p.iv.Reopen(q.ID)
			}
			q, ok := p.iv.Resume()
			return q, ok, nil
		}
	}
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

// errBack asks for the question before, errLocked for another way than a password.
var (
	errBack   = errors.New("back")
	errLocked = errors.New("no further password")
)

// interview asks from q on what is open, until nothing is.
func (p *prompter) interview(q interview.Question, ok bool) error {
	for ok {
		visited := p.iv.Done(q.ID)
		err := p.ask(q)
		switch {
		case errors.Is(err, errBack):
			if before, any := p.iv.Previous(q.ID); any {
				q = before
			}
		case errors.Is(err, errLocked):
			q, ok = interview.Find("base-url-method")
		case err != nil:
			return err
		default:
			q, ok = p.iv.After(q, visited)
		}
	}
	return nil
}
