package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

var cloneChecks = []check{{
	id: "clone-url", title: "Clone addresses", https: true,
	why:  "people, CI servers and LFS clients copy these addresses; a wrong scheme or host fails for them",
	do:   "set the base URL and the connector's scheme, proxyName and proxyPort to the public URL",
	look: lookCloneURL,
}}

// links is the part of a repository's REST form that names addresses.
type links struct {
	Links struct {
		Clone []struct {
			Href string `json:"href"`
			Name string `json:"name"`
		} `json:"clone"`
		Self []struct {
			Href string `json:"href"`
		} `json:"self"`
	} `json:"links"`
}

func lookCloneURL(ctx context.Context, p *probe) verdict {
	repo, v := p.someRepo(ctx)
	if repo == nil {
		return v
	}
	var web []string
	for _, c := range repo.Links.Clone {
		if c.Name != "ssh" && !strings.HasPrefix(c.Href, "ssh:") {
			web = append(web, c.Href)
		}
	}
	for _, s := range repo.Links.Self {
		web = append(web, s.Href)
	}
	if len(web) == 0 {
		return note("the repository names no http address")
	}
	for _, href := range web {
		u, err := url.Parse(href)
		if err != nil || !p.isPublic(u) {
			return fail(fmt.Sprintf("Bitbucket hands out %s, which is not under %s", stripUser(href), p.t.URL.BaseURL()))
		}
	}
	return ok(stripUser(web[0]))
}

// stripUser removes a user name that Bitbucket puts into clone addresses.
func stripUser(href string) string {
	u, err := url.Parse(href)
	if err != nil {
		return href
	}
	u.User = nil
	return u.String()
}

// someRepo asks for the named repository, else for any public one.
func (p *probe) someRepo(ctx context.Context) (*links, verdict) {
	project, slug, named := p.repoName()
	path := "/rest/api/1.0/repos?limit=1"
	if named {
		path = fmt.Sprintf("/rest/api/1.0/projects/%s/repos/%s", url.PathEscape(project), url.PathEscape(slug))
	}
	req, err := p.request(ctx, http.MethodGet, path, nil, "Accept", "application/json")
	if err == nil && p.t.GitUser != "" && p.handshake(ctx).trusted() {
		req.SetBasicAuth(p.t.GitUser, string(p.t.GitPassword.Reveal()))
	}
	a, err := p.do(req, err)
	if err != nil {
		return nil, fail(err.Error())
	}
	switch a.status {
	case http.StatusOK:
		return decodeRepo(a, named)
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return nil, note(fmt.Sprintf("not visible: the REST API answers %s", a.line())).
			doing("name a repository you can read with --repo to have it checked")
	}
	return nil, fail(fmt.Sprintf("the REST API answers %s", a.line())).
		because("clients of the REST API (CI, IDEs, apps) do not get through")
}

// decodeRepo reads a repository, or the first of a page of them.
func decodeRepo(a answer, named bool) (*links, verdict) {
	var said struct {
		links
		Values []links `json:"values"`
	}
	switch err := json.Unmarshal(a.body, &said); {
	case err != nil:
		return nil, fail("the REST API answers something that is not JSON")
	case named:
		return &said.links, verdict{}
	case len(said.Values) == 0:
		return nil, note("there is no public repository to look at").
			doing("name a repository you can read with --repo to have it checked")
	}
	return &said.Values[0], verdict{}
}

// repoName takes project and slug from "PROJ/repo" or a clone address.
func (p *probe) repoName() (project, slug string, ok bool) {
	r := strings.TrimSuffix(strings.Trim(p.t.Repo, "/"), ".git")
	if i := strings.LastIndex(r, "/scm/"); i >= 0 {
		r = r[i+len("/scm/"):]
	}
	project, slug, ok = strings.Cut(r, "/")
	return project, slug, ok && project != "" && slug != "" && !strings.Contains(slug, "/")
}
