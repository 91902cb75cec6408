package doctor

import (
	"context"
	"errors"
	"fmt"

	"bitgate/bitbucket"
)

var baseURLChecks = []check{{
	id: "base-url", title: "Base URL", https: true,
	why:  "links in pages, mails, webhooks and clone addresses use it; people see a banner when it differs",
	do:   "set it under Administration, Server settings, Base URL (or bitgate apply does)",
	look: lookBaseURL,
}}

func lookBaseURL(ctx context.Context, p *probe) verdict {
	stored, how, err := p.storedBaseURL(ctx)
	want := p.t.URL.BaseURL()
	switch {
	case err != nil && !errors.Is(err, bitbucket.ErrNotTold):
		return note("not checked: " + err.Error())
	case err != nil:
		return note("unknown: " + err.Error()).
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
func (p *probe) storedBaseURL(ctx context.Context) (stored, how string, err error) {
	var refused error
	if p.t.Session != nil {
		s, err := p.t.Session.Settings(ctx)
		if err == nil {
			return s.BaseURL, "server settings", nil
		}
		refused = err
	}
	c, err := bitbucket.NewClient(p.t.URL.BaseURL(), bitbucket.Options{CAFile: p.t.CAFile, DialAddr: p.t.Connect, Shown: p.own})
	if err != nil {
		return "", "", err
	}
	stored, err = c.PublicBaseURL(ctx)
	if err != nil && refused != nil {
		err = refused
	}
	return stored, "applinks manifest", err
}
