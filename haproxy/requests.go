package haproxy

import "bitgate/internal/publicurl"

// request is one of those that Bitbucket gets every day, by which the rules of
// a section are judged.
type request struct {
	what   string // for people
	method string
	path   string
	query  string
	agent  string
	auth   string // Authorization, "" without
	size   int    // of the body
}

// large is the size of a push or of an LFS object that nobody finds remarkable.
const large = 256 << 20

// requests of browsers, Git, Git LFS and REST clients below a context path.
func requests(u publicurl.URL) []request {
	const (
		basic   = "Basic YWRhOnNlY3JldA=="
		bearer  = "Bearer NTA0MTM5" // an access token
		browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
		git     = "git/2.39.5"
		jgit    = "JGit/6.7.0.202309050840-r"
		lfs     = "git-lfs/3.3.0 (GitHub; linux amd64; go 1.19.8)"
	)
	ctx := u.TomcatPath()
	repo := ctx + "/scm/prj/repo.git"
	return []request{
		{"the status page", "GET", ctx + "/status", "", "curl/7.88.1", "", 0},
		{"its pages", "GET", ctx + "/dashboard", "", browser, "", 0},
		{"its pages", "GET", ctx + "/projects/PRJ/repos/repo/browse", "at=main", browser, "", 0},
		{"signing in", "POST", ctx + "/j_atl_security_check", "", browser, "", 100},
		{"git clone", "GET", repo + "/info/refs", "service=git-upload-pack", git, "", 0},
		{"git clone", "GET", repo + "/info/refs", "service=git-upload-pack", jgit, basic, 0},
		{"git clone", "POST", repo + "/git-upload-pack", "", git, basic, 500},
		{"git push", "POST", repo + "/git-receive-pack", "", git, basic, large},
		{"git push", "POST", repo + "/git-receive-pack", "", jgit, basic, large},
		{"Git LFS", "POST", repo + "/info/lfs/objects/batch", "", lfs, basic, 300},
		{"Git LFS", "PUT", ctx + "/rest/git-lfs/storage/PRJ/repo/0a1b2c", "", lfs, basic, large},
		{"its REST interface", "GET", ctx + "/rest/api/1.0/projects", "limit=100", "python-requests/2.28.1", basic, 0},
		{"its REST interface", "PUT", ctx + "/rest/api/1.0/projects/PRJ", "", "Apache-HttpClient/4.5.13", basic, 200},
		{"its REST interface", "DELETE", ctx + "/rest/api/1.0/projects/PRJ", "", "curl/7.88.1", bearer, 0},
	}
}

// uri is the request's target.
func (r request) uri() string {
	if r.query == "" {
		return r.path
	}
	return r.path + "?" + r.query
}
