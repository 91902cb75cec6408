package detect

import (
	"os"
	"path/filepath"
	"testing"

	"bitgate/haproxy/live"
	"bitgate/setup"
)

// A bundle is used where it lies only if the service sees it there.
func TestWhereABundleMayStay(t *testing.T) {
	folder := "/var/lib/bitgate-test-" + filepath.Base(t.TempDir())
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Skipf("no folder outside of the private ones can be made: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	write := func(path string, mode os.FileMode) string {
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open, secret := write(filepath.Join(folder, "open.pem"), 0o644), write(filepath.Join(folder, "secret.pem"), 0o600)
	inTmp := write(filepath.Join(t.TempDir(), "g.pem"), 0o644)
	link := filepath.Join(folder, "link.pem")
	if err := os.Symlink(inTmp, link); err != nil {
		t.Fatal(err)
	}
	etc := setup.Paths{Front: setup.FrontHAProxy, HAProxyCfg: "/etc/haproxy/haproxy.cfg", ProxyConfig: "/etc/bitgate/proxy.yaml"}
	tmp := etc
	tmp.HAProxyCfg = filepath.Join(filepath.Dir(inTmp), "haproxy.cfg")
	builtin := etc
	builtin.Front = setup.FrontBuiltin
	for name, c := range map[string]struct {
		path  string
		where setup.Paths
		user  string
		want  bool
	}{
		"outside":                                {secret, etc, "", true},
		"in /tmp":                                {inTmp, etc, "", false},
		"in /tmp by a link":                      {link, etc, "", false},
		"in /root":                               {"/root/git.pem", etc, "", false},
		"in /home":                               {"/home/admin/git.pem", etc, "", false},
		"in /home, builtin":                      {"/home/admin/git.pem", builtin, "", false},
		"in /tmp with everything":                {inTmp, tmp, "", true},
		"a service without root, closed to it":   {secret, etc, "nobody", false},
		"a service without root, open to it":     {open, etc, "nobody", true},
		"the built-in proxy opens keys as root":  {secret, builtin, "nobody", true},
		"a service of a user that is not there ": {open, etc, "no-such-user", false},
	} {
		f := facts{Facts: setup.Facts{HAProxy: live.Install{Service: live.Service{User: c.user}}}}
		f.findReader()
		if got := f.stays(c.path, c.where); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
