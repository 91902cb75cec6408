package doctor

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"bitgate/internal/publicurl"
)

var oldPathChecks = []check{{
	id: "old-path", title: "Addresses under the former context path", https: true,
	why:  "existing clones, webhooks, CI jobs and bookmarks still use them",
	do:   "let the front redirect the former path (--redirect-old-path), or change the remotes: git remote set-url origin NEW",
	when: func(t Target) bool { return t.OldPath != "" },
	look: lookOldPath,
}}

// lookOldPath asks as git does when it starts a fetch; git follows a redirect
// of this first request (http.followRedirects=initial).
func lookOldPath(ctx context.Context, p *probe) verdict {
	old, err := publicurl.ParsePath(p.t.OldPath)
	if err != nil {
		return fail(err.Error())
	}
	repo := "/scm/bitgate/check.git"
	if project, slug, named := p.repoName(); named {
		repo = fmt.Sprintf("/scm/%s/%s.git", url.PathEscape(strings.ToLower(project)), url.PathEscape(slug))
	}
	tail := repo + "/info/refs?service=git-upload-pack"
	a, err := p.get(ctx, p.t.URL.Origin()+old+tail)
	if err != nil {
		return fail(err.Error())
	}
	to := a.location()
	switch {
	case to == nil:
		return warn(fmt.Sprintf("%s%s answers %s", old, repo, a.line()))
	case to.String() != p.t.URL.BaseURL()+tail:
		return warn(fmt.Sprintf("%s%s leads to %s, not to the same repository under %s", old, repo, to, p.t.URL.BaseURL()))
	}
	return ok(fmt.Sprintf("%s%s leads to %s%s", old, repo, p.t.URL.BaseURL(), repo))
}
