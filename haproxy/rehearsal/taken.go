package rehearsal

import (
	"slices"
	"strings"

	"bitgate/haproxy"
	"bitgate/internal/pattern"
)

// OnMachine has the doors' addresses be those under which this machine reaches them.
func (s *Stage) OnMachine() {
	for i, d := range s.Doors {
		if a, _ := parseAddress(d.Bind); a.any() {
			host := "127.0.0.1:"
			if strings.HasPrefix(d.Address, "[") {
				host = "[::1]:"
			}
			s.Doors[i].Address = host + d.Address[strings.LastIndexByte(d.Address, ':')+1:]
		}
	}
}

// Neighbours lists what the running HAProxy is asked for everybody else: GET alone, and
// nothing of listeners that forward bytes to who knows whom, unless Bitbucket shares them.
func (s *Stage) Neighbours(b Bitbucket, lists Lists) []Request {
	all, _ := Others(s, s, b, lists)
	shared := b.Doors(s.Doors)
	return slices.DeleteFunc(all, func(r Request) bool {
		i := slices.IndexFunc(s.Doors, func(d Door) bool { return d.Address == r.Address })
		bytes := s.Doors[i].Mode != "http" && !s.Doors[i].TLS
		theirs := !slices.ContainsFunc(shared, func(d Door) bool { return d.Address == r.Address })
		return r.Method != "GET" || r.Banner || len(r.Header) > 2 || b.owns(r) || bytes && (theirs || !r.TLS)
	})
}

// Counts reports whether a rule counts what clients ask, and may turn away who asks often.
func (s *Stage) Counts() bool {
	return slices.ContainsFunc(s.Files, func(f haproxy.Source) bool { return counting().Match(f.Data) })
}

// counting are a table of counters, and the fetches of what goes on at the moment
// (HAProxy manual, 7.3.2).
var counting = pattern.Lazy(`\bstick-table\b|\b(be|fe|srv)_(conn|sess_rate|req_rate)\b|\b(avg_queue|queue|connslots|be_conn_free|srv_conn_free)\b`)

// face is what an answer is told apart by.
func face(a Answer) string {
	to, _, _ := strings.Cut(field(a.Header, "Location"), "?")
	return failed(a.Failed) + answered(Answer{Status: a.Status, Header: []Field{{"Location", to}}})
}

// Taken says how an answer of the running HAProxy differs from those that were given to
// the same request before, "" where nobody lost anything by it, and where those before
// were not alike themselves. page: the difference is in the page alone, which its own
// application may have changed.
func (b Bitbucket) Taken(before *Stage, r Request, was []Answer, is Answer) (what string, page bool) {
	first := was[0]
	steady := func(of func(Answer) string) bool {
		return !slices.ContainsFunc(was, func(a Answer) bool { return of(a) != of(first) })
	}
	nobody := first.Failed != ""
	switch {
	case !steady(face) || b.unused(before, r, first):
		return "", false
	case b.renews(r) && is.Status == 503 && !before.servesAuthorities(): // who answers then listens at a renewal alone
		return "", false
	case nobody && is.Failed == "" && (is.Status == 301 || is.Status == 308) && !b.named(r.Host) && strings.HasPrefix(field(is.Header, "Location"), b.URL.Origin()):
		return "nobody answered, and now it is " + answered(is) + ", which a browser keeps", false
	case nobody || first.Status >= 500 || is.Status == 429:
		return "", false
	case is.Failed != "":
		return "it was answered " + answered(first) + ", and now " + failed(is.Failed), false
	case first.Covers && !is.Covers:
		return "the certificate shown was for " + strings.Join(names(first.Names), ", ") + ", and now is for " + strings.Join(names(is.Names), ", "), false
	case face(first) != face(is):
		return "it was answered " + answered(first) + ", and now " + answered(is), false
	}
	for _, name := range []string{"Server", "Content-Type", "Set-Cookie"} {
		of := func(a Answer) string {
			value, _, _ := strings.Cut(field(a.Header, name), "=") // of a cookie its name
			return value
		}
		if x, y := of(first), of(is); steady(of) && x != y {
			return name + " was " + Field{name, x}.shown() + ", and now is " + Field{name, y}.shown(), false
		}
	}
	if body := func(a Answer) string { return a.Body }; steady(body) && first.Body != is.Body {
		return "another page is answered", true
	}
	return "", false
}

// unused reports whether Bitbucket's own name had no other use for a request: no file
// mentions it, nor the path, or it got no page.
func (b Bitbucket) unused(before *Stage, r Request, was Answer) bool {
	return b.named(r.Host) && (was.Status >= 400 || was.Failed != "" || r.Common && !before.used)
}
