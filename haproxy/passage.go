package haproxy

import (
	"fmt"
	"slices"
	"strings"

	"bitgate/internal/problem"
)

// passage is the way of our requests through the rules of a section that we
// share, those first that it inherits (manual, 4.1: rules of named defaults come
// before the section's own).
type passage struct {
	*sectionEditor
	*evaluator
	passed    bool   // a rule has let all our requests by those that follow
	allow     int    // the first rule that refuses names it does not know, -1 without
	open      []rule // rules that hold for some clients of ours
	touching  []rule
	inherited bool // the rules are those of defaults: no exception can stand before them
}

// rule is a line that concerns our requests.
type rule struct {
	file *draft
	line int
	w    []Word
}

// through goes through all rules. Those of which the name and the path do not tell
// whether they keep our requests from Bitbucket are left for a rehearsal.
func (e *sectionEditor) through(host string) (*passage, error) {
	p := &passage{sectionEditor: e, allow: -1}
	lineage := p.merge.lineage(p.shared.place)
	for n, at := range slices.Backward(lineage) {
		p.inherited = n > 0
		p.evaluator = p.merge.evaluator(at, host, p.site.URL.Port(), true)
		d := p.merge.files[at.file]
		var failed error
		d.each(p.merge.section(at), func(i int, w []Word) {
			if failed == nil {
				failed = p.pass(rule{d, i, w})
			}
		})
		if failed != nil {
			return p, failed
		}
	}
	return p, nil
}

// pass is one line. What an exception of ours lets by is past all http-request rules
// that follow it.
func (p *passage) pass(r rule) error {
	http := r.w[0].Text == "http-request"
	effect := effectOf(r.w)
	t := p.judge(r)
	switch {
	case effect == harmless, http && p.passed:
	case effect == concerns, effect == changes && p.spares(r):
		if !http || effect == concerns {
			p.touching = append(p.touching, r)
		}
	case t == no:
	case effect == letsBy:
		p.passed = t == yes
	case p.allow >= 0 && http:
		if effect == stops && t == maybe {
			return p.refuseRule(r, fmt.Sprintf("the rule guards all sites, but line %d refuses names it does not know before; an exception for Bitbucket there would let it past this rule", p.allow+1),
				fmt.Sprintf("move line %d below line %d, or let it pass %s", p.allow+1, r.line+1, p.site.URL.Host()))
		}
	case effect == stops && http && t == yes && p.hosts && word(r.w, 1) != "auth" && !p.inherited:
		p.allow = r.line
	case t == maybe && p.byClient(r.w):
		p.open = append(p.open, r)
	default:
		p.merge.unjudged = append(p.merge.unjudged, p.shown(r))
	}
	return nil
}

// judge is what the condition says; names that stand in a file or a map are not
// ours, as those that stand in the line are not, where an exception can be made.
func (p *passage) judge(r rule) tristate {
	t := p.rule(r.w)
	if t == maybe && p.unread && r.w[0].Text == "http-request" && !p.inherited {
		p.lists = no
		if p.rule(r.w) == yes {
			t = yes
		}
		p.lists = maybe
	}
	return t
}

// spares reports whether a line changes or answers nothing that is ours: it is about
// a header field that nobody needs, or a path of the section's own.
func (p *passage) spares(r rule) bool {
	switch w := r.w; w[0].Text + " " + word(w, 1) {
	case "stats uri":
		return p.paths(patterns{method: "beg", texts: []string{word(w, 2)}}) == no
	case "stats enable":
		return p.paths(patterns{method: "beg", texts: []string{"/haproxy?stats"}}) == no // unless it has another
	default:
		if w[0].Text == "monitor-uri" {
			return p.paths(patterns{texts: []string{word(w, 1)}}) == no
		}
		return spares(w)
	}
}

func (p *passage) refuseRule(r rule, why, do string) error {
	return problem.New(p.shown(r), why, do)
}

// shown is a line as people are told of it.
func (p *passage) shown(r rule) string {
	text := r.file.shownLine(r.line)
	if p.inherited {
		text += fmt.Sprintf(" (which %q inherits)", p.sec.Title())
	}
	return text
}

// numbersOf lists the lines of rules, with their file where that is another.
func (p *passage) numbersOf(rules []rule) string {
	var here []int
	var elsewhere []string
	for _, r := range rules {
		if r.file == p.draft {
			here = append(here, r.line)
		} else {
			elsewhere = append(elsewhere, fmt.Sprintf("%s, line %d", r.file.Path, r.line+1))
		}
	}
	if len(here) > 0 {
		elsewhere = append([]string{numbers(here)}, elsewhere...)
	}
	return strings.Join(elsewhere, "; ")
}

// numbers is "line 3" or "lines 3-5, 8", of indexes.
func numbers(lines []int) string {
	slices.Sort(lines)
	lines = slices.Compact(lines)
	var out []string
	for i := 0; i < len(lines); i++ {
		first := lines[i]
		for i+1 < len(lines) && lines[i+1] == lines[i]+1 {
			i++
		}
		if lines[i]-first > 1 {
			out = append(out, fmt.Sprintf("%d-%d", first+1, lines[i]+1))
			continue
		}
		for n := first; n <= lines[i]; n++ {
			out = append(out, fmt.Sprint(n+1))
		}
	}
	if len(lines) == 1 {
		return "line " + out[0]
	}
	return "lines " + strings.Join(out, ", ")
}
