package doctor

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"bitgate/internal/child"
	"bitgate/internal/hostport"
)

var gitChecks = []check{{
	id: "git", title: "git over HTTPS", https: true,
	why:  "this is what the server is for",
	do:   "run the same command by hand with GIT_CURL_VERBOSE=1 and compare with the log of the front",
	when: func(t Target) bool { return t.Repo != "" },
	look: lookGit,
}}

func lookGit(ctx context.Context, p *probe) verdict {
	if _, err := child.Lookup("git"); err != nil {
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
	refs, err := runGit(ctx, p.gitCredential(ctx), append(args, "ls-remote", "--", address)...)
	if err != nil {
		return fail(fmt.Sprintf("git ls-remote %s: %v", address, err))
	}
	return ok(fmt.Sprintf("git ls-remote %s: %d refs", address, refs))
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
	args := []string{"-c", "http.proxy="}
	if p.t.CAFile != "" && !p.handshake(ctx).bySystem {
		args = append(args, "-c", "http.sslCAInfo="+p.t.CAFile)
	}
	if len(p.own) > 0 {
		args = append(args, "-c", "http.sslCert="+p.t.ClientCert, "-c", "http.sslKey="+cmp.Or(p.t.ClientKey, p.t.ClientCert))
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
	to, err := hostport.Parse(p.t.Connect)
	if err != nil {
		return "", err
	}
	if to.Port != p.t.URL.Port() {
		return "", fmt.Errorf("git cannot be told to connect to port %d instead of %d", to.Port, p.t.URL.Port())
	}
	host := to.Host
	if !to.IP().IsValid() {
		addrs, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			return "", err
		}
		host = addrs[0]
	}
	return hostport.Addr{Host: p.t.URL.Host(), Port: to.Port}.String() + ":" + hostport.Bracket(host), nil
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

// runGit returns how many lines git printed. It reads credential from descriptor 3.
func runGit(ctx context.Context, credential []byte, args ...string) (int, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	// Far below the pipe's capacity, so this does not block.
	_, err = w.Write(credential)
	w.Close()
	clear(credential)
	if err != nil {
		return 0, err
	}
	// No SSH_ASKPASS, GIT_* or *_proxy of the person who runs bitgate.
	cmd := child.Git("", args...)
	var refs lineCount
	messages := child.Limited{Max: 64 << 10}
	cmd.Files, cmd.Stdout, cmd.Stderr = []*os.File{r}, &refs, &messages
	if err := cmd.Run(ctx); err != nil {
		if text := lastLine(string(messages.Bytes())); text != "" {
			err = errors.New(text)
		}
		return 0, err
	}
	return int(refs), nil
}

// lineCount counts lines, however many a server sends.
type lineCount int

func (n *lineCount) Write(p []byte) (int, error) {
	*n += lineCount(bytes.Count(p, []byte("\n")))
	return len(p), nil
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
