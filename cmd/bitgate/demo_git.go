package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bitgate/internal/child"
	"bitgate/internal/problem"
)

// demoPush is what the demo pushes: more than a buffer, less than a wait.
const demoPush = 4 << 20

// git clones and pushes over HTTPS through the front, as people will, and
// fetches again to see that what was pushed arrived.
func (d *demoSite) git(ctx context.Context) error {
	d.title("git over HTTPS")
	remote := d.url.BaseURL() + d.ready.Repo
	work := d.path("clone")
	steps := []struct {
		what string
		do   func() error
	}{
		{"git clone " + remote, func() error { return d.runGit(ctx, "", "clone", "--quiet", remote, work) }},
		{fmt.Sprintf("git push of %d MiB", demoPush>>20), func() error { return d.push(ctx, work) }},
		{"git clone again, with the pushed commit", func() error { return d.compare(ctx, remote, work) }},
	}
	for _, s := range steps {
		begun := time.Now()
		if err := s.do(); err != nil {
			return problem.Wrap(err, s.what+" failed", "git is what the server is for", "").WithKind(problem.Verify)
		}
		out(d.p.Out, "  %s  %-60s %s", d.p.style().Green("ok"), s.what, time.Since(begun).Round(10*time.Millisecond))
	}
	return nil
}

func (d *demoSite) push(ctx context.Context, work string) error {
	data := make([]byte, demoPush)
	_, _ = rand.Read(data) // never fails (crypto/rand); random bytes do not compress
	if err := os.WriteFile(filepath.Join(work, "pushed.bin"), data, 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"add", "pushed.bin"},
		{"-c", "user.name=Demo", "-c", "user.email=demo@localhost", "commit", "--quiet", "-m", "Push through the front"},
		{"push", "--quiet", "origin", "HEAD"},
	} {
		if err := d.runGit(ctx, work, args...); err != nil {
			return err
		}
	}
	return nil
}

func (d *demoSite) compare(ctx context.Context, remote, work string) error {
	again := d.path("again")
	if err := d.runGit(ctx, "", "clone", "--quiet", remote, again); err != nil {
		return err
	}
	a, err := os.ReadFile(filepath.Join(work, "pushed.bin"))
	if err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(again, "pushed.bin"))
	if err != nil {
		return err
	}
	if string(a) != string(b) {
		return fmt.Errorf("the pushed file came back different")
	}
	return nil
}

// runGit runs git in work, "" for none, trusting the demo's authority. It keeps to
// HTTP/1.1: with HTTP/2 libcurl 7.84.0 to 8.4.0 can ask git for more of a push
// whose end it has been given, and both wait for ever
// (https://github.com/curl/curl/pull/12363).
func (d *demoSite) runGit(ctx context.Context, work string, args ...string) error {
	repository := ""
	if work != "" {
		repository = filepath.Join(work, ".git")
	}
	helper := fmt.Sprintf("!f() { echo username=%s; echo password=%s; }; f", demoUser, demoPassword)
	git := child.Git(repository, append([]string{"-c", "credential.helper=" + helper, "-c", "http.version=HTTP/1.1"}, args...)...)
	git.Dir = work
	git.Env = append(git.Env, "GIT_SSL_CAINFO="+d.path("ca.pem"))
	text, err := git.Output(ctx)
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(text)))
	}
	return nil
}
