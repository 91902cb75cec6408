package doctor

import (
	"context"
	"io"
	"net/http"
	"net/http/cgi"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/bitbucket"
	"bitgate/internal/peers"
	"bitgate/internal/problem"
)

// withGit puts a real repository behind f; user "" serves everybody.
func withGit(t *testing.T, f *front, user, password string) {
	t.Helper()
	repo := peers.BareRepo(t, 0)
	exe, err := exec.Command(peers.Path(t, "git"), "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(exe)), "git-http-backend"),
		Root: f.context + "/scm/proj/repo.git",
		Env:  []string{"GIT_PROJECT_ROOT=" + repo, "GIT_HTTP_EXPORT_ALL=1"},
	}
	guarded := func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); user != "" && (u != user || p != password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="Bitbucket"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if strings.Contains(r.URL.Path, "/rest/") {
			io.WriteString(w, f.repoJSON(f.origin))
			return
		}
		backend.ServeHTTP(w, r)
	}
	for _, path := range []string{"/scm/proj/repo.git/info/refs", "/scm/proj/repo.git/git-upload-pack", "/rest/api/1.0/projects/PROJ/repos/repo"} {
		f.handle[f.context+path] = guarded
	}
}

func TestGit(t *testing.T) {
	for _, c := range []struct {
		name           string
		user, password string // what the server wants
		target         func(*Target)
		level          problem.Level
		seen           string
	}{
		{"anonymous", "", "", func(t *Target) { t.Repo = "PROJ/repo" }, problem.OK, "refs"},
		{"clone address", "", "", func(t *Target) { t.Repo = t.URL.BaseURL() + "/scm/proj/repo.git" }, problem.OK, "refs"},
		{"with a password", "ada", "p@ss: wörd=1", func(t *Target) {
			t.Repo, t.GitUser, t.GitPassword = "PROJ/repo", "ada", bitbucket.NewSecret([]byte("p@ss: wörd=1"))
		}, problem.OK, "refs"},
		{"wrong password", "ada", "right", func(t *Target) {
			t.Repo, t.GitUser, t.GitPassword = "PROJ/repo", "ada", bitbucket.NewSecret([]byte("wrong"))
		}, problem.Fail, "Authentication failed"},
		{"password needed", "ada", "right", func(t *Target) { t.Repo = "PROJ/repo" }, problem.Fail, "could not read Username"},
		{"no such repository", "", "", func(t *Target) { t.Repo = "PROJ/other" }, problem.Fail, "not found"},
		{"untrusted certificate", "", "", func(t *Target) { t.Repo, t.CAFile = "PROJ/repo", "" }, problem.Fail, "certificate"},
		{"elsewhere", "", "", func(t *Target) { t.Repo = "https://other.test/scm/proj/repo.git" }, problem.Fail, "not under"},
		{"no name", "", "", func(t *Target) { t.Repo = "repo" }, problem.Fail, "does not name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := good()
			withGit(t, f, c.user, c.password)
			target := f.start(t)
			c.target(&target)
			got := find(t, Run(context.Background(), target, nil), "git")
			wants(t, got, c.level, c.seen)
			if c.password != "" && strings.Contains(got.Found, c.password) {
				t.Errorf("the password is in the finding")
			}
		})
	}
}

// A repository of its own, read with the password, also answers what its clone
// addresses are.
func TestCloneAddressOfPrivateRepository(t *testing.T) {
	f := good()
	withGit(t, f, "ada", "secret")
	target := f.start(t)
	target.Repo, target.GitUser, target.GitPassword = "PROJ/repo", "ada", bitbucket.NewSecret([]byte("secret"))
	wants(t, find(t, Run(context.Background(), target, nil), "clone-url"), problem.OK, "/scm/proj/repo.git")
}

// No password goes over a connection that nobody vouches for.
func TestNoPasswordWithoutTrust(t *testing.T) {
	f := good()
	f.chain = false
	withGit(t, f, "ada", "secret")
	target := f.start(t)
	target.Repo, target.GitUser, target.GitPassword = "PROJ/repo", "ada", bitbucket.NewSecret([]byte("secret"))
	Run(context.Background(), target, nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.sent) == 0 {
		t.Fatal("the front saw no request")
	}
	for _, h := range f.sent {
		if a := h.Get("Authorization"); a != "" && a != "Bearer bitgate-check-this-is-no-token" {
			t.Error("credentials were sent over an untrusted connection")
		}
	}
}
