package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/haproxy/rehearsal"
	"bitgate/internal/peers"
)

// TestRehearseBuiltin: the built-in proxy is tried like HAProxy, apart from the
// machine: what its own file keeps from Bitbucket is found, and accepted by its id.
func TestRehearseBuiltin(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		if peers.Required() {
			t.Fatal("the stage takes root")
		}
		t.Skip("the stage takes root")
	}
	dir := t.TempDir()
	put := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, cert, key, err := certs.Dev([]string{"git.example.com"}, 1, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	put("git.pem", append(cert, key...))
	base := "url: https://git.example.com/bitbucket\nlisten: ['*:443']\nredirect-listen: ['*:80']\nssh-listen: '*:7999'\naccess-log: /var/log/bitgate/access.log\nmetrics-listen: 127.0.0.1:9100\nhandover: /run/bitgate/handover.sock\nold-path: /stash\n"
	one, several := "upstream: http://127.0.0.1:7990\nssh-upstream: 127.0.0.1:7998\n", "nodes: [{name: a, address: '10.0.0.1:7990'}, {name: b, address: '10.0.0.2:7990'}]\nssh-upstream: ':7999'\ncookie: NODE\n"
	ours := "pem: " + filepath.Join(dir, "git.pem") + "\n"
	for name, tt := range map[string]struct{ file, finds string }{
		"well":           {base + one + ours, ""},
		"nodes":          {base + several + ours + "proxy-protocol: true\ntrusted-proxies: [10.0.0.0/8]\n", ""},
		"limit":          {base + one + ours + "limit-rate: 1\nlimit-burst: 20\n", "the built-in proxy answers 429 itself"},
		"no certificate": {base + one + "pem: /nowhere.pem\n", "open /nowhere.pem"},
	} {
		t.Run(name, func(t *testing.T) {
			put("proxy.yaml", []byte(tt.file))
			run := func(more ...string) (rehearsal.Report, string, error) {
				cmd, _, output := bitgate(t, append([]string{"rehearse", "--json", "--proxy-config", filepath.Join(dir, "proxy.yaml")}, more...)...)
				err := cmd.Run()
				var r rehearsal.Report
				if at := strings.LastIndex(output.String(), "\n}"); at < 0 || json.Unmarshal(output.Bytes()[:at+2], &r) != nil {
					t.Fatalf("no report: %s", output)
				}
				t.Logf("%s (%v)", r.Summary(), r.Took)
				return r, output.String(), err
			}
			r, output, err := run()
			if tt.finds == "" {
				if err != nil || !r.OK() || r.Bitbucket < 50 || r.Front != rehearsal.Builtin {
					t.Errorf("%v: %s", err, output)
				}
				return
			}
			if !r.Rehearsed && err != nil && strings.Contains(r.Why, tt.finds) {
				return
			}
			if err == nil || len(r.Findings) == 0 || !strings.Contains(r.Findings[0].What, tt.finds) {
				t.Fatalf("%v: %s, want %s", err, output, tt.finds)
			}
			var accept []string
			for _, f := range r.Findings {
				accept = append(accept, "--accept", f.ID)
			}
			if _, output, err := run(accept...); err != nil {
				t.Errorf("accepted: %v: %s", err, output)
			}
		})
	}
}
