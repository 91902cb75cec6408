package bitbuckettest

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// git runs the real client, free of the configuration of whoever runs the test.
func git(t *testing.T, dir string, env []string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = slices.Concat(os.Environ(), gitEnv(), []string{
		"HOME=" + dir, "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com",
	}, env)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mustGit(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	out, err := git(t, dir, env, args...)
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return out
}

// roundTrip clones, pushes size random bytes on a branch and clones again.
func roundTrip(t *testing.T, address string, env []string, size int) {
	t.Helper()
	dir := t.TempDir()
	mustGit(t, dir, env, "clone", "-q", address, "one")
	work := filepath.Join(dir, "one")
	if _, err := os.Stat(filepath.Join(work, "README.md")); err != nil {
		t.Fatal(err)
	}
	blob := make([]byte, size)
	_, _ = rand.Read(blob)
	if err := os.WriteFile(filepath.Join(work, "blob"), blob, 0o600); err != nil {
		t.Fatal(err)
	}
	mustGit(t, work, env, "add", "blob")
	mustGit(t, work, env, "commit", "-q", "-m", "blob")
	mustGit(t, work, env, "push", "-q", "origin", "HEAD:refs/heads/other")
	mustGit(t, dir, env, "clone", "-q", "-b", "other", address, "two")
	got, err := os.ReadFile(filepath.Join(dir, "two", "blob"))
	if err != nil || string(got) != string(blob) {
		t.Errorf("what was cloned is not what was pushed (%d bytes, %v)", len(got), err)
	}
}

func requireGit(t *testing.T, s *Server) {
	t.Helper()
	peers.Need(t, "git")
	if s.RepoPath() == "" {
		t.Fatal("git is here, but the stand-in serves no repository")
	}
}

func TestGitOverHTTP(t *testing.T) {
	for _, version := range []string{"4.14.12", "10.2.0"} {
		t.Run(version, func(t *testing.T) {
			s := start(t, Options{Version: version, Context: "/code"})
			requireGit(t, s)
			address := s.Upstream() + "/code" + s.RepoPath()
			if out, err := git(t, t.TempDir(), nil, "ls-remote", address); err == nil {
				t.Errorf("anonymous read: %s", out)
			}
			// More than http.postBuffer, so that git sends the pack in chunks.
			roundTrip(t, strings.Replace(address, "://", "://admin:admin@", 1), nil, 8<<20)
		})
	}
}

func TestAnonymousMayReadAPublicRepositoryOnly(t *testing.T) {
	s := start(t, Options{Version: "9.4.16", PublicRepo: true})
	requireGit(t, s)
	dir := t.TempDir()
	mustGit(t, dir, nil, "clone", "-q", s.Upstream()+"/scm/PROJ/repo.git", "one")
	if out, err := git(t, filepath.Join(dir, "one"), nil, "push", "origin", "HEAD:refs/heads/x"); err == nil {
		t.Errorf("anonymous push: %s", out)
	}
	if out, err := git(t, dir, nil, "ls-remote", s.Upstream()+"/scm/PROJ/none.git"); err == nil {
		t.Errorf("a repository that does not exist: %s", out)
	}
}

// net/http/cgi alone refuses chunked bodies; git sends large packs so, and curl
// asks with Expect first.
func TestChunkedBodyAndExpect(t *testing.T) {
	s := start(t, Options{Version: "9.4.16"})
	requireGit(t, s)
	conn, err := net.Dial("tcp", loopback(s.o.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil { // instead of hanging
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /scm/proj/repo.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWRtaW46YWRtaW4=\r\n"+
		"Content-Type: application/x-git-receive-pack-request\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
	in := bufio.NewReader(conn)
	for _, want := range []string{"HTTP/1.1 100 Continue\r\n", "\r\n"} {
		if line, err := in.ReadString('\n'); err != nil || line != want {
			t.Fatalf("%q %v", line, err)
		}
	}
	fmt.Fprint(conn, "4\r\n0000\r\n0\r\n\r\n") // a flush packet: nothing to push
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); response.StatusCode != 200 || kind != "application/x-git-receive-pack-result" {
		t.Errorf("%s, %s", response.Status, kind)
	}
}

func TestGitOverSSH(t *testing.T) {
	peers.Need(t, "ssh")
	s := start(t, Options{Version: "9.4.16", Context: "/code"})
	requireGit(t, s)
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	known := filepath.Join(dir, "known_hosts")
	options := []string{"-F", "none", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new", "-o", "UserKnownHostsFile=" + known}
	host, port, err := net.SplitHostPort(s.SSHAddr())
	if err != nil {
		t.Fatal(err)
	}
	ssh := func(command ...string) (string, error) {
		out, err := exec.Command("ssh", append(append(append([]string{}, options...), "-p", port, "git@"+host), command...)...).CombinedOutput()
		return string(out), err
	}
	if out, err := ssh("whoami"); err != nil || !strings.HasSuffix(out, "admin\n") {
		t.Errorf("whoami: %q %v", out, err)
	}
	if out, err := ssh("id"); err == nil || !strings.Contains(out, "unrecognized command") {
		t.Errorf("id: %q %v", out, err)
	}
	env := []string{"GIT_SSH_COMMAND=ssh " + strings.Join(options, " ")}
	roundTrip(t, "ssh://git@"+s.SSHAddr()+s.SSHRepoPath(), env, 4<<20)
	if out, err := git(t, dir, env, "ls-remote", "ssh://git@"+s.SSHAddr()+"/proj/none.git"); err == nil || !strings.Contains(out, "Repository not found") {
		t.Errorf("%q %v", out, err)
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if out, err := ssh("whoami"); err != nil { // StrictHostKeyChecking: the key is the same
		t.Errorf("after a restart: %q %v", out, err)
	}
}

func TestSSHBannerAndStop(t *testing.T) {
	s := start(t, Options{Version: "9.4.16"})
	conn, err := net.Dial("tcp", s.SSHAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "SSH-2.0-SSHD-CORE-") {
		t.Errorf("%q %v", line, err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, in); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", s.o.sshAddress()); err == nil {
		t.Error("SSH listens after Stop")
	}
	off := start(t, Options{Version: "9.4.16", SSHPort: -1})
	if off.SSHAddr() != "" {
		t.Errorf("SSH is off and listens on %s", off.SSHAddr())
	}
}

func (o Options) sshAddress() string { return loopback(o.SSHPort) }
