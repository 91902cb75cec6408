package live_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/haproxy"
	"bitgate/internal/peers"
)

// The times of this test are a hundredth of the real ones: Git's server packs
// for 5 minutes without a word.
const (
	silence  = 3 * time.Second
	ourHour  = "36s"
	pageIdle = "500ms" // 50 s, as Atlassian's page has it
)

// silentGit serves a repository over HTTP and SSH, with real git and sshd, and
// is silent before it sends or takes a pack.
type silentGit struct {
	repo, key string
	http, ssh string // addresses
}

func newSilentGit(t *testing.T) silentGit {
	t.Helper()
	g := silentGit{repo: peers.BareRepo(t, 1), ssh: peers.FreeAddress(t)}
	env := peers.GitEnv(t)
	peers.Git(t, g.repo, env, "config", "http.receivepack", "true")
	backend := &cgi.Handler{
		Path: filepath.Join(peers.Git(t, g.repo, env, "--exec-path"), "git-http-backend"), Root: "/bitbucket/scm",
		Env: append(env, "GIT_PROJECT_ROOT="+filepath.Dir(g.repo), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=ada"),
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bitbucket/status" {
			return
		}
		if r.Method == "POST" {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return // the front gave up
			}
			time.Sleep(silence) // what is tested, not a way to wait
			r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	g.http = s.Listener.Addr().String()
	g.sshd(t)
	return g
}

func (g *silentGit) sshd(t *testing.T) {
	dir := plainDir(t)
	hostKey := filepath.Join(dir, "host")
	g.key = filepath.Join(dir, "key")
	for _, path := range []string{hostKey, g.key} {
		if out, err := exec.Command(peers.Path(t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", path).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
	}
	_, port, _ := strings.Cut(g.ssh, ":")
	write(t, filepath.Join(dir, "config"), fmt.Appendf(nil, "Port %s\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s.pub\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n"+
		"ForceCommand sleep %d; git-shell -c \"$SSH_ORIGINAL_COMMAND\"\n", port, hostKey, g.key, int(silence.Seconds())))
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // sshd's own, which its unit makes
			t.Fatal(err)
		}
	}
	peers.Start(t, exec.Command(peers.Path(t, "sshd"), "-D", "-e", "-f", filepath.Join(dir, "config")))
	peers.WaitFor(t, "sshd", func() bool { return peers.Accepts(g.ssh) })
}

// behind runs HAProxy with our sections, whose hour is another time here, and
// returns the two remotes with the environment that git needs for them.
func (g *silentGit) behind(t *testing.T, hour string) (remotes, env []string) {
	t.Helper()
	in := installed(t)
	w := newTown(t)
	w.upstream = g.http
	s := w.site(t, in.Version)
	s.SSHListen, s.SSHUpstream = w.other, g.ssh
	cfg := filepath.Join(w.dir, "haproxy.cfg")
	m, err := haproxy.Merge([]haproxy.Source{{Path: cfg, Data: []byte(head)}}, s)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(m.After), " 1h\n"); n < 5 {
		t.Fatalf("%d idle limits of an hour, at least client, server, tunnel, and both of SSH were to be there", n)
	}
	write(t, cfg, []byte(strings.ReplaceAll(string(m.After), " 1h\n", " "+hour+"\n")))
	launch(t, in.Bin, w.addr, "-f", cfg)
	roots := filepath.Join(w.dir, "roots.pem")
	cert, _, _ := bytes.Cut(w.bundles[ourHost], []byte("-----BEGIN PRIVATE"))
	write(t, roots, cert)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	_, sshPort, _ := strings.Cut(w.other, ":")
	env = peers.GitEnv(t, "GIT_SSL_CAINFO="+roots,
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.curloptResolve", "GIT_CONFIG_VALUE_0="+ourHost+":"+w.port+":127.0.0.1",
		"GIT_SSH_COMMAND=ssh -F none -i "+g.key+" -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR")
	return []string{
		s.URL.BaseURL() + "/scm/" + filepath.Base(g.repo),
		"ssh://" + me.Username + "@127.0.0.1:" + sshPort + g.repo,
	}, env
}

// Clone and push live through minutes of silence over HTTPS and SSH, which the
// page's 50 seconds would have ended.
func TestGitOutlastsASilentServer(t *testing.T) {
	t.Parallel()
	peers.Need(t, "haproxy", "git", "ssh", "sshd", "ssh-keygen")
	g := newSilentGit(t)
	for hour, works := range map[string]bool{ourHour: true, pageIdle: false} {
		t.Run(hour, func(t *testing.T) {
			t.Parallel()
			remotes, env := g.behind(t, hour)
			for i, remote := range remotes {
				t.Run([]string{"HTTPS", "SSH"}[i], func(t *testing.T) {
					t.Parallel()
					work := t.TempDir()
					out, err := peers.TryGit(t, work, env, "clone", "-q", remote, ".")
					if (err == nil) != works {
						t.Fatalf("clone: %v\n%s", err, out)
					}
					if !works {
						t.Logf("the clone ends: %s", out)
						return
					}
					write(t, filepath.Join(work, "new"), []byte(remote))
					peers.Git(t, work, env, "add", "new")
					peers.Git(t, work, env, "commit", "-q", "-m", "new")
					branch := "pushed-" + fmt.Sprint(i)
					peers.Git(t, work, env, "push", "-q", "origin", "HEAD:refs/heads/"+branch)
					if got, want := peers.Git(t, g.repo, env, "rev-parse", branch), peers.Git(t, work, env, "rev-parse", "HEAD"); got != want {
						t.Errorf("%s was pushed, %s arrived", want, got)
					}
				})
			}
		})
	}
}
