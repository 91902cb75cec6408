package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"bitgate/internal/peers"
	"bitgate/proxy/config"
)

// gitServer serves the bare repositories under root with git's own program and
// asks for a password first, as Bitbucket does. Each long transfer tells when it
// is under way and waits to be let on.
type gitServer struct {
	cgi    cgi.Handler
	spool  string
	midway chan struct{}
	goOn   chan struct{}
}

// underWay is how many bytes of a transfer pass before it counts as under way.
const underWay = 4 << 20

func newGitServer(t *testing.T, root string) *gitServer {
	t.Helper()
	return &gitServer{
		cgi: cgi.Handler{
			Path: filepath.Join(peers.Git(t, root, peers.GitEnv(t), "--exec-path"), "git-http-backend"),
			Root: "/bitbucket/scm",
			Env:  []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=x"},
		},
		spool: t.TempDir(), midway: make(chan struct{}), goOn: make(chan struct{}),
	}
}

func (g *gitServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if user, password, _ := r.BasicAuth(); user != "x" || password != "y" {
		w.Header().Set("WWW-Authenticate", `Basic realm="Bitbucket"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.ContentLength < 0 { // CGI wants a length
		spool, err := os.CreateTemp(g.spool, "body")
		if err != nil {
			panic(err)
		}
		defer os.Remove(spool.Name())
		defer spool.Close()
		if r.ContentLength, err = io.Copy(&pausing{Writer: spool, g: g}, r.Body); err != nil {
			return
		}
		if _, err := spool.Seek(0, io.SeekStart); err != nil {
			panic(err)
		}
		r.Body, r.TransferEncoding = spool, nil
	}
	g.cgi.ServeHTTP(&pausingAnswer{w, pausing{Writer: w, g: g}}, r)
}

// pausing stops once, in the middle of a long transfer.
type pausing struct {
	io.Writer
	g *gitServer
	n int64
}

func (p *pausing) Write(data []byte) (int, error) {
	before := p.n
	p.n += int64(len(data))
	if before < underWay && p.n >= underWay {
		p.g.midway <- struct{}{}
		<-p.g.goOn
	}
	return p.Writer.Write(data)
}

type pausingAnswer struct {
	http.ResponseWriter
	body pausing
}

func (p *pausingAnswer) Write(data []byte) (int, error) { return p.body.Write(data) }

// blobs makes a repository of so many MiB, none of which can be compressed.
func blobs(t *testing.T, env []string, mebibytes int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	peers.Git(t, dir, env, "init", "-q", "-b", "main")
	peers.Git(t, dir, env, "config", "core.compression", "0")
	peers.Git(t, dir, env, "config", "core.bigFileThreshold", "1m") // no search for deltas in noise
	for n := 8; mebibytes > 0; n++ {                                // each size has a content of its own
		n = min(n, mebibytes)
		peers.WriteBlob(t, filepath.Join(dir, fmt.Sprintf("blob-%d", n)), n)
		mebibytes -= n
	}
	peers.Git(t, dir, env, "add", ".")
	peers.Git(t, dir, env, "commit", "-q", "-m", "content")
	return dir
}

// A push and a clone by the real git go on while the certificate is reloaded and
// the process is replaced by another one: 2 GiB in the long form.
func TestGitSurvivesReloadAndRestart(t *testing.T) {
	t.Parallel()
	peers.Need(t, "git")
	mebibytes := 16
	if os.Getenv("BITGATE_TORTURE") != "" {
		mebibytes = 2048
	}
	env := peers.GitEnv(t)
	root := t.TempDir()
	g := newGitServer(t, root)
	r, c, dir := processRig(t)
	c.Upstream = "http://" + server(t, g.ServeHTTP)
	c.Handover = filepath.Join(dir, "handover.sock")
	c.HealthPath = config.HealthNone
	file := configFile(t, dir, c)
	p := child(t, os.Args[0], file, nil)
	serves(t, p)
	source := blobs(t, env, mebibytes)
	head := peers.Git(t, source, env, "rev-parse", "HEAD")
	log := ""

	// during runs git, and replaces the proxy while its transfer is under way. The
	// processes outlive the part of the test that starts them.
	during := func(args ...string) {
		t.Helper()
		done := make(chan error, 1)
		go func() {
			out, err := peers.TryGit(t, source, env, args...)
			if err != nil {
				err = fmt.Errorf("%w\n%s", err, out)
			}
			done <- err
		}()
		select {
		case <-g.midway:
		case err := <-done:
			t.Fatalf("git ended before its transfer was under way: %v", err)
		}
		r.renew(c.PEM)
		if err := syscall.Kill(p.PID(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		until(t, "the new certificate is served", func() bool { return strings.Contains(p.Output(), "certificate: now serving") })
		next := child(t, os.Args[0], file, nil)
		serves(t, next)
		until(t, "the old process waits for git", func() bool { return strings.Contains(p.Output(), "waiting for: ") })
		if err := r.once(true); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("the new process answers %v", err)
		}
		g.goOn <- struct{}{}
		if err := <-done; err != nil {
			t.Error(err)
		}
		endsWell(t, p)
		log += p.Output()
		p = next
	}
	for version, name := range map[string]string{"HTTP/1.1": "one", "HTTP/2": "two"} {
		t.Run(version, func(t *testing.T) {
			bare := filepath.Join(root, name+".git")
			peers.Git(t, root, env, "init", "-q", "--bare", "-b", "main", bare)
			peers.Git(t, bare, env, "config", "core.compression", "0")
			peers.Git(t, bare, env, "config", "core.bigFileThreshold", "1m")
			url := strings.Replace(r.url.BaseURL(), "https://", "https://x:y@", 1) + "/scm/" + name + ".git"
			options := []string{"-c", "http.sslCAInfo=" + r.caFile, "-c"}
			options = append(options, "http.version="+version)
			during(append(options, "push", "-q", url, "main")...)
			clone := filepath.Join(t.TempDir(), "clone")
			during(append(options, "clone", "-q", "--bare", url, clone)...)
			if got := peers.Git(t, clone, env, "rev-parse", "main"); got != head {
				t.Errorf("cloned %s, pushed %s", got, head)
			}
			if err := os.RemoveAll(clone); err != nil {
				t.Error(err)
			}
			t.Logf("%d MiB pushed and cloned over %s, each over a reload and an upgrade", mebibytes, version)
		})
	}
	if !strings.Contains(log, " HTTP/2.0\"\n") || !strings.Contains(log, " HTTP/1.1\"\n") || strings.Contains(log, "eDp5") {
		t.Error("the log lacks one of the versions, or holds the password")
	}
}
