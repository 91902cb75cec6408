package setup_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/certs"
	"bitgate/internal/publicurl"
	"bitgate/setup"
	"bitgate/setup/detect"
)

var update = flag.Bool("update", false, "rewrite golden files")

// The plan of Bitbucket's own TLS for every generation, from the files that each ships.
func TestPlansWithoutAFront(t *testing.T) {
	for _, version := range []string{"3.7.4", "3.11.6", "4.14.12", "5.16.11", "7.21.23", "8.19.1", "9.4.16", "10.0.1"} {
		t.Run(version, func(t *testing.T) {
			dir := t.TempDir()
			bb, err := bitbuckettest.New(bitbuckettest.Options{Dir: filepath.Join(dir, "bitbucket"), Version: version, Port: 1, SSHPort: -1}) // nobody listens on port 1
			if err != nil {
				t.Fatal(err)
			}
			_, cert, key, err := certs.Dev([]string{"git.example.com"}, 30, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			pem := filepath.Join(dir, "git.pem")
			if err := os.WriteFile(pem, append(cert, key...), 0o600); err != nil {
				t.Fatal(err)
			}
			url, err := publicurl.Parse("https://git.example.com:8443/bitbucket")
			if err != nil {
				t.Fatal(err)
			}
			said := setup.Answers{
				URL: url, Home: bb.Home(), Install: bb.InstallDir(), Version: version, Front: setup.FrontTomcat, PEM: pem,
				Upstream: "http://127.0.0.1:1", Restart: setup.Never, HAProxyCfg: filepath.Join(dir, "haproxy.cfg"), ProxyConfig: filepath.Join(dir, "proxy.yaml"),
			}
			f, err := detect.Facts(t.Context(), detect.Probe{Input: said, StateDir: filepath.Join(dir, "state"), Root: filepath.Join(dir, "root"), Proc: filepath.Join(dir, "proc")})
			if err != nil {
				t.Fatal(err)
			}
			a, _ := setup.Resolve(f, said, nil)
			p, err := setup.Build(f, a)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range p.Notes {
				if strings.Contains(n.Do, "--redirect-") { // which a plan without a front refuses
					t.Errorf("%s: the way out is %q", n.Found, n.Do)
				}
			}
			var out strings.Builder
			for _, ref := range p.Ordered() {
				fmt.Fprintln(&out, p.At(ref).Text())
			}
			for _, d := range setup.Diffs(f, p) {
				fmt.Fprintf(&out, "\n%s", d.Unified)
			}
			for _, pending := range p.Pending {
				fmt.Fprintln(&out, "\npending: "+pending)
			}
			got := strings.ReplaceAll(out.String(), dir, "")
			golden := filepath.Join("testdata", "tomcat", version+".golden")
			if *update {
				if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the plan is\n%s\nwant\n%s", got, want)
			}
		})
	}
}
