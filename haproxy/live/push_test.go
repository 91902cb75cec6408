package live_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// distance is how long bytes take from a client to the front, one way.
const distance = 25 * time.Millisecond

// Pushes over HTTP/2 from far away end, of sizes at which libcurl 7.84.0 to 8.4.0
// waits for ever where a window is used up near the end of the body.
func TestPushesOverHTTP2End(t *testing.T) {
	t.Parallel()
	peers.Need(t, "haproxy", "git")
	pushes := 8
	if os.Getenv("BITGATE_TORTURE") != "" {
		pushes = 200
	}
	env := peers.GitEnv(t)
	repo := peers.BareRepo(t, 1)
	peers.Git(t, repo, env, "config", "http.receivepack", "true")
	git := &cgi.Handler{
		Path: filepath.Join(peers.Git(t, repo, env, "--exec-path"), "git-http-backend"), Root: "/bitbucket/scm",
		Env: append(env, "GIT_PROJECT_ROOT="+filepath.Dir(repo), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=ada"),
	}
	f := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bitbucket/status" {
			return
		}
		body, err := io.ReadAll(r.Body) // CGI wants a length
		if err != nil {
			return
		}
		r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
		git.ServeHTTP(w, r)
	}), nil)
	if !f.site.Version.AtLeast(2, 2) {
		t.Skip("SKIPPED: HTTP/2 is offered from 2.2 on")
	}
	_, port, _ := net.SplitHostPort(peers.FarAway(t, f.addr, distance))
	roots := filepath.Join(t.TempDir(), "roots.pem")
	bundle, err := os.ReadFile(f.site.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	cert, _, _ := bytes.Cut(bundle, []byte("-----BEGIN PRIVATE"))
	write(t, roots, cert)
	env = peers.GitEnv(t, "GIT_SSL_CAINFO="+roots, "GIT_CONFIG_COUNT=2",
		"GIT_CONFIG_KEY_0=http.curloptResolve", "GIT_CONFIG_VALUE_0=git.example.com:"+port+":127.0.0.1",
		"GIT_CONFIG_KEY_1=http.extraHeader", "GIT_CONFIG_VALUE_1=Host: "+f.site.URL.Authority())
	remote := "https://git.example.com:" + port + "/bitbucket/scm/" + filepath.Base(repo)
	for i := range pushes {
		size := 1280<<10 + i*811
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			work := t.TempDir()
			peers.Git(t, work, env, "init", "-q")
			blob := make([]byte, size)
			_, _ = rand.Read(blob)
			write(t, filepath.Join(work, "blob"), blob)
			peers.Git(t, work, env, "add", "blob")
			peers.Git(t, work, env, "commit", "-q", "-m", "blob")
			push := exec.CommandContext(t.Context(), peers.Path(t, "git"), "push", "-q", remote, fmt.Sprintf("HEAD:refs/heads/push-%d", size))
			push.Dir, push.Env = work, append(env, "GIT_CURL_VERBOSE=1")
			var said syncBuffer
			push.Stdout, push.Stderr = io.Discard, &said
			done := make(chan error, 1)
			if err := push.Start(); err != nil {
				t.Fatal(err)
			}
			go func() { done <- push.Wait() }()
			select {
			case err := <-done:
				if text := said.String(); err != nil || !strings.Contains(text, "HTTP/2 200") {
					t.Errorf("%v: pushed without HTTP/2?\n%s", err, text)
				}
			case <-time.After(30 * time.Second): // a push takes one
				_ = push.Process.Kill()
				<-done
				t.Error("the push hangs")
			}
		})
	}
}
