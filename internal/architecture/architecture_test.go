// Package architecture holds the module to its layout: which package may
// import which, and what only main may touch. The rules are data in
// rules_test.go; CONTRIBUTING.md tells them in words.
package architecture_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestImportDirection(t *testing.T) {
	files := sources(t)
	if len(files) < 20 {
		t.Fatalf("only %d Go files found: the test looks in the wrong place", len(files))
	}
	for _, v := range violations(files) {
		t.Error(v)
	}
}

// TestRulesCanFail: each fabricated file breaks exactly one rule.
func TestRulesCanFail(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"tomcat/a.go", `import "bitgate/setup"`, "tomcat must not import setup"},
		{"setup/a.go", `import "bitgate/proxy"`, "setup must not import proxy"},
		{"doctor/a_test.go", `import "net/http"; var _ = http.Client{Transport: nil}`, "may hang"},
		{"doctor/a_test.go", `import web "net/http"; var _ = &web.Client{}`, "may hang"},
		{"internal/peers/a.go", `import "net/http"; var _ = http.Post`, "may hang"},
		{"setup/a.go", `import "bitgate/cmd/bitgate"`, "setup must not import cmd/bitgate"},
		{"doctor/a.go", `import "bitgate/haproxy"`, "doctor must not import haproxy"},
		{"interview/a.go", `import "bitgate/wizard"`, "interview must not import wizard"},
		{"interview/a.go", `import "github.com/charmbracelet/x/ansi"`, "interview must not import github.com/charmbracelet/x/ansi"},
		{"interview/a.go", `import "os"`, "pure and must not import os"},
		{"setup/a.go", `import "bitgate/interview"`, "setup must not import interview"},
		{"wizard/a.go", `import "bitgate/bitbucket"`, "wizard must not import bitbucket"},
		{"haproxy/a.go", `import "bitgate/haproxy/live"`, "haproxy must not import haproxy/live"},
		{"internal/service/a.go", `import "bitgate/setup"`, "internal helpers stand below setup"},
		{"novelty/a.go", `import "bitgate/setup"`, "has no place in the layers"},
		{"setup/a.go", `import tea "github.com/charmbracelet/bubbletea"`, "setup must not import github.com/charmbracelet/bubbletea"},
		{"setup/a.go", `import "github.com/spf13/cobra"`, "setup must not import github.com/spf13/cobra"},
		{"proxy/a.go", `import "bitgate/internal/peers"`, "proxy must not import bitgate/internal/peers"},
		{"proxy/a.go", `import "bitgate/proxy/process"`, "proxy must not import proxy/process"},
		{"proxy/server/a.go", `import "bitgate/proxy"`, "proxy/server must not import proxy"},
		{"proxy/exchange/a.go", `import "bitgate/proxy/server"`, "proxy/exchange must not import proxy/server"},
		{"proxy/exchange/a.go", `import "bitgate/proxy/h2"`, "proxy/exchange must not import proxy/h2"},
		{"proxy/ssh/a.go", `import "bitgate/proxy/loop"`, "proxy/ssh must not import proxy/loop"},
		{"proxy/process/a.go", `import "bitgate/proxy/exchange"`, "proxy/process must not import proxy/exchange"},
		{"proxy/clients/a.go", `import "bitgate/proxy/exchange"`, "proxy/clients must not import proxy/exchange"},
		{"proxy/server/a.go", `import "golang.org/x/sys/unix"`, "proxy/server must leave golang.org/x/sys/unix to proxy/loop"},
		{"proxy/exchange/a.go", `import "time"; func f() { time.Sleep(1) }`, "must not wait in time.Sleep"},
		{"proxy/process/a.go", `import "github.com/coreos/go-systemd/v22/daemon"`, "proxy/process must not import github.com/coreos"},
		{"cmd/bitgate/a.go", `import "bitgate/internal/peers"`, "cmd/bitgate must not import bitgate/internal/peers"},
		{"templates/a.go", `import "text/template"`, "templates must not import text/template"},
		{"internal/service/a.go", `import "testing"`, "must not import testing"},
		{"bitbucket/bitbuckettest/a_test.go", `import "bitgate/tomcat"`, "bitbuckettest must not import tomcat"},
		{"tomcat/a.go", `import "os"`, "pure and must not import os"},
		{"haproxy/a.go", `import "os/signal"`, "pure and must not import os/signal"},
		{"wizard/a.go", `import "net/http"`, "pure and must not import net/http"},
		{"proxy/config/a.go", `import "net"; var _ = net.Dial`, "pure and must not use net.Dial"},
		{"tomcat/a.go", `import "bitgate/internal/quietterm"`, "pure and must not import internal/quietterm"},
		{"tomcat/a.go", `import "bitgate/internal/atomicfile"; var _ = atomicfile.Read`, "pure and must not use internal/atomicfile.Read"},
		{"setup/detect/a.go", `import "os"; var _ = os.Getenv("HOME")`, "os.Getenv belongs to cmd/bitgate"},
		{"certs/keystore/a.go", `import "os"`, "certs/keystore is pure and must not import os"},
		{"certs/keystore/a.go", `import "bitgate/certs"`, "certs/keystore must not import certs"},
		{"setup/a.go", `import "os"`, "setup is pure and must not import os"},
		{"setup/a.go", `import "bitgate/internal/atomicfile"; var _ = atomicfile.Read`, "setup is pure and must not use internal/atomicfile.Read"},
		{"setup/a.go", `import "bitgate/internal/service"; var _ = service.Do`, "setup is pure and must not use internal/service.Do"},
		{"setup/a.go", `import "bitgate/haproxy/live"; var _ = live.Check`, "setup is pure and must not use haproxy/live.Check"},
		{"setup/a.go", `import "bitgate/certs"; var _ = certs.Load`, "setup is pure and must not use certs.Load"},
		{"setup/a.go", `import "bitgate/bitbucket"; var _ = bitbucket.NewClient`, "setup is pure and must not use bitbucket.NewClient"},
		{"setup/a.go", `import "bitgate/setup/detect"`, "setup must not import setup/detect"},
		{"setup/journal/a.go", `import "bitgate/setup/apply"`, "setup/journal must not import setup/apply"},
		{"setup/detect/a.go", `import "bitgate/setup/check"`, "setup/detect must not import setup/check"},
		{"setup/check/a.go", `import "bitgate/setup/detect"`, "setup/check must not import setup/detect"},
		{"wizard/a.go", `import "bitgate/setup/detect"`, "wizard must not import setup/detect"},
		{"doctor/a.go", `import "bitgate/setup"`, "doctor must not import setup"},
		{"setup/detect/a.go", `import "net"; var _ = net.SplitHostPort`, "net.SplitHostPort belongs to internal/hostport"},
		{"cmd/bitgate/a.go", `import "net"; var _ = net.JoinHostPort`, "net.JoinHostPort belongs to internal/hostport"},
		{"proxy/a.go", `import n "net"; var _ = n.SplitHostPort`, "net.SplitHostPort belongs to internal/hostport"},
		{"doctor/a.go", `import "os/exec"`, "doctor must not import os/exec"},
		{"cmd/bitgate/a.go", `import run "os/exec"; var _ = run.Command`, "cmd/bitgate must not import os/exec"},
		{"internal/service/a.go", `import "os/exec"`, "internal/service must not import os/exec"},
		{"setup/detect/a.go", `import "os"; var _ = os.StartProcess`, "os.StartProcess belongs to internal/child"},
		{"cmd/bitgate/a.go", `import "syscall"; var _ = syscall.Exec`, "syscall.Exec belongs to internal/child"},
		{"proxy/process/a.go", `import sys "golang.org/x/sys/unix"; var _ = sys.Exec`, "unix.Exec belongs to internal/child"},
		{"setup/detect/a.go", `import "net/http/cgi"`, "setup/detect must not import net/http/cgi"},
		{"doctor/a.go", `import sys "os"; var _ = sys.Stdin`, "os.Stdin belongs to cmd/bitgate"},
	}
	for _, tt := range tests {
		f, err := parse(tt.name, []byte("package a; "+tt.src))
		if err != nil {
			t.Fatal(err)
		}
		got := violations([]file{f})
		if len(got) != 1 || !strings.Contains(got[0], tt.want) {
			t.Errorf("%s with %s: got %q, want one violation with %q", tt.name, tt.src, got, tt.want)
		}
	}
}

// TestRulesAllow: what the design asks for is not reported.
func TestRulesAllow(t *testing.T) {
	for name, src := range map[string]string{
		"cmd/bitgate/a.go":    `import ("os"; "bitgate/setup"; "bitgate/bitbucket/bitbuckettest"); var _ = os.Exit`,
		"setup/a.go":          `import ("bitgate/tomcat"; "bitgate/internal/service"; "bitgate/internal/atomicfile"); var _ service.Control; var _ = atomicfile.Digest`,
		"setup/detect/a.go":   `import ("os"; "bitgate/tomcat"; "bitgate/internal/service"); var _ = os.ReadFile`,
		"haproxy/a.go":        `import ("net"; "net/netip"; "bitgate/internal/splice"); var _ = net.ParseIP`,
		"internal/child/a.go": `import ("os/exec"; "syscall"); var _ = syscall.Exec`,
		"doctor/a_test.go":    `import ("os/exec"; "syscall"); var _ = syscall.Exec`,
		"wizard/a.go":         `import ("bitgate/setup"; "bitgate/internal/quietterm"; "github.com/charmbracelet/huh")`,
		"tomcat/a_test.go":    `import ("os"; "bitgate/internal/peers"); var _ = os.Getenv`,
		"internal/peers/a.go": `import ("os"; "testing"); var _ = os.Getenv`,
	} {
		f, err := parse(name, []byte("package a; "+src))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range violations([]file{f}) {
			t.Error(v)
		}
	}
}

// TestOtherSystemsAreRefused: for another system the go command names a reason
// instead of listing what is missing there.
func TestOtherSystemsAreRefused(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./cmd/bitgate")
	cmd.Dir = moduleRoot(t)
	cmd.Env = append(os.Environ(), "GOOS=darwin")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "internal/linuxonly: build constraints exclude all Go files") {
		t.Errorf("GOOS=darwin: %v\n%s", err, out)
	}
}

// TestRootModuleHoldsOnlyWhatIsImported keeps developer tools and leftovers out
// of the root go.mod; tools have tools/go.mod.
func TestRootModuleHoldsOnlyWhatIsImported(t *testing.T) {
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = moduleRoot(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Module  struct{ Path string }
		Require []struct {
			Path     string
			Indirect bool
		}
		Tool, Replace []any
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	if mod.Module.Path+"/" != module {
		t.Errorf("the module is named %q; internal/quietterm depends on its name sorting early", mod.Module.Path)
	}
	if len(mod.Tool) > 0 || len(mod.Replace) > 0 {
		t.Errorf("go.mod has tool or replace directives: %v %v", mod.Tool, mod.Replace)
	}
	files := sources(t)
	for _, r := range mod.Require {
		used := slices.ContainsFunc(files, func(f file) bool {
			return slices.ContainsFunc(f.Imports, func(i use) bool {
				return within(i.Name, r.Path) || within(i.Name, r.Path+"/")
			})
		})
		switch {
		case !r.Indirect && !used:
			t.Errorf("go.mod requires %s, which nothing imports", r.Path)
		case r.Indirect && used:
			t.Errorf("go.mod calls %s indirect, but it is imported: go mod tidy", r.Path)
		}
	}
}
