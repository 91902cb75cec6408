package stage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bitgate/haproxy/rehearsal"
)

// production is a rehearsal under way: both sides run.
type production struct {
	*Rehearsal
	before, after *side // before.live is nil where there is nothing to compare with
	report        *rehearsal.Report
	each          time.Duration // that one request took

	// What the search for causes may take, and has taken by now.
	budget, spent time.Duration
}

// othersTime is about how long the requests of others may take, where HAProxy is
// slow with this configuration; fewest of them are asked all the same.
const (
	othersTime = 4 * time.Second
	fewest     = 80
)

// most is how many requests of others there is time for.
func (p *production) most() int {
	return max(int(othersTime/max(p.each, time.Millisecond)), fewest)
}

// wrong is a request that does not go as it should.
type wrong struct {
	rehearsal.Request
	what string
	was  rehearsal.Answer
}

func (p *production) rehearse() error {
	began := time.Now()
	b := p.Bitbucket
	ours := slices.Concat(b.Requests(b.Doors(p.after.stage.Doors)), b.SSHRequests(p.after.stage.Doors), b.PlainRequests())
	if len(ours) == 0 || ours[0].Kind == rehearsal.SSH {
		p.report.Findings = append(p.report.Findings, rehearsal.Finding{Bitbucket: true, What: fmt.Sprintf("nothing listens on port %d", b.URL.Port()), Requests: []string{"all"}})
	}
	p.report.Bitbucket = max(len(ours), 1)
	p.tell(fmt.Sprintf("%d requests for Bitbucket", len(ours)))
	bad, err := p.reached(ours)
	if err != nil {
		return err
	}
	var changed []wrong
	if p.before.live != nil {
		if changed, err = p.compared(); err != nil {
			return err
		}
	}
	// Last, so that what counts requests counts none of these among the others.
	bursts := b.Bursts(b.Doors(p.after.stage.Doors))
	refused, err := p.reached(bursts)
	if err != nil {
		return err
	}
	p.report.Bitbucket += len(bursts)
	bad, bound, err := p.listed(append(bad, refused...))
	if err != nil {
		return err
	}
	var minor, singled []wrong
	if len(bad)+len(bound) == 0 { // else it says the same once more
		if minor, err = p.reached(b.Preflights(b.Doors(p.after.stage.Doors))); err != nil {
			return err
		}
		few := b.Singled(p.after.stage, p.after.lists())
		if singled, err = p.reached(few); err != nil {
			return err
		}
		p.report.Bitbucket += len(few)
	}
	p.budget = max(causeTime, time.Since(began))
	p.report.Findings = append(p.report.Findings, p.found(bad, true)...)
	p.report.Findings = append(p.report.Findings, p.found(changed, false)...)
	p.report.Bound = p.found(bound, true)
	p.report.Minor = p.found(minor, true)
	p.report.Singled = p.found(singled, true)
	return nil
}

// listed parts what goes wrong from some addresses alone: a section may let in
// only clients that its files list.
func (p *production) listed(all []wrong) (bad, bound []wrong, err error) {
	var many []rehearsal.Request
	var of []int
	for _, source := range rehearsal.Thin(p.after.stage.Sources(p.after.lists()), mostSources) {
		for i, w := range all {
			if w.Source != "" && strings.Contains(w.Source, ":") == strings.Contains(source, ":") {
				r := w.Request
				r.Source = source
				many, of = append(many, r), append(of, i)
			}
		}
	}
	if len(many) == 0 {
		return all, nil, nil
	}
	answers, err := p.after.live.Ask(many, answerTime)
	if err != nil {
		return nil, nil, err
	}
	well := make([]bool, len(all))
	for n, a := range answers {
		well[of[n]] = well[of[n]] || p.Bitbucket.Reached(p.after.stage, many[n], a) == ""
	}
	for i, w := range all {
		if well[i] {
			bound = append(bound, w)
		} else {
			bad = append(bad, w)
		}
	}
	return bad, bound, nil
}

// mostSources is how many addresses of clients are tried.
const mostSources = 8

func (p *production) tell(what string) {
	if p.Progress != nil {
		p.Progress(what)
	}
}

// reached asks the candidate what Bitbucket's users ask.
func (p *production) reached(ours []rehearsal.Request) ([]wrong, error) {
	began := time.Now()
	answers, err := p.after.live.Ask(ours, answerTime)
	if err != nil {
		return nil, err
	}
	p.each = time.Since(began) / time.Duration(max(len(ours), 1))
	var bad, late []wrong
	for i, r := range ours {
		if answers[i].Late() {
			late = append(late, wrong{Request: r, what: p.Bitbucket.Reached(p.after.stage, r, answers[i])})
		} else if what := p.Bitbucket.Reached(p.after.stage, r, answers[i]); what != "" {
			bad = append(bad, wrong{Request: r, what: what})
		}
		if at, ok := p.after.stage.Bind(r); ok && answers[i].Protocol == "h2" && !p.after.stage.WideWindow() {
			if line := p.line(p.after.stage, at); !slices.Contains(p.report.HTTP2, line) {
				p.report.HTTP2 = append(p.report.HTTP2, line)
			}
		}
	}
	if late, err = p.patiently(late, func(some []rehearsal.Request) ([]bool, error) {
		answers, err := p.after.live.Ask(some, answerTime)
		well := make([]bool, len(answers))
		for i, a := range answers {
			well[i] = p.Bitbucket.Reached(p.after.stage, some[i], a) == ""
		}
		return well, err
	}); err != nil {
		return nil, err
	}
	bad, err = p.still(bad)
	return append(bad, late...), err
}

// compared asks both sides what everybody else is asked.
func (p *production) compared() ([]wrong, error) {
	requests, of := rehearsal.Others(p.before.stage, p.after.stage, p.Bitbucket, merged(p.before.lists(), p.after.lists()))
	requests = rehearsal.Thin(requests, p.most())
	p.report.Others = len(requests)
	if of > len(requests) {
		p.report.Sampled = of
	}
	p.report.Addresses = addresses(requests)
	p.tell(fmt.Sprintf("%d requests for others, of both configurations", len(requests)))
	was, is, err := p.both(requests, answerTime)
	if err != nil {
		return nil, err
	}
	var differ []rehearsal.Request
	var late []wrong
	for i, r := range requests {
		what := p.Bitbucket.Compare(p.before.stage, p.after.stage, r, was[i], is[i])
		switch {
		case what == "":
		case was[i].Late() || is[i].Late():
			late = append(late, wrong{r, what, was[i]})
		default:
			differ = append(differ, r)
		}
	}
	if late, err = p.patiently(late, func(some []rehearsal.Request) ([]bool, error) {
		was, is, err := p.both(some, answerTime)
		well := make([]bool, len(is))
		for i := range is {
			well[i] = p.Bitbucket.Compare(p.before.stage, p.after.stage, some[i], was[i], is[i]) == ""
		}
		return well, err
	}); err != nil {
		return nil, err
	}
	changed, err := p.confirmed(differ)
	return append(changed, late...), err
}

func (p *production) both(requests []rehearsal.Request, limit time.Duration) (was, is []rehearsal.Answer, err error) {
	done := make(chan error, 1)
	go func() {
		var err error
		was, err = p.before.live.Ask(requests, limit)
		done <- err
	}()
	is, err = p.after.live.Ask(requests, limit)
	if before := <-done; before != nil {
		err = before
	}
	return was, is, err
}

// differs says how one of the candidate's answers is like none of the present
// configuration's.
func (p *production) differs(r rehearsal.Request, was, is []rehearsal.Answer) string {
	for _, a := range is {
		what := ""
		for _, w := range was {
			x, y := w, a
			for _, v := range was {
				rehearsal.WithoutVolatile(w, v, &x, &y)
			}
			if what = p.Bitbucket.Compare(p.before.stage, p.after.stage, r, x, y); what == "" {
				break
			}
		}
		if what != "" {
			return what
		}
	}
	return ""
}

// addresses counts the names at listeners that requests go to.
func addresses(requests []rehearsal.Request) int {
	all := map[string]bool{}
	for _, r := range requests {
		all[r.Address+" "+r.Host+r.SNI] = true
	}
	return len(all)
}

// line shows one of the candidate's, as those number it who see the present file.
func (r *Rehearsal) line(candidate *rehearsal.Stage, at rehearsal.Place) string {
	if !r.Merged {
		return candidate.Line(at)
	}
	return candidate.LineOf(at, r.Before)
}

// untried are the lines of which the rehearsal alone could tell, and that were left
// out of it.
func (p *production) untried() (out []string) {
	for _, c := range slices.Concat(p.after.drop, p.after.stage.Out) {
		line := p.line(p.after.stage, c.Place)
		if slices.ContainsFunc(p.Unjudged, func(u string) bool { return strings.HasPrefix(u, line) }) {
			out = append(out, line)
		}
	}
	return out
}
