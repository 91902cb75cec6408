package apply_test

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/child"
	"bitgate/internal/peers"
	"bitgate/setup"
)

// Where HAProxy is started as a user of its own, that user reads what bitgate wrote:
// haproxy -c as root accepts what the next start would not.
func TestHAProxyReadsItsBundleAsItsUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("becoming another user needs root")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(nobody.Gid)
	if err != nil {
		t.Fatal(err)
	}
	for name, reader := range map[string]setup.Reader{"root": {}, "nobody": {User: nobody.Username, Group: group.Name}} {
		m := newMachine(t, "9.4.16", setup.FrontHAProxy, bitbuckettest.Options{})
		for dir := m.Dir; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		f, _ := m.plan()
		f.FrontReader = reader
		a, _ := setup.Resolve(f, m.Probe.Input, nil)
		p, err := setup.Build(f, a)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.applier().Apply(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(m.Probe.Input.HAProxyCfg, 0o644); err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.ParseUint(nobody.Uid, 10, 32)
		gid, _ := strconv.ParseUint(nobody.Gid, 10, 32)
		out, err := child.Command{
			Name: peers.Path(t, "haproxy"), Args: []string{"-c", "-f", m.Probe.Input.HAProxyCfg},
			Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
		}.Output(t.Context())
		if readable := err == nil; readable != (reader.User != "") {
			t.Errorf("written for %s: nobody can read it: %v\n%s", name, readable, out)
		}
	}
}
