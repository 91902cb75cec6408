package apply_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/doctor"
	"bitgate/doctor/local"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// What is broken on purpose is the first failure that is found on the front's
// machine, and its cure, carried out as printed, ends it.
func TestCauses(t *testing.T) {
	for _, version := range generations {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, version, setup.FrontHAProxy, bitbuckettest.Options{})
			p := m.checked()
			_, err := m.applier().Apply(t.Context(), p)
			m.must(err)
			where := local.Where{
				URL: p.Answers.URL, Root: m.Dir, Home: p.Answers.Home, Install: p.Answers.Install, Version: version, HAProxyCfg: p.Answers.HAProxyCfg,
				Upstream: m.BB.Upstream(), Front: "haproxy", Listen: p.Answers.Listen, StartBitbucket: p.Answers.Restart, RestartBitbucket: p.Answers.Restart,
			}
			first := func(want ...string) problem.Finding {
				t.Helper()
				found := doctor.Causes(t.Context(), doctor.Target{URL: p.Answers.URL}, local.Look(t.Context(), where), nil)
				if len(want) == 0 {
					if len(found) > 0 {
						t.Fatalf("all is well, and found is %+v", found)
					}
					return problem.Finding{}
				}
				if len(found) == 0 {
					t.Fatalf("nothing was found, want %q", want)
				}
				text := found[0].Headline() + "\n" + found[0].Do
				for _, w := range want {
					if !strings.Contains(text, w) {
						t.Errorf("first is %q, want %q", text, w)
					}
				}
				return found[0]
			}
			run := func(command string) {
				t.Helper()
				if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", command, err, out)
				}
			}
			first()

			m.must(m.BB.Stop())
			f := first("Bitbucket itself: Bitbucket is not running: nothing answers at "+strings.TrimPrefix(m.BB.Upstream(), "http://"), p.Answers.Restart)
			run(f.Do)
			first()

			m.BB.SetState("STARTING")
			first("Bitbucket says STARTING at "+p.Run.UpstreamAfter, "wait until "+p.Run.UpstreamAfter+"/status says RUNNING")
			m.BB.SetState("RUNNING")
			first()

			for _, path := range p.EditedPaths() {
				if !strings.HasPrefix(path, filepath.Join(m.Dir, "bitbucket")) {
					continue
				}
				good, err := os.ReadFile(path)
				m.must(err)
				spoil := func(old, broken string) {
					t.Helper()
					bad := bytes.ReplaceAll(good, []byte(old), []byte(broken))
					if bytes.Equal(bad, good) {
						t.Fatalf("%q is not in %s", old, path)
					}
					m.must(os.WriteFile(path, bad, 0o640))
					m.must(m.BB.Restart())
				}
				port := strings.Split(p.Answers.Listen[0], ":")[1]
				contextPath, proxyPort := `path="/bitbucket"`, `proxyPort="`+port+`"`
				wrongPath, wrongPort := `path="/stash"`, `proxyPort="8443"`
				if strings.HasSuffix(path, ".properties") {
					contextPath, proxyPort = "server.context-path=/bitbucket", "server.proxy-port="+port
					wrongPath, wrongPort = "server.context-path=/stash", "server.proxy-port=8443"
				}
				spoil(contextPath, wrongPath)
				if f := first("serves /stash", "has /bitbucket", path, "line "); f.Level != problem.Fail || f.Line == 0 {
					t.Errorf("%+v", f)
				}
				spoil(proxyPort, wrongPort)
				if f := first(" is 8443", port, path, "line "); f.Level != problem.Fail || f.Line == 0 {
					t.Errorf("%+v", f)
				}
				m.must(os.WriteFile(path, good, 0o640))
				m.must(m.BB.Restart())
				first()
			}

			m.HAProxy.Stop()
			first("The front on this machine: HAProxy is not running: nothing listens on "+p.Answers.Listen[0], "haproxy -W -D -f "+p.Answers.HAProxyCfg)
		})
	}
}
