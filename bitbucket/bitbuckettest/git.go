package bitbuckettest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"bitgate/internal/child"
)

// gitEnv keeps git from reading the configuration of whoever runs this, and lets
// it serve a repository that another user owns.
func gitEnv() []string {
	return []string{
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
	}
}

// makeRepository makes PROJ/repo with one commit on main. Without git on the
// machine there is no repository and RepoPath is empty.
func (s *Server) makeRepository() error {
	path, err := child.Lookup("git")
	if errors.Is(err, child.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s.git = path
	s.repo, err = filepath.Abs(filepath.Join(s.sharedDir(), "data", "repositories", "1"))
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(s.repo, "HEAD")); err == nil {
		return nil
	}
	if err := os.MkdirAll(s.repo, 0o750); err != nil {
		return err
	}
	steps := []struct {
		stdin string
		args  []string
	}{
		{"", []string{"init", "-q", "--bare"}},
		{"", []string{"config", "http.receivepack", "true"}},
		{"", []string{"config", "gc.auto", "0"}}, // no process of git outlives its request
		{"", []string{"config", "receive.autogc", "false"}},
		{"", []string{"symbolic-ref", "HEAD", "refs/heads/main"}},
		{"A repository to try clones and pushes with.\n", []string{"hash-object", "-w", "--stdin"}},
		{"100644 blob %s\tREADME.md\n", []string{"mktree"}},
		{"", []string{"commit-tree", "-m", "First commit", "%s"}},
		{"", []string{"update-ref", "refs/heads/main", "%s"}},
	}
	last := ""
	for _, step := range steps {
		for n, a := range step.args {
			step.args[n] = strings.ReplaceAll(a, "%s", last)
		}
		git := child.Git(s.repo, step.args...)
		git.Stdin = strings.NewReader(strings.ReplaceAll(step.stdin, "%s", last))
		git.Env = append(git.Env, "GIT_AUTHOR_NAME=Admin", "GIT_AUTHOR_EMAIL=admin@example.com", "GIT_COMMITTER_NAME=Admin", "GIT_COMMITTER_EMAIL=admin@example.com")
		out := child.Limited{Max: 1 << 10}
		git.Stdout = &out
		if err := git.Run(context.Background()); err != nil {
			return fmt.Errorf("bitbuckettest: git %s: %w", step.args[0], err)
		}
		last = strings.TrimSpace(string(out.Bytes()))
	}
	return nil
}

// scm serves git over HTTP through git's own http-backend.
func (x *exchange) scm() {
	rest, ok := strings.CutPrefix(strings.ToLower(x.path), "/scm/proj/repo.git")
	if !ok || rest != "" && rest[0] != '/' || x.i.srv.git == "" {
		if x.user == "" {
			x.challenge()
			x.fail(http.StatusUnauthorized, "Authentication required")
			return
		}
		x.fail(http.StatusNotFound, "Repository not found")
		return
	}
	rest = x.path[len("/scm/proj/repo.git"):]
	push := rest == "/git-receive-pack" || x.r.URL.Query().Get("service") == "git-receive-pack"
	if x.user == "" && (push || !x.i.srv.o.PublicRepo) {
		x.challenge()
		x.fail(http.StatusUnauthorized, "Authentication required")
		return
	}
	if rest == "/info/lfs/objects/batch" {
		x.lfsBatch()
		return
	}
	r := x.r.Clone(x.r.Context())
	r.URL = &url.URL{Path: "/1" + rest, RawQuery: x.r.URL.RawQuery}
	r.Header.Del("Authorization") // must not show in the environment of a process
	r.Header.Del("Cookie")
	// net/http/cgi refuses chunked bodies for lack of a length; http-backend
	// reads to the end of its input when it is told none.
	r.TransferEncoding = nil
	// http-backend may print its head before it reads: reading first makes
	// net/http send the 100 that a client with Expect waits for.
	body := bufio.NewReader(r.Body)
	_, _ = body.Peek(1)
	r.Body = io.NopCloser(body)
	backend := &cgi.Handler{
		Path: x.i.srv.git, Args: []string{"http-backend"}, Root: "/", Dir: x.i.srv.repo,
		Env: append(gitEnv(), "GIT_PROJECT_ROOT="+filepath.Dir(x.i.srv.repo), "GIT_HTTP_EXPORT_ALL=1",
			"REMOTE_USER="+x.user, "GIT_COMMITTER_NAME="+x.user, "GIT_COMMITTER_EMAIL=admin@example.com"),
		Logger: x.i.http[0].ErrorLog,
		Stderr: logWriter{x.i.srv},
	}
	backend.ServeHTTP(x.w, r)
}

// lfsBatch says where objects would go (git-lfs, "Batch API"): addresses are made of
// what Tomcat believes of the request. It stores nothing.
func (x *exchange) lfsBatch() {
	var ask struct {
		Operation string `json:"operation"`
		Objects   []struct {
			OID  string `json:"oid"`
			Size int64  `json:"size"`
		} `json:"objects"`
	}
	if err := json.NewDecoder(io.LimitReader(x.r.Body, 1<<20)).Decode(&ask); err != nil {
		x.fail(http.StatusUnprocessableEntity, "the request cannot be read")
		return
	}
	if x.user == "" {
		x.challenge()
		x.fail(http.StatusUnauthorized, "Authentication required")
		return
	}
	objects := []map[string]any{}
	for _, o := range ask.Objects {
		href := x.belief.origin() + x.i.cfg.context + "/scm/proj/repo.git/info/lfs/objects/" + url.PathEscape(o.OID)
		objects = append(objects, map[string]any{"oid": o.OID, "size": o.Size, "actions": map[string]any{ask.Operation: map[string]any{"href": href}}})
	}
	x.w.Header().Set("Content-Type", "application/vnd.git-lfs+json")
	_ = json.NewEncoder(x.w).Encode(map[string]any{"transfer": "basic", "objects": objects}) // a client that has gone needs no answer
}

// mayRead answers 401 to those who may not see the repository.
func (x *exchange) mayRead() bool {
	if x.user == "" && !x.i.srv.o.PublicRepo {
		x.fail(http.StatusUnauthorized, "You are not permitted to access this resource")
		return false
	}
	return true
}

// repositories is a page of all repositories the caller may see.
func (x *exchange) repositories() {
	values := []any{}
	if x.user != "" || x.i.srv.o.PublicRepo {
		values = append(values, x.repository())
	}
	x.json(http.StatusOK, map[string]any{"size": len(values), "limit": 25, "isLastPage": true, "start": 0, "values": values})
}

// repository is one repository with its clone URLs, which follow the stored
// base URL and the SSH base URL.
func (x *exchange) repository() map[string]any {
	f := x.i.srv.Fields()
	clone := []map[string]string{{"href": f["baseURL"] + "/scm/proj/repo.git", "name": "http"}}
	if f["sshEnabled"] == "true" {
		clone = append(clone, map[string]string{"href": "ssh://git@" + strings.TrimPrefix(strings.TrimPrefix(sshBase(f), "ssh://"), "git@") + "/proj/repo.git", "name": "ssh"})
	}
	return map[string]any{
		"slug": "repo", "id": 1, "name": "repo", "scmId": "git", "state": "AVAILABLE", "public": x.i.srv.o.PublicRepo,
		"project": map[string]any{"key": "PROJ", "id": 1, "name": "Project", "type": "NORMAL"},
		"links": map[string]any{
			"clone": clone,
			"self":  []map[string]string{{"href": f["baseURL"] + "/projects/PROJ/repos/repo/browse"}},
		},
	}
}
