package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// identify finds out which release this is, and refuses what is none.
func (r *release) identify(snapshot bool) error {
	head, err := r.git("log", "-1", "--format=%H %ct")
	if err != nil && snapshot {
		head = "unknown 0" // a tree without its history, or of another user's
	} else if err != nil {
		return err
	}
	var seconds int64
	if _, err := fmt.Sscan(head, &r.commit, &seconds); err != nil {
		return fmt.Errorf("git log: %q: %w", head, err)
	}
	r.date = time.Unix(seconds, 0).UTC()
	if snapshot {
		if r.version == "" {
			r.version = fmt.Sprintf("0.0.0-%s.g%.12s", r.date.Format("20060102150405"), r.commit)
		}
		return nil
	}
	if r.version != "" {
		return errors.New("the version of a release is its tag's; -version is for -snapshot")
	}
	r.tagged = true
	return r.checkTag()
}

// checkout takes the files of a release from the commit of its tag: what git ignores,
// or is told not to look at, and what is edited meanwhile, is in none of its files.
func (r *release) checkout() error {
	if !r.tagged {
		return nil
	}
	source := filepath.Join(r.stage, "source")
	index := []string{"GIT_INDEX_FILE=" + filepath.Join(r.stage, "index")}
	if _, err := r.command(index, "git", "read-tree", r.commit); err != nil {
		return err
	}
	if _, err := r.command(index, "git", "-c", "core.autocrlf=false", "checkout-index", "--all", "--prefix="+source+"/"); err != nil {
		return err
	}
	r.root = source
	return nil
}

var versionTag = regexp.MustCompile(`^v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$`)

// checkTag: HEAD has one version tag, nothing is changed or added, and the change
// log tells of the version.
func (r *release) checkTag() error {
	tags, err := r.git("tag", "--points-at", "HEAD")
	if err != nil {
		return err
	}
	var versions []string
	for _, tag := range strings.Fields(tags) {
		if m := versionTag.FindStringSubmatch(tag); m != nil {
			versions = append(versions, m[1])
		}
	}
	if len(versions) != 1 {
		return fmt.Errorf("HEAD has the version tags %q, and a release has one such as v1.2.3: git tag -a, or -snapshot", versions)
	}
	r.version = versions[0]
	changed, err := r.git("status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		return fmt.Errorf("the checkout is not what the tag says; commit, or remove:\n%s", changed)
	}
	log, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	if !regexp.MustCompile(`(?m)^## \[?` + regexp.QuoteMeta(r.version) + `\b`).Match(log) {
		return fmt.Errorf("CHANGELOG.md has no section %q", "## "+r.version)
	}
	return nil
}

func (r *release) git(args ...string) (string, error) {
	out, err := r.command(nil, "git", args...)
	return strings.TrimSpace(string(out)), err
}

// command runs a program in the checkout and returns its output.
func (r *release) command(env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = r.root, append(os.Environ(), env...)
	var told bytes.Buffer
	cmd.Stderr = &told
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, told.String())
	}
	return out, nil
}

// program is the built one for an architecture.
func (r *release) program(arch string) string { return filepath.Join(r.stage, arch, "bitgate") }

// build makes the programs: static, without paths of this machine, and for the
// oldest processors of each architecture; whatever the environment says.
func (r *release) build() error {
	flags := fmt.Sprintf("-s -w -buildid= -X main.release=%s -X main.commit=%s -X main.date=%s", r.version, r.commit, r.date.Format(time.RFC3339))
	archs := r.archs
	for _, arch := range append([]string{runtime.GOARCH}, archs...) { // this machine's prints the pages
		if _, err := os.Stat(r.program(arch)); err == nil {
			continue
		}
		env := []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch, "GOFLAGS=", "GOWORK=off", "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT="}
		if _, err := r.command(env, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", r.program(arch), "./cmd/bitgate"); err != nil {
			return err
		}
	}
	return r.print()
}

// print has the program write what is packed beside it.
func (r *release) print() error {
	self := r.program(runtime.GOARCH)
	said, err := r.command(nil, self, "--version")
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(said), "bitgate "+r.version+" (commit ") {
		return fmt.Errorf("the program says that it is %q, not version %s", said, r.version)
	}
	if _, err := r.command(nil, self, "man", "--dir", filepath.Join(r.stage, "man")); err != nil {
		return err
	}
	for name, args := range map[string][]string{
		"completion.bash":       {"completion", "bash"},
		"completion.zsh":        {"completion", "zsh"},
		"completion.fish":       {"completion", "fish"},
		"bitgate-proxy.service": {"render", "systemd", "--program", "/usr/bin/bitgate"},
	} {
		text, err := r.command(nil, self, args...)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(r.stage, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
