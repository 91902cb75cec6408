package proxy_test

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// gitServer serves the bare repositories under root with git's own program and
// asks for a password first, as Bitbucket does.
func gitServer(t *testing.T, root string) http.HandlerFunc {
	t.Helper()
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(run(t, root, "git", "--exec-path")), "git-http-backend"),
		Root: "/bitbucket/scm",
		Env:  []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=x"},
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "x" || password != "y" {
			w.Header().Set("WWW-Authenticate", `Basic realm="Bitbucket"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.ContentLength < 0 { // CGI wants a length
			spool, err := os.CreateTemp(t.TempDir(), "body")
			if err != nil {
				panic(err)
			}
			defer spool.Close()
			if r.ContentLength, err = io.Copy(spool, r.Body); err != nil {
				return
			}
			spool.Seek(0, io.SeekStart)
			r.Body, r.TransferEncoding = spool, nil
		}
		backend.ServeHTTP(w, r)
	}
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	// Not the caller's: a GIT_SSL_CAINFO or https_proxy of his would win.
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// A push and a clone of 100 MB by the real git, over both HTTP versions.
func TestGitPushAndClone100MB(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("git is not installed")
		}
		t.Skip("NOT TESTED: git is not installed")
	}
	root := t.TempDir()
	r := start(t, server(t, gitServer(t, root)), nil)
	source := filepath.Join(t.TempDir(), "source")
	run(t, root, "git", "init", "-q", "-b", "main", source)
	run(t, source, "git", "config", "core.compression", "0")
	big := make([]byte, 100<<20)
	rand.Read(big)
	if err := os.WriteFile(filepath.Join(source, "big"), big, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, source, "git", "add", "big")
	run(t, source, "git", "commit", "-q", "-m", "big")
	head := run(t, source, "git", "rev-parse", "HEAD")

	for version, name := range map[string]string{"HTTP/1.1": "one", "HTTP/2": "two"} {
		t.Run(version, func(t *testing.T) {
			run(t, root, "git", "init", "-q", "--bare", "-b", "main", name+".git")
			run(t, filepath.Join(root, name+".git"), "git", "config", "core.compression", "0")
			url := strings.Replace(r.url.BaseURL(), "https://", "https://x:y@", 1) + "/scm/" + name + ".git"
			options := []string{"-c", "http.sslCAInfo=" + r.caFile, "-c", "http.version=" + version}
			run(t, source, "git", append(options, "push", "-q", url, "main")...)
			clone := filepath.Join(t.TempDir(), "clone")
			run(t, root, "git", append(options, "clone", "-q", "--bare", url, clone)...)
			if got := run(t, clone, "git", "rev-parse", "main"); got != head {
				t.Errorf("cloned %s, pushed %s", got, head)
			}
			run(t, clone, "git", "fsck", "--full")
		})
	}
	until(t, "both versions are logged", func() bool {
		return strings.Contains(r.log.String(), " HTTP/2.0\"\n") && strings.Contains(r.log.String(), " HTTP/1.1\"\n")
	})
	if strings.Contains(r.log.String(), "eDp5") {
		t.Error("the log holds the password")
	}
}
