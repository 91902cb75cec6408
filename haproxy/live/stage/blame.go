package stage

import (
	"fmt"
	"slices"
	"time"

	"bitgate/haproxy"
	"bitgate/haproxy/rehearsal"
)

// found groups what is wrong and looks for the lines that are to blame. What goes wrong
// in the same way for another cause is a finding of its own.
func (p *production) found(all []wrong, bitbucket bool) (findings []rehearsal.Finding) {
	groups := map[string][]wrong{}
	var order []string
	for _, w := range all {
		what := rehearsal.Alike(w.what, w.Request)
		if groups[what] == nil {
			order = append(order, what)
		}
		groups[what] = append(groups[what], w)
	}
	for _, what := range order {
		for g := groups[what]; len(g) > 0; {
			p.tell("looking for the line that is the cause")
			f := rehearsal.Finding{Bitbucket: bitbucket, What: what}
			cause, mended := p.cause(g[0])
			var mends []bool
			if bitbucket {
				mends = p.goWell(g, mended)
			}
			var rest []wrong
			for i, w := range g {
				if i == 0 || mends == nil || mends[i] {
					f.Requests = append(f.Requests, w.Name)
				} else {
					rest = append(rest, w)
				}
			}
			f.Cause, g = cause, rest
			findings = append(findings, f)
		}
	}
	return findings
}

// without is the candidate without some of its lines.
type without struct {
	set  []haproxy.Source
	cuts []rehearsal.Cut
}

// cause finds lines of the candidate without which a request goes as it should, and
// that candidate, nil where there is none.
func (p *production) cause(w wrong) (out []string, mended *without) {
	original := p.after.stage
	places := original.Rivals(w.Request)
	switch {
	case len(places) > 0:
	case w.Kind == rehearsal.ForOthers:
		var found []rehearsal.Change
		found, mended = p.changes(w)
		for _, c := range found[:min(len(found), mostBlamed)] {
			if gone := c.Gone(); gone != "" {
				out = append(out, fmt.Sprintf("%s, before line %d: %q is gone", c.File, c.Line, haproxy.Shown(gone)))
			} else {
				places = append(places, c.Place)
			}
		}
	default:
		places, mended = p.lines(w)
	}
	for _, at := range places {
		out = append(out, p.line(original, at))
	}
	if at, ok := original.Bind(w.Request); ok && len(out) == 0 {
		out = append(out, p.line(original, at))
	}
	return out, mended
}

// lines finds those that keep a request from Bitbucket.
func (p *production) lines(w wrong) (out []rehearsal.Place, mended *without) {
	suspects, near := p.after.stage.Suspects(w.Request, p.Bitbucket)
	good := func(cuts []rehearsal.Cut) bool { return p.goesWell(w, without{p.After, cuts}) }
	cuts := blamed(suspects[:near], good)
	if cuts == nil {
		cuts = blamed(suspects, good)
	}
	if cuts != nil {
		mended = &without{p.After, cuts}
	}
	for _, c := range cuts {
		if !slices.Contains(out, c.Place) {
			out = append(out, c.Place)
		}
	}
	return out, mended
}

// changes finds those that others meet.
func (p *production) changes(w wrong) (found []rehearsal.Change, mended *without) {
	all := rehearsal.Changes(p.Before, p.After)
	less := func(undone []rehearsal.Change) without {
		return without{set: rehearsal.Without(p.Before, p.After, all, undone)}
	}
	good := func(undone []rehearsal.Change) bool { return p.goesWell(w, less(undone)) }
	says := slices.DeleteFunc(slices.Clone(all), func(c rehearsal.Change) bool { return !c.Says() })
	rules := slices.DeleteFunc(slices.Clone(says), func(c rehearsal.Change) bool { return !c.Rule() })
	if found = blamed(rules, good); found == nil {
		found = blamed(says, good)
	}
	if found != nil {
		rest := less(found)
		mended = &rest
	}
	return found, mended
}

// mostBlamed is how many lines are named for one finding: more of them are no help.
const mostBlamed = 4

// blamed is a smallest part of the suspects that helps, when it is out. Where not all of them together do,
// because other lines need some, one alone may.
func blamed[T any](suspects []T, good func([]T) bool) []T {
	if found := rehearsal.Minimal(suspects, good); found != nil {
		return found
	}
	for i := range suspects {
		if good(suspects[i : i+1]) {
			return suspects[i : i+1]
		}
	}
	return nil
}

// tries is how often a request is asked of a candidate without some lines: it
// must go well each time.
const tries = 3

func (p *production) goesWell(w wrong, candidate without) bool {
	well := p.goWell([]wrong{w}, &candidate)
	return well != nil && well[0]
}

// costliest is how much of the search's time one candidate takes at most: what is beyond
// it is the machine's, which stood still.
const costliest = 2 * answerTime

// goWell asks a candidate what goes wrong; nil where that is not known, for want of
// time or because it does not start.
func (p *production) goWell(all []wrong, candidate *without) []bool {
	if candidate == nil || p.spent >= p.budget {
		return nil
	}
	began := time.Now()
	defer func() { p.spent += min(time.Since(began), costliest) }()
	original := p.after.stage
	defer func() { p.after.stage = original }()
	p.after.rewrite(candidate.set, candidate.cuts)
	if loaded, err := p.after.load(); err != nil || !loaded.Running {
		return nil
	}
	var requests []rehearsal.Request
	for i := range tries * len(all) {
		r := all[i/tries].Request
		r.Source = other(r.Source, 100+i)
		requests = append(requests, r)
	}
	answers, err := p.after.live.Ask(requests, answerTime/2)
	if err != nil {
		return nil
	}
	well := make([]bool, len(all))
	for i := range all {
		well[i] = true
	}
	for i, a := range answers {
		w := all[i/tries]
		var what string
		if w.Kind == rehearsal.ForOthers {
			what = p.differs(requests[i], []rehearsal.Answer{w.was}, []rehearsal.Answer{a})
		} else {
			what = p.Bitbucket.Reached(p.after.stage, requests[i], a)
		}
		well[i/tries] = well[i/tries] && what == ""
	}
	return well
}
