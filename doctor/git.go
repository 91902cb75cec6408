package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

var gitChecks = []check{{
	id: "git", title: "git over HTTPS", https: true,
	why:  "this is what the server is for",
	do:   "run the same command by hand with GIT_CURL_VERBOSE=1 and compare with the log of the front",
	when: func(t Target) bool { return t.Repo != "" },
	look: lookGit,
}}

func lookGit(ctx context.Context, p *probe) verdict {
	git, err := exec.LookPath("git")
	if err != nil {
		return warn("git is not installed on this machine").
			because("the real test, a git ls-remote, could not be made").
			doing("install it (apt install git, dnf install git) or verify from another machine with --connect")
	}
	address, err := p.cloneAddress()
	if err != nil {
		return fail(err.Error()).because("it cannot be reached under the public URL").doing("name it as PROJECT/repository")
	}
	args, err := p.gitArgs(ctx)
	if err != nil {
		return note("not checked: " + err.Error())
	}
	out, err := runGit(ctx, git, p.gitCredential(ctx), append(args, "ls-remote", "--", address)...)
	if err != nil {
		return fail(fmt.Sprintf("git ls-remote %s: %v", address, err))
	}
	return ok(fmt.Sprintf("git ls-remote %s: %d refs", address, bytes.Count(out, []byte("\n"))))
}

// cloneAddress is the HTTPS address of the named repository, without a user.
func (p *probe) cloneAddress() (string, error) {
	if strings.Contains(p.t.Repo, "://") {
		u, err := url.Parse(p.t.Repo)
		if err != nil || !p.isPublic(u) {
			return "", fmt.Errorf("the repository %s is not under %s", stripUser(p.t.Repo), p.t.URL.BaseURL())
		}
		u.User = nil
		return u.String(), nil
	}
	project, slug, named := p.repoName()
	if !named {
		return "", fmt.Errorf("%q does not name a repository", p.t.Repo)
	}
	return fmt.Sprintf("%s/scm/%s/%s.git", p.t.URL.BaseURL(), url.PathEscape(strings.ToLower(project)), url.PathEscape(slug)), nil
}

// gitArgs makes git use the connection that is examined: no helper, proxy or
// rewriting of the person who runs bitgate, our roots, our address.
func (p *probe) gitArgs(ctx context.Context) ([]string, error) {
	args := []string{"-c", "credential.helper=", "-c", "core.askPass=", "-c", "http.proxy="}
	if p.t.CAFile != "" && !p.handshake(ctx).bySystem {
		args = append(args, "-c", "http.sslCAInfo="+p.t.CAFile)
	}
	if p.t.Connect != "" {
		resolve, err := p.curlResolve(ctx)
		if err != nil {
			return nil, err
		}
		args = append(args, "-c", "http.curloptResolve="+resolve)
	}
	if p.t.GitUser != "" {
		// The answer comes on descriptor 3: never on a command line, in the
		// environment or on disk.
		args = append(args, "-c", `credential.helper=!f() { test "$1" = get && cat <&3; }; f`)
	}
	return args, nil
}

// curlResolve is curl's --resolve value, which can change the address but not the port.
func (p *probe) curlResolve(ctx context.Context) (string, error) {
	host, port, err := net.SplitHostPort(p.t.Connect)
	if err != nil {
		return "", err
	}
	if port != p.t.URL.ProxyPort() {
		return "", fmt.Errorf("git cannot be told to connect to port %s instead of %s", port, p.t.URL.ProxyPort())
	}
	if _, err := netip.ParseAddr(host); err != nil {
		addrs, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			return "", err
		}
		host = addrs[0]
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	name := p.t.URL.Host()
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	return name + ":" + port + ":" + host, nil
}

// gitCredential is git's credential protocol (git-credential(1)); nil without
// a user or where the connection must not be trusted with a password.
func (p *probe) gitCredential(ctx context.Context) []byte {
	if p.t.GitUser == "" || !p.handshake(ctx).trusted() {
		return nil
	}
	password := p.t.GitPassword.Reveal()
	if bytes.ContainsAny(password, "\n\x00") || strings.ContainsAny(p.t.GitUser, "\n\x00") {
		return nil
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "username=%s\npassword=", p.t.GitUser)
	b.Write(password)
	b.WriteByte('\n')
	return b.Bytes()
}

func runGit(ctx context.Context, git string, credential []byte, args ...string) ([]byte, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// Far below the pipe's capacity, so this does not block.
	_, err = w.Write(credential)
	w.Close()
	clear(credential)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, git, args...)
	cmd.ExtraFiles = []*os.File{r}
	cmd.Dir = os.TempDir()
	// No SSH_ASKPASS, GIT_* or *_proxy of the person who runs bitgate.
	cmd.Env = []string{
		"PATH=" + filepath.Dir(git) + ":/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "HOME=/nonexistent",
		"GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
	}
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil {
		if text := lastLine(messages.String()); text != "" {
			err = errors.New(text)
		}
		return nil, err
	}
	return out.Bytes(), nil
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
