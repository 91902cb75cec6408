package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net/url"

	"bitgate/internal/hostport"
	"bitgate/internal/problem"
)

var redirectChecks = []check{
	{
		id: "redirect.root", title: "Redirect of / to the context path", https: true,
		why:  "people type the bare host name; without the redirect they see an error page",
		do:   "let the front redirect / to the context path",
		when: func(t Target) bool { return t.URL.TomcatPath() != "" },
		look: lookRoot,
	}, {
		id: "redirect.http", title: "Redirect of plain http to https",
		why:  "links and bookmarks with http:// would fail, or passwords travel in clear text",
		do:   "let the front redirect port 80 to https, or set --http-redirect never if another program serves it",
		when: func(t Target) bool { return t.RedirectPort != 0 },
		look: lookPlain,
	}, {
		id: "redirect.landing", title: "Redirects stay on the public URL", https: true,
		why:  "Bitbucket builds these addresses from its connector; when scheme, proxyName or proxyPort are wrong, clients are sent to where nothing answers",
		do:   "set scheme=https, secure=true, proxyName and proxyPort of the connector to the public URL (step connector) and restart Bitbucket",
		look: lookLanding,
	},
}

func lookRoot(ctx context.Context, p *probe) verdict {
	a, err := p.get(ctx, p.t.URL.Origin()+"/")
	if err != nil {
		return fail(err.Error())
	}
	to := a.location()
	if a.status/100 == 2 { // applications may share a name by path, and / is nobody's or another's
		return note("/ answers " + a.line() + ": something else has the root of this name").
			because("who types the bare host name comes there, and not to Bitbucket").
			doing("if / is nobody's, let the front redirect it to " + p.t.URL.PropertyPath())
	}
	do := fmt.Sprintf("let the front redirect / to the context path (for HAProxy \"bitgate render haproxy --url %s --pem FILE\" shows the line)", p.t.URL.BaseURL())
	if to == nil {
		return fail("/ answers " + a.line() + ", no redirect").doing(do)
	}
	if !p.isPublic(to) {
		return fail(fmt.Sprintf("/ leads to %s, not to %s", to, p.t.URL.BaseURL())).doing(do)
	}
	return ok(a.line())
}

// lookPlain asks with a path and a query, because a redirect that loses them
// breaks every link but one.
func lookPlain(ctx context.Context, p *probe) verdict {
	v := p.plainRedirect(ctx)
	if p.t.RedirectOptional && v.Level == problem.Fail {
		v.Level = problem.Note
		v = v.because("people who type the name without https do not get here").
			doing("free that port and run " + cmp.Or(p.t.Again, "bitgate apply with the answers of before and") + " --http-redirect always, if this machine should redirect")
	}
	return v
}

func (p *probe) plainRedirect(ctx context.Context) verdict {
	from := &url.URL{
		Scheme: "http", Host: hostport.Addr{Host: p.t.URL.Host(), Port: p.t.RedirectPort}.String(),
		Path: p.t.URL.TomcatPath() + "/projects", RawQuery: "bitgate=1",
	}
	a, err := p.get(ctx, from.String())
	if err != nil {
		return fail(fmt.Sprintf("port %d: %v", p.t.RedirectPort, err))
	}
	want := p.t.URL.BaseURL() + "/projects?bitgate=1"
	to := a.location()
	switch {
	case to == nil:
		return fail(fmt.Sprintf("port %d answers %s, no redirect", p.t.RedirectPort, a.line()))
	case !p.isPublic(to):
		return fail(fmt.Sprintf("port %d leads to %s, not to %s", p.t.RedirectPort, to, p.t.URL.BaseURL()))
	case to.Path != from.Path || to.RawQuery != from.RawQuery:
		return warn(fmt.Sprintf("leads to %s instead of %s", to, want)).
			because("the redirect loses the path or the query, so links end on the start page")
	}
	return ok(a.line())
}

// maxHops is more than any sign-in needs and ends a loop that changes its address.
const maxHops = 10

// journey is what following redirects found.
type journey struct {
	last    answer
	hops    []*url.URL
	foreign *url.URL // first address outside the public URL
	loop    bool
	err     error
	cookies []cookieSeen
}

// follow goes where the redirects lead, on the public host only: a client that
// is sent to another machine is judged by the address it was given.
func (p *probe) follow(ctx context.Context, start string) journey {
	var j journey
	at, err := url.Parse(start)
	if err != nil {
		j.err = err
		return j
	}
	visited := map[string]bool{}
	for {
		if visited[at.String()] || len(j.hops) >= maxHops {
			j.loop = true
			return j
		}
		visited[at.String()] = true
		j.hops = append(j.hops, at)
		j.last, j.err = p.get(ctx, at.String())
		if j.err != nil {
			return j
		}
		for _, c := range j.last.cookie {
			j.cookies = append(j.cookies, cookieSeen{at: at, cookie: c})
		}
		next := j.last.location()
		if next == nil {
			return j
		}
		if !p.isPublic(next) && j.foreign == nil {
			j.foreign = next
		}
		if next.Hostname() != p.t.URL.Host() {
			j.hops = append(j.hops, next)
			return j
		}
		at = next
	}
}

func (j journey) end() *url.URL { return j.hops[len(j.hops)-1] }

func lookLanding(ctx context.Context, p *probe) verdict {
	j := p.follow(ctx, p.t.URL.BaseURL()+"/")
	end := j.end()
	switch {
	case j.loop:
		return fail(fmt.Sprintf("redirect loop: %s comes up again after %d redirects", end, len(j.hops)-1)).
			because("browsers give up; the usual reason is server.require-ssl=true while the connector says secure=false, or a redirect to https on both sides").
			doing("set secure=true and scheme=https on the connector, or drop require-ssl")
	case j.err != nil:
		return fail(fmt.Sprintf("%s: %v", end, j.err))
	case j.foreign == nil:
		return landed(j)
	case p.isPublic(end):
		return warn(fmt.Sprintf("the client gets to %s, but by way of %s", end, j.foreign))
	case end.Scheme == "https" && end.Hostname() != p.t.URL.Host():
		return note(fmt.Sprintf("the client is handed over to %s", end)).
			because("that is right if it is your single sign-on; otherwise the connector's proxyName is wrong")
	}
	return fail(fmt.Sprintf("the client is sent to %s, outside %s", j.foreign, p.t.URL.BaseURL()))
}

func landed(j journey) verdict {
	if j.last.status >= 400 {
		return fail(fmt.Sprintf("%s answers %s", j.end(), j.last.line())).
			because("the front page cannot be seen under the public URL").
			doing("look at the log of the front and of Bitbucket (log/atlassian-bitbucket.log in its home)")
	}
	return ok(fmt.Sprintf("the client lands on %s after %d redirects", j.end(), len(j.hops)-1))
}
