package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

var cookieChecks = []check{{
	id: "cookie", title: "Cookies are Secure and HttpOnly", https: true,
	why:  "without Secure a browser also sends the session over plain http, where anyone on the way can take it; Bitbucket leaves it out while its connector says secure=false",
	do:   "set secure=true on the connector (step connector) and restart Bitbucket",
	look: lookCookies,
}}

// cookieSeen is a cookie and the address that set it.
type cookieSeen struct {
	at     *url.URL
	cookie *http.Cookie
}

// isSession tells session cookies: BITBUCKETSESSIONID from 5.x on, JSESSIONID before.
func isSession(name string) bool { return strings.HasSuffix(strings.ToUpper(name), "SESSIONID") }

func lookCookies(ctx context.Context, p *probe) verdict {
	start, login := p.follow(ctx, p.t.URL.BaseURL()+"/"), p.follow(ctx, p.t.URL.BaseURL()+"/login")
	seen := append(start.cookies, login.cookies...)
	if len(seen) == 0 {
		if login.err == nil && login.last.status >= 500 {
			return note("not checked, because the front answers " + login.last.line())
		}
		return note("no cookie was set on the start and login pages")
	}
	var good []string
	for _, s := range seen {
		c := s.cookie
		lacks := lacking(c)
		switch {
		case len(lacks) == 0:
			if !slices.Contains(good, c.Name) {
				good = append(good, c.Name)
			}
		case isSession(c.Name):
			return fail(fmt.Sprintf("%s from %s lacks %s", c.Name, s.at.Path, strings.Join(lacks, " and ")))
		case !c.Secure:
			return warn(fmt.Sprintf("%s from %s lacks Secure", c.Name, s.at.Path))
		}
	}
	return ok(strings.Join(good, ", "))
}

func lacking(c *http.Cookie) []string {
	var lacks []string
	if !c.Secure {
		lacks = append(lacks, "Secure")
	}
	if !c.HttpOnly {
		lacks = append(lacks, "HttpOnly")
	}
	return lacks
}
