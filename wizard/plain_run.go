package wizard

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/problem"
	"bitgate/interview"
	"bitgate/setup"
)

// review prints the whole plan and asks for consent.
func (p *prompter) review() (Outcome, error) {
	var outcome Outcome
	plan, diffs, err := p.iv.FinishedPlan()
	if err != nil {
		return outcome, err
	}
	outcome.Plan, outcome.Answers = plan, p.iv.Answers
	p.say("", "Review: "+interview.PlanSummary(plan), "")
	p.o.View.Plan(plan, diffs)
	p.say("")
	for _, l := range p.st.spell.Texts(interview.CommandLines(p.iv)) {
		fmt.Fprintln(p.out, l)
	}
	findings, err := p.prove(plan)
	if err != nil {
		return outcome, err
	}
	p.say("", "Checks")
	p.findings(unsaid(findings, plan.Notes))
	switch bad := problem.Failures(interview.Distinct(append(slices.Clone(findings), plan.Notes...))); {
	case plan.Empty():
		p.say("", "Nothing to do: this server is as you want it.")
		outcome.Result.State, outcome.Result.Pending = setup.RunNothing, plan.Pending
		return p.finish(outcome), nil
	case len(bad) > 0:
		p.say("", interview.Count(len(bad), "check")+" failed: the plan cannot be applied yet. Nothing was changed.")
		return outcome, bad[0].Err()
	}
	if err := p.consent(plan); err != nil {
		return outcome, err
	}
	return p.apply(outcome), nil
}

func (p *prompter) prove(plan setup.Plan) ([]problem.Finding, error) {
	if p.b.CheckPlan == nil || plan.Empty() {
		return nil, nil
	}
	findings, err := p.b.CheckPlan(p.ctx, p.iv.Facts, plan)
	if p.ctx.Err() != nil {
		return nil, errCancelled
	}
	return findings, err
}

// consent takes the word; an empty line or anything else asks again, the end
// of the input and "no" leave.
func (p *prompter) consent(plan setup.Plan) error {
	for range 3 {
		prompt := "Type the word apply to change this server, no to leave"
		if p.b.SavePlan != nil {
			prompt += ", save to keep the plan"
		}
		p.say("")
		fmt.Fprint(p.out, prompt+": ")
		line, err := p.lines.next()
		if err != nil {
			return err
		}
		switch word := strings.TrimSpace(line); word {
		case consentWord:
			return nil
		case "no", "n", "q", "quit":
			return errCancelled
		case "save":
			p.savePlan(plan)
		default:
			p.say("Only the word apply counts.")
		}
	}
	return errCancelled
}

func (p *prompter) savePlan(plan setup.Plan) {
	if p.b.SavePlan == nil {
		return
	}
	path, err := p.b.SavePlan(plan)
	if err != nil {
		p.say("x   " + p.st.problemLine(err))
		return
	}
	p.say("ok  saved as " + path)
}

// apply runs the plan and prints every event as a line of its own.
func (p *prompter) apply(outcome Outcome) Outcome {
	outcome.Applied = true
	outcome.Result, outcome.Err = p.b.Apply(p.ctx, outcome.Plan, p.choose, p.o.View.Event)
	outcome.Stopped = p.ctx.Err() != nil
	if outcome.Err != nil || outcome.Result.State != setup.RunCommitted && outcome.Result.State != setup.RunNothing {
		return p.summary(outcome)
	}
	return p.finish(outcome)
}

// finish checks from outside and sums up.
func (p *prompter) finish(outcome Outcome) Outcome {
	if p.b.Verify != nil {
		p.say("", "Checking from outside.")
		outcome.Findings = p.b.Verify(p.ctx, outcome.Plan, p.o.View.Finding)
	}
	return p.summary(outcome)
}

func (p *prompter) summary(outcome Outcome) Outcome {
	p.say("")
	outcome.Answers = p.iv.Answers
	for _, l := range summary(outcome, p.b.After, p.st, p.o.Width) {
		fmt.Fprintln(p.out, l)
	}
	if canServe(p.b, outcome) {
		p.say("", "The built-in proxy now runs in this terminal; ctrl+c ends it.")
		outcome.Err = p.b.ServeNow(p.ctx, outcome.Plan)
	}
	return outcome
}

// choose puts a decision of the running apply. Without an answer it is taken back.
func (p *prompter) choose(text, detail string, choices []setup.Decision) setup.Decision {
	p.say("", "!   "+text, detail)
	for i, c := range choices {
		p.say(fmt.Sprintf("  %d. %s", i+1, decisionLabels[c]))
	}
	for {
		fmt.Fprintf(p.out, "Number or word (%s): ", joinDecisions(choices))
		line, err := p.lines.next()
		if err != nil {
			return setup.DecideBack
		}
		line = strings.TrimSpace(line)
		n, _ := strconv.Atoi(line)
		for i, c := range choices {
			if n == i+1 || line == string(c) {
				return c
			}
		}
	}
}

func joinDecisions(choices []setup.Decision) string {
	var out []string
	for _, c := range choices {
		out = append(out, string(c))
	}
	return strings.Join(out, ", ")
}

// unsaid leaves out what the plan's own notes have said.
func unsaid(findings, notes []problem.Finding) []problem.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f problem.Finding) bool { return slices.Contains(notes, f) })
}
