package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/certs"
	"bitgate/internal/peers"
	"bitgate/setup"
	"bitgate/setup/detect"
	"bitgate/tomcat"
)

// alone is a machine whose Bitbucket terminates TLS itself.
type alone struct {
	bin, dir string
	flags    []string
	url      string // https://localhost:8443/bitbucket
	address  string // of the TLS connector
	plain    string // of the plain one
}

// certificate makes a new one in the same files, and returns it.
func (a alone) certificate(t *testing.T) *x509.Certificate {
	t.Helper()
	ca, cert, key, err := certs.Dev([]string{"localhost"}, 90, time.Now())
	must(t, err)
	for name, data := range map[string][]byte{"ca.pem": ca, "cert.pem": append(cert, ca...), "key.pem": key} {
		must(t, os.WriteFile(filepath.Join(a.dir, name), data, 0o600))
	}
	m, err := tls.X509KeyPair(cert, key)
	must(t, err)
	return m.Leaf
}

// bitgate runs the program and returns its exit code and what it said.
func (a alone) bitgate(t *testing.T, args ...string) (int, string) {
	t.Helper()
	cmd := exec.Command(a.bin, args...)
	cmd.Dir, cmd.Env = a.dir, append(os.Environ(), "HOME="+a.dir)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// does runs it and wants an exit code.
func (a alone) does(t *testing.T, want int, command string, more ...string) string {
	t.Helper()
	args := append([]string{command, "--state-dir", filepath.Join(a.dir, "state")}, more...)
	if command != "undo" && command != "recover" && command != "verify" {
		args = append(args, a.flags...)
	}
	code, out := a.bitgate(t, args...)
	if code != want {
		t.Fatalf("bitgate %s ended with %d, want %d\n%s", command, code, want, out)
	}
	return out
}

// served is the certificate that the TLS connector shows, nil where it shows none.
func (a alone) served() *x509.Certificate {
	conn, err := tls.Dial("tcp", a.address, &tls.Config{ServerName: "localhost", InsecureSkipVerify: true}) //nolint:gosec // the test compares it
	if err != nil {
		return nil
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

func (a alone) serves(t *testing.T, want *x509.Certificate, when string) {
	t.Helper()
	switch got := a.served(); {
	case got == nil && want == nil:
	case got == nil || want == nil || !bytes.Equal(got.Raw, want.Raw):
		t.Errorf("%s another certificate is served than the one that should be (served: %v, wanted: %v)", when, got != nil, want != nil)
	}
}

// plainly is the status of a request to the plain connector.
func (a alone) plainly(t *testing.T, path string) int {
	t.Helper()
	resp, err := peers.Client.Get("http://" + a.plain + path)
	must(t, err)
	must(t, resp.Body.Close())
	return resp.StatusCode
}

// newAlone starts a stand-in of a version, whose restart is a request.
func newAlone(t *testing.T, version string) (alone, *bitbuckettest.Server) {
	t.Helper()
	peers.Need(t, "curl", "git")
	a := alone{bin: binary(t), dir: t.TempDir()}
	bb, err := bitbuckettest.New(bitbuckettest.Options{Dir: filepath.Join(a.dir, "bitbucket"), Version: version, AdminPassword: doorPassword, SSHPort: -1, PublicRepo: true})
	must(t, err)
	must(t, bb.Start())
	t.Cleanup(bb.Close)
	port := peers.FreePort(t)
	a.url, a.address, a.plain = fmt.Sprintf("https://localhost:%d/bitbucket", port), fmt.Sprintf("localhost:%d", port), strings.TrimPrefix(bb.Upstream(), "http://")
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		err := bb.Restart()
		if held, _ := detect.Listeners("/proc"); err != nil {
			if h, is := setup.Holder(held, a.address); is && h.Process == "haproxy" {
				t.Errorf("Bitbucket was restarted while HAProxy still had its port: %v", err)
			}
		}
		if err != nil && !peers.Within(time.Minute, func() bool { err = bb.Start(); return err == nil || strings.Contains(err.Error(), "keystore") }) {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	t.Cleanup(service.Close)
	must(t, os.WriteFile(filepath.Join(a.dir, "password"), []byte(doorPassword+"\n"), 0o600))
	a.flags = []string{
		"--home", bb.Home(), "--install", bb.InstallDir(), "--bitbucket-version", version, "--front", "tomcat", "--url", a.url,
		"--haproxy-cfg", filepath.Join(a.dir, "haproxy.cfg"), "--proxy-config", filepath.Join(a.dir, "etc", "proxy.yaml"),
		"--listen", fmt.Sprintf("127.0.0.1:%d", port), "--restart", "curl -fsS " + service.URL,
		"--cert", filepath.Join(a.dir, "cert.pem"), "--key", filepath.Join(a.dir, "key.pem"), "--ca-file", filepath.Join(a.dir, "ca.pem"),
		"--admin-user", "admin", "--admin-password-file", filepath.Join(a.dir, "password"),
	}
	return a, bb
}

// Bitbucket terminates TLS itself: clone over HTTPS, nothing to do the second time, a
// renewal that is served after the restart it plans, and both runs taken back.
func TestBitbucketTerminatesTLSItself(t *testing.T) {
	for _, version := range []string{"3.11.6", "9.4.16"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			a, bb := newAlone(t, version)
			before := files(t, filepath.Join(a.dir, "bitbucket"))
			first := a.certificate(t)

			if out := a.does(t, 0, "plan"); !strings.Contains(out, "key store") || strings.Contains(out, "HAProxy") {
				t.Errorf("the plan does not say what changes:\n%s", out)
			}
			a.does(t, 0, "apply", "--yes")
			a.serves(t, first, "after the first run")
			if got := a.plainly(t, "/bitbucket/status"); got != http.StatusOK {
				t.Errorf("the plain connector answers %d", got)
			}
			if bb.BaseURL() != a.url {
				t.Errorf("the base URL is %s", bb.BaseURL())
			}
			a.clone(t, bb.RepoPath())
			a.secretsKept(t)
			a.does(t, 0, "verify")
			if out := a.does(t, 0, "plan", "--exit-code"); !strings.Contains(out, "Nothing to do") {
				t.Errorf("the second time there is something to do:\n%s", out)
			}

			if code, out := a.bitgate(t, "cert", "status", "--state-dir", filepath.Join(a.dir, "state")); code != 0 || !strings.Contains(out, a.address[strings.LastIndexByte(a.address, ':'):]+": the same") || strings.Contains(out, "cannot be read") {
				t.Errorf("the status ends with %d:\n%s", code, out)
			}

			second := a.certificate(t)
			var plan struct {
				Steps []struct {
					Changes []struct {
						Phase int
						What  string
					}
				}
			}
			must(t, json.Unmarshal([]byte(a.does(t, 0, "plan", "--json")), &plan))
			var changes []string
			for _, s := range plan.Steps {
				for _, c := range s.Changes {
					changes = append(changes, strings.SplitN(c.What, " ", 2)[0])
				}
			}
			if got := strings.Join(changes, ", "); got != "write, restart" {
				t.Errorf("a renewal plans %q, want the key store and the restart", got)
			}
			if code, out := a.bitgate(t, "cert", "deploy", "--state-dir", filepath.Join(a.dir, "state")); code == 0 || !strings.Contains(out, "only when it starts") {
				t.Errorf("a hook of a renewal ends with %d, and does not say that a restart is needed:\n%s", code, out)
			}
			a.does(t, 0, "apply", "--yes")
			a.serves(t, second, "after the renewal")
			if code, out := a.bitgate(t, "cert", "deploy", "--state-dir", filepath.Join(a.dir, "state")); code != 0 {
				t.Errorf("a hook of a renewal ends with %d although all is served:\n%s", code, out)
			}
			a.clone(t, bb.RepoPath())

			a.does(t, 0, "undo", "--yes", "--admin-password-file", filepath.Join(a.dir, "password"))
			a.serves(t, first, "after the renewal was taken back")
			a.does(t, 0, "undo", "--yes", "--admin-password-file", filepath.Join(a.dir, "password"))
			a.serves(t, nil, "after everything was taken back")
			if got := a.plainly(t, "/status"); got != http.StatusOK {
				t.Errorf("after everything was taken back plain HTTP answers %d", got)
			}
			after := files(t, filepath.Join(a.dir, "bitbucket"))
			for path, data := range before {
				if !bytes.Equal(after[path], data) {
					t.Errorf("%s is not as it was:\n%s", path, after[path])
				}
			}
			for path := range after {
				if _, was := before[path]; !was {
					t.Errorf("%s was left behind", path)
				}
			}
		})
	}
}

// Where nobody restarts Bitbucket, the run leaves that to a person and says so, and the
// next one restarts it although every file is right.
func TestOwnTLSThatNobodyRestarted(t *testing.T) {
	a, _ := newAlone(t, "8.19.1")
	first := a.certificate(t)
	a.does(t, 0, "apply", "--yes")
	second := a.certificate(t)
	never := a
	never.flags = slices.Clone(a.flags)
	never.flags[slices.Index(never.flags, "--restart")+1] = "never"
	if out := never.does(t, 0, "apply", "--yes"); !strings.Contains(out, "restart Bitbucket") {
		t.Errorf("the restart that is left is not named:\n%s", out)
	}
	a.serves(t, first, "while nobody restarted Bitbucket")
	if out := a.does(t, 3, "plan", "--exit-code"); strings.Contains(out, "key store") {
		t.Errorf("the key store is to be written again:\n%s", out)
	}
	a.does(t, 0, "apply", "--yes")
	a.serves(t, second, "after the restart")
}

func (a alone) clone(t *testing.T, repo string) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(peers.Path(t, "git"), "clone", "-q", a.url+repo, filepath.Join(dir, "clone"))
	cmd.Env = append(os.Environ(), "GIT_SSL_CAINFO="+filepath.Join(a.dir, "ca.pem"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("git clone: %v\n%s", err, out)
	}
}

// files are the configuration files below a folder, by their path; logs and
// repositories are left out.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d.IsDir() && (strings.HasSuffix(path, ".git") || d.Name() == "log" || d.Name() == "data") {
				return fs.SkipDir
			}
			return err
		}
		data, err := os.ReadFile(path)
		out[path] = data
		return err
	}))
	return out
}

// secretsKept: the password that opens the key store stands in Bitbucket's own file and
// nowhere else, and the key store is for Bitbucket's user alone.
func (a alone) secretsKept(t *testing.T) {
	t.Helper()
	var password, store string
	for path, data := range files(t, filepath.Join(a.dir, "bitbucket")) {
		if is, pass, ok := tomcat.KeyStore(path, data, port(t, a.address)); ok && (strings.HasSuffix(path, ".xml") || strings.HasSuffix(path, ".properties")) {
			password, store = pass, is.Value
		}
	}
	if len(password) < 20 {
		t.Fatalf("no password was made: %q", password)
	}
	info, err := os.Stat(store)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %04o", store, info.Mode().Perm())
	}
	for path, data := range files(t, filepath.Join(a.dir, "state")) {
		if bytes.Contains(data, []byte(password)) {
			t.Errorf("%s holds the password of the key store", path)
		}
	}
	moved := a // another host name: another key store, beside a password that is there
	moved.flags = slices.Clone(a.flags)
	for i, f := range moved.flags {
		moved.flags[i] = strings.Replace(f, "https://localhost:", "https://127.0.0.1:", 1)
	}
	for _, how := range [][]string{{"--json"}, nil} {
		if out := moved.does(t, 0, "plan", how...); strings.Contains(out, password) || !strings.Contains(out, "bitgate-127.0.0.1.p12") {
			t.Errorf("a plan holds the password of the key store, or leaves the store alone:\n%s", out)
		}
	}
}

func port(t *testing.T, address string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	must(t, err)
	var n int
	_, err = fmt.Sscan(text, &n)
	must(t, err)
	return n
}

// From HAProxy to Bitbucket's own TLS and back, on the same port: each gives it up
// before the other takes it, other sites of that HAProxy are served throughout, and
// Git clones at every stop.
func TestBetweenHAProxyAndOwnTLS(t *testing.T) {
	for _, version := range []string{"4.14.12", "8.19.1"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			a, bb := newAlone(t, version)
			a.certificate(t)
			cfg, other := filepath.Join(a.dir, "haproxy.cfg"), peers.FreeAddress(t)
			shipped := "global\n    maxconn 200\n\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 5s\n    timeout server 5s\n\n" +
				"frontend other\n    bind " + other + "\n    monitor-uri /alive\n"
			must(t, os.WriteFile(cfg, []byte(shipped), 0o600))
			h := peers.StartHAProxy(t, cfg, other)
			a.flags = append(a.flags, "--reload", h.ReloadCommand())
			behind := a
			behind.flags = slices.Clone(a.flags)
			behind.flags[slices.Index(behind.flags, "tomcat")] = "haproxy"

			stop := func(who alone, holder string) {
				t.Helper()
				who.does(t, 0, "apply", "--yes")
				held, err := detect.Listeners("/proc")
				must(t, err)
				if l, _ := setup.Holder(held, a.address); l.Process != holder {
					t.Errorf("%s is held by %q, want %q", a.address, l.Process, holder)
				}
				who.clone(t, bb.RepoPath())
				if out := who.does(t, 0, "plan", "--exit-code"); !strings.Contains(out, "Nothing to do") {
					t.Errorf("the second time there is something to do:\n%s", out)
				}
				resp, err := peers.Client.Get("http://" + other + "/alive")
				must(t, err)
				must(t, resp.Body.Close())
			}
			stop(behind, "haproxy")
			one, err := os.ReadFile(cfg)
			must(t, err)
			stop(a, "e2e.test")
			if now, err := os.ReadFile(cfg); err != nil || string(now) != shipped {
				t.Errorf("haproxy.cfg is not without bitgate's sections: %v\n%s", err, now)
			}
			stop(behind, "haproxy")
			if now, err := os.ReadFile(cfg); err != nil || !bytes.Equal(now, one) {
				t.Errorf("haproxy.cfg is not as it was behind HAProxy: %v\n%s", err, now)
			}
			for range 3 {
				a.does(t, 0, "undo", "--yes", "--admin-password-file", filepath.Join(a.dir, "password"))
			}
			if got := a.plainly(t, "/status"); got != http.StatusOK {
				t.Errorf("after everything was taken back plain HTTP answers %d", got)
			}
		})
	}
}
