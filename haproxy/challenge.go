package haproxy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/hostport"
	"bitgate/internal/pattern"
	"bitgate/internal/problem"
	"bitgate/internal/splice"
)

// An authority that validates by http-01 (RFC 8555, 8.3) asks on port 80 for
// /.well-known/acme-challenge/TOKEN and wants TOKEN.THUMBPRINT, the thumbprint being
// that of the account's key. It never changes, so one static rule answers for ever.
// It stands before all rules that could end the request: among http-request rules
// the first one wins, and all of them come before redirect and use_backend.

// thumbprint is SHA-256 in base64url.
var thumbprint = pattern.Lazy(`^[A-Za-z0-9_-]{43}$`)

// challengeRule is the rule, under a further condition or "". What is no token gets
// no answer from it, so that nothing foreign comes back.
func (s Site) challengeRule(condition string) string {
	if s.Thumbprint == "" {
		return ""
	}
	if condition != "" {
		condition = " " + condition
	}
	return fmt.Sprintf(`http-request return status 200 content-type text/plain lf-string "%%[path,field(-1,/)].%s" if { method GET HEAD } { path -m reg '^/\.well-known/acme-challenge/[A-Za-z0-9_-]{16,256}$' }%s`, s.Thumbprint, condition)
}

// onlyChallenges are the addresses where authorities ask and nobody is redirected.
func (s Site) onlyChallenges() []string {
	if s.Thumbprint == "" {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Challenges), func(a string) bool { return slices.Contains(s.RedirectListen, a) })
}

func (s Site) checkChallenges() error {
	switch {
	case s.Thumbprint == "":
		return nil
	case !s.Version.AtLeast(2, 2):
		return problem.New(fmt.Sprintf("HAProxy %d.%d is installed", s.Version.Major, s.Version.Minor), "an authority is answered by a rule that HAProxy knows from 2.2 on (http-request return)",
			"validate another way (--acme-challenge dns-01), install a newer HAProxy, or use the built-in proxy (--front builtin)")
	case !thumbprint().MatchString(s.Thumbprint):
		return problem.New(fmt.Sprintf("%q is not the thumbprint of a key", s.Thumbprint), "authorities are answered with it", "").WithKind(problem.Usage)
	}
	return nil
}

// challenge answers authorities for our name in a section of the administrator's.
// Those that ask for other names are the business of the other sites.
func (e *sectionEditor) challenge() {
	if e.site.Thumbprint != "" {
		e.put(e.firstRule(), e.site.challengeRule(e.site.askedFor(e.File, e.sec))+" "+lineMark)
		e.note("authorities that ask whether %s is ours (ACME, http-01) are answered from here", e.site.URL.Host())
	}
}

// firstRule is the line before the first rule of the section that ours have to precede.
func (e *sectionEditor) firstRule() int {
	at := -1
	e.each(func(i int, w []Word) {
		if at < 0 && slices.Contains(beforeHTTP, w[0].Text) {
			at = i
		}
	})
	if at < 0 {
		at = e.end()
	}
	return e.outside(at)
}

// askedFor is the condition for requests with our name at the ports of a section: an
// authority asks on the usual ones, or where it was redirected to, and may write them.
func (s Site) askedFor(f *File, sec Section) string {
	name := hostport.Bracket(s.URL.Host())
	names := []string{name, name + ":80", name + ":443"}
	for i := sec.First; i <= sec.Last; i++ {
		for _, b := range bindWords(sec, f.Lines[i].Words, i) {
			at, tcp := parseBind(b)
			if with := name + ":" + strconv.Itoa(at.lo); tcp && !at.unsure && !slices.Contains(names, with) {
				names = append(names, with)
			}
		}
	}
	return "{ req.fhdr(Host) -i " + strings.Join(names, " ") + " }"
}

// MergeChallenge adds no more than the rule that answers authorities, to the sections
// that take plain requests now, whosever they are: a certificate is ordered before
// anything else changes. It says nothing where none takes them, and refuses as Merge
// does. A later Merge puts the rule where it belongs.
func (c Config) MergeChallenge(s Site) ([]Merged, error) {
	if err := s.checkChallenges(); err != nil {
		return nil, err
	}
	m, err := c.merge(s)
	if err != nil {
		return nil, err
	}
	var b bindings
	if _, err := m.settle(s.Challenges, func(at bindAt, want string) error { return m.sharePlain(&b, at, want, false) }); err != nil {
		return nil, err
	}
	var out []Merged
	for i, f := range c.files {
		var all edits
		for n, sec := range f.Sections {
			theirs := slices.ContainsFunc(b.plain, func(p sharedSection) bool { return p.place == place{i, n} })
			rule := s.challengeRule("")
			if theirs {
				rule = s.challengeRule(s.askedFor(f, sec)) + " " + lineMark
			}
			if (theirs || f.oursAt(n, s.Challenges)) && !f.holds(sec, rule) {
				all = append(all, f.insertRule(sec, rule))
			}
		}
		if len(all) == 0 {
			continue
		}
		after, err := splice.Apply(f.Data, all)
		if err != nil {
			return nil, err
		}
		out = append(out, Merged{Path: f.Path, After: after, Splices: all})
	}
	return out, nil
}

// oursAt reports whether a section of ours binds one of the addresses for plain requests.
func (f *File) oursAt(section int, addresses []string) bool {
	s := f.Sections[section]
	if s.owner != ourRegion {
		return false
	}
	for i := s.First; i <= s.Last; i++ {
		w := f.Lines[i].Words
		for _, address := range bindWords(s, w, i) {
			at, tcp := parseBind(address)
			if tcp && BindKeyword(w, "ssl") == 0 && slices.ContainsFunc(addresses, func(a string) bool {
				want, err := parseListen(a)
				return err == nil && at.overlaps(want)
			}) {
				return true
			}
		}
	}
	return false
}

func (f *File) holds(s Section, rule string) bool {
	return slices.ContainsFunc(f.Lines[s.First:s.Last+1], func(l Line) bool { return strings.TrimSpace(string(l.Raw)) == rule })
}

// insertRule puts a rule before the first that it has to precede.
func (f *File) insertRule(s Section, rule string) splice.Splice {
	at := s.First + 1
	for i := s.First + 1; i <= s.Last; i++ {
		if w := f.Lines[i].Words; len(w) > 0 {
			if slices.Contains(beforeHTTP, w[0].Text) {
				at = i
				break
			}
			at = i + 1
		}
	}
	at = f.outside(at)
	eol, text := lineEnd(f.Data), "    "+rule
	if at < len(f.Lines) {
		return splice.Splice{Offset: f.Lines[at].Start, New: text + eol}
	}
	if missesEnd(f.Data) {
		text = eol + text
	}
	return splice.Splice{Offset: len(f.Data), New: text + eol}
}
