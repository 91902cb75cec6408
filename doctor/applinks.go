package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
)

var appLinkChecks = []check{{
	id: "app-links", title: "Application links", https: true,
	why:  "the other applications keep the address that they were linked with",
	when: func(t Target) bool { return t.Session != nil },
	look: lookAppLinks,
}}

// lookAppLinks says for each link what stands on the other side, as far as an
// administrator of that side was named, and else where to look.
func lookAppLinks(ctx context.Context, p *probe) verdict {
	s, err := p.t.Session.Settings(ctx)
	if err != nil {
		return note("not checked: " + err.Error())
	}
	if len(s.AppLinks) == 0 {
		return ok("none found")
	}
	out := ok("")
	var seen, do []string
	for _, l := range s.AppLinks {
		v := p.otherSide(ctx, l)
		if seen = append(seen, v.Found); v.Level != problem.OK {
			do = append(do, v.Do)
		}
		if weight(v.Level) > weight(out.Level) {
			out.Level = v.Level
		}
	}
	out.Found, out.Do = strings.Join(seen, "; "), strings.Join(do, "; ")
	if out.Level == problem.Note {
		out.Why = "the other applications keep the address that they were linked with; --app-links-netrc FILE has it read back there"
	}
	return out
}

func weight(l problem.Level) int {
	return slices.Index([]problem.Level{problem.OK, problem.Note, problem.Warn, problem.Fail}, l)
}

// otherSide reads the link back that the other application has to Bitbucket.
func (p *probe) otherSide(ctx context.Context, l bitbucket.AppLink) verdict {
	base := p.t.URL.BaseURL()
	cure := l.Cure(base)
	if p.t.LinkLogin == nil {
		return note(l.String()).doing(cure)
	}
	c, err := bitbucket.NewClient(l.Server(), bitbucket.Options{CAFile: p.t.CAFile})
	if err != nil {
		return note(l.String() + ": not read back: " + err.Error()).doing(cure)
	}
	user, password, known := p.t.LinkLogin(c.Host())
	if !known {
		return note(fmt.Sprintf("%s: not read back: no login for %s was given", l, c.Host())).doing(cure)
	}
	back, err := c.LinksToBitbucket(ctx, user, password)
	if err != nil {
		return note(l.String() + ": not read back: " + err.Error()).doing(cure)
	}
	return compareLinks(l, back, base)
}

// compareLinks looks among the links of an application to Bitbucket for one that leads to base.
func compareLinks(l bitbucket.AppLink, back []bitbucket.AppLink, base string) verdict {
	if len(back) == 0 {
		return fail(l.String() + " has no link to Bitbucket").doing(l.Cure(base))
	}
	var found []string
	for _, b := range back {
		people, server := strings.TrimSuffix(b.Display, "/"), b.Server()
		if people == base && server == base {
			return ok(l.String() + " links to " + base)
		}
		if people == base {
			return warn(fmt.Sprintf("%s links to %s for people, and asks %s itself", l, base, server)).doing(l.Cure(base))
		}
		found = append(found, people)
	}
	return fail(fmt.Sprintf("%s links to %s, but the public URL is %s", l, strings.Join(found, " and "), base)).doing(l.Cure(base))
}
