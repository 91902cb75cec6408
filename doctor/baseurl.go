package doctor

import (
	"context"
	"fmt"
	"strings"

	"bitgate/bitbucket"
)

var baseURLChecks = []check{{
	id: "base-url", title: "Base URL", https: true,
	why:  "links in pages, mails, webhooks and clone addresses use it; people see a banner when it differs",
	do:   "set it under Administration, Server settings, Base URL (or bitgate apply does)",
	look: lookBaseURL,
}, {
	id: "app-links", title: "Application links", https: true,
	why:  "the other applications keep the address they were linked with",
	do:   "re-point the links on both sides (Administration, Application links)",
	when: func(t Target) bool { return t.Session != nil },
	look: lookAppLinks,
}}

func lookBaseURL(ctx context.Context, p *probe) verdict {
	stored, how := p.storedBaseURL(ctx)
	want := p.t.URL.BaseURL()
	switch {
	case stored == "":
		return note("unknown: " + how).
			because("Bitbucket tells it only to an administrator").
			doing("verify again with --admin-user, or look under Administration, Server settings: it must be " + want)
	case stored != want:
		return fail(fmt.Sprintf("%s, but the public URL is %s (%s)", stored, want, how)).
			doing(fmt.Sprintf("open %s/admin/server-settings and set Base URL to %s (bitgate apply does it, too)", want, want))
	}
	return ok(fmt.Sprintf("%s (%s)", stored, how))
}

// storedBaseURL prefers the administrator's view; the anonymous applinks
// manifest is not served by every version.
func (p *probe) storedBaseURL(ctx context.Context) (stored, how string) {
	if p.t.Session != nil {
		s, err := p.t.Session.Settings(ctx)
		if err == nil {
			return s.BaseURL, "server settings"
		}
		how = err.Error()
	}
	c, err := bitbucket.NewClient(p.t.URL.BaseURL(), bitbucket.Options{CAFile: p.t.CAFile, DialAddr: p.t.Connect})
	if err != nil {
		return "", err.Error()
	}
	if u, known := c.PublicBaseURL(ctx); known {
		return u, "applinks manifest"
	}
	if how == "" {
		how = "the applinks manifest is not served to anonymous clients"
	}
	return "", how
}

func lookAppLinks(ctx context.Context, p *probe) verdict {
	s, err := p.t.Session.Settings(ctx)
	if err != nil {
		return note("unknown: " + err.Error())
	}
	if len(s.AppLinks) == 0 {
		return ok("none found")
	}
	return note(strings.Join(s.AppLinks, "; ")).
		because("the other applications keep the address they were linked with").
		doing("see that each link points to " + p.t.URL.BaseURL() + " on the other side")
}
