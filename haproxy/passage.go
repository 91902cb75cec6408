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
	left      []request // those that no rule has let by
	allow     int       // the first rule that refuses names it does not know, -1 without
	open      []rule    // rules that may hold for ours too
	touching  []rule
	inherited bool // the rules are those of defaults: no exception can stand before them
}

// rule is a line that concerns our requests.
type rule struct {
	file *draft
	line int
	w    []Word
}

// through goes through all rules; the first that stands in the way of our
// requests is an error that names its line.
func (e *sectionEditor) through(host string) (*passage, error) {
	p := &passage{sectionEditor: e, allow: -1, left: requests(e.site.URL)}
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

// pass is one line.
func (p *passage) pass(r rule) error {
	switch effectOf(r.w) {
	case stops:
		return p.stop(r)
	case disconnects:
		return p.connect(r)
	case letsBy:
		p.let(r)
	case rewrites:
		return p.move(r)
	case setsField:
		return p.name(r)
	case setsAnswer:
		return p.nameAnswer(r)
	case answersItself:
		return p.answer(r)
	case concerns:
		p.touching = append(p.touching, r)
	}
	return nil
}

// judge is what the condition says; names that stand in a file or a map are not
// ours, as those that stand in the line are not, where an exception can be made.
func (p *passage) judge(r rule) (tristate, []request) {
	t, held := p.certain(r.w, p.left)
	if t == maybe && p.unread && r.w[0].Text == "http-request" && !p.inherited {
		p.lists = no
		if listed, of := p.certain(r.w, p.left); listed == yes {
			t, held = listed, of
		}
		p.lists = maybe
	}
	return t, held
}

// stop is a rule that ends requests.
func (p *passage) stop(r rule) error {
	t, held := p.judge(r)
	http := r.w[0].Text == "http-request"
	switch {
	case t == maybe && p.allow >= 0 && http:
		return p.refuseRule(r, fmt.Sprintf("the rule guards all sites, but line %d refuses names it does not know before; an exception for Bitbucket there would let it past this rule", p.allow+1),
			fmt.Sprintf("move line %d below line %d, or let it pass %s", p.allow+1, r.line+1, p.site.URL.Host()))
	case t == maybe:
		p.open = append(p.open, r)
	case t == no, p.allow >= 0 && http:
	case http && p.hosts && word(r.w, 1) != "auth" && !p.inherited && len(held) == len(p.left):
		p.allow = r.line
	case p.inherited:
		return p.refuseRule(r, p.whatStops(held)+", and no exception can stand before a rule of a defaults section", p.leaveOut())
	default:
		return p.refuseRule(r, p.whatStops(held), p.leaveOut())
	}
	return nil
}

func (p *passage) whatStops(held []request) string {
	if len(held) == len(p.left) {
		return "the rule stops every request of this section, Bitbucket's too"
	}
	var what []string
	for _, r := range held {
		if !slices.Contains(what, r.what) {
			what = append(what, r.what)
		}
	}
	return fmt.Sprintf("the rule stops every request of a kind that Bitbucket gets too: %s (%s %s)", strings.Join(what, ", "), held[0].method, held[0].path)
}

func (p *passage) leaveOut() string {
	return "end it with a condition that leaves " + p.site.URL.Host() + " out (unless { hdr(host) -i " + p.site.URL.Authority() + " })"
}

// connect is a rule that ends connections.
func (p *passage) connect(r rule) error {
	switch t, _ := p.judge(r); t {
	case yes:
		return p.refuseRule(r, "the rule refuses every connection of this section, Bitbucket's too", "end it with a condition that leaves "+p.site.URL.Host()+" out")
	case maybe:
		p.open = append(p.open, r)
	}
	return nil
}

// let is a rule that lets requests past those that follow.
func (p *passage) let(r rule) {
	_, held := p.certain(r.w, p.left)
	p.left = slices.DeleteFunc(p.left, func(r request) bool { return slices.Contains(held, r) })
}

// move is a rule that changes paths.
func (p *passage) move(r rule) error {
	if t, _ := p.certain(r.w, p.left); t == no || p.allow >= 0 || !movesPath(r.w, p.left) {
		return nil
	}
	return p.refuseRule(r, "the rule changes the path or the method of Bitbucket's requests too; clone addresses and redirects would be wrong", "end it with a condition that leaves "+p.site.URL.Host()+" out")
}

// name is a rule that changes a header field.
func (p *passage) name(r rule) error {
	field := p.changes(r.w)
	if field == "" || p.allow >= 0 {
		return nil
	}
	t, _ := p.certain(r.w, p.left)
	switch {
	case t == no:
	case field == "host":
		return p.refuseRule(r, "the rule changes the host of Bitbucket's requests too; clone addresses and redirects would be wrong", "end it with a condition that leaves "+p.site.URL.Host()+" out")
	case t == maybe:
		p.open = append(p.open, r)
	default:
		return p.refuseRule(r, fmt.Sprintf("the rule takes or changes %s of Bitbucket's requests too; Git, REST clients or browsers could not log in or be understood", field), p.leaveOut())
	}
	return nil
}

// nameAnswer is a rule that changes a header field of answers. Without
// WWW-Authenticate, Git does not ask for a password.
func (p *passage) nameAnswer(r rule) error {
	name := strings.ToLower(word(r.w, 2))
	drops := name == "www-authenticate" || name == "set-cookie" && word(r.w, 1) == "del-header"
	if t, _ := p.certain(r.w, p.left); !drops || t == no {
		p.touching = append(p.touching, r)
		return nil
	} else if t == maybe {
		p.open = append(p.open, r)
		return nil
	}
	return p.refuseRule(r, fmt.Sprintf("the rule takes or changes %s of Bitbucket's answers too; Git and browsers could not log in", name), p.leaveOut())
}

// answer is a setting by which HAProxy answers some paths itself.
func (p *passage) answer(r rule) error {
	path, exact := word(r.w, 1), true
	if r.w[0].Text == "stats" {
		if path, exact = word(r.w, 2), false; word(r.w, 1) == "enable" {
			if path = "/haproxy?stats"; p.setsStatsURI() {
				return nil
			}
		}
	}
	ctx := p.site.URL.TomcatPath()
	for _, q := range append(requests(p.site.URL), request{what: "its first page", path: ctx + "/"}) {
		if q.uri() == path || !exact && strings.HasPrefix(q.uri(), path) {
			return p.refuseRule(r, fmt.Sprintf("HAProxy answers %s itself here, before any rule: Bitbucket would not get the request (%s)", q.uri(), q.what),
				"give it a path that is not Bitbucket's, or move the line to a section of its own")
		}
	}
	if strings.HasPrefix(path, ctx+"/") {
		p.tell(r, "HAProxy answers "+path+" itself here, also for Bitbucket's name")
	}
	return nil
}

// setsStatsURI: "stats enable" alone has a path of its own.
func (p *passage) setsStatsURI() bool {
	found := false
	for _, at := range p.merge.lineage(p.shared.place) {
		p.merge.files[at.file].each(p.merge.section(at), func(_ int, w []Word) {
			found = found || w[0].Text == "stats" && word(w, 1) == "uri"
		})
	}
	return found
}

// tell notes something about a line, wherever it stands.
func (p *passage) tell(r rule, what string) {
	if r.file == p.draft {
		p.note("line %d: %s", r.line+1, what)
		return
	}
	p.note("%s, line %d: %s", r.file.Path, r.line+1, what)
}

func (p *passage) refuseRule(r rule, why, do string) error {
	found := fmt.Sprintf("%s, line %d: %s", r.file.Path, r.line+1, strings.TrimSpace(Shown(string(r.file.Lines[r.line].plain))))
	if p.inherited {
		found += fmt.Sprintf(" (which %q inherits)", p.sec.Title())
	}
	return problem.New(found, why, do)
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
