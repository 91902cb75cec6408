package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"bitgate/internal/peers"
)

// A real Tomcat whose server.xml bitgate edits terminates TLS with the key store that
// bitgate made: the page sees the public URL, git clones, a renewal is served after its
// restart, the plain connector is for this machine alone, and undo brings plain HTTP
// back to the byte.
func TestTomcatTerminatesTLSItself(t *testing.T) {
	t.Parallel()
	peers.Need(t, "curl", "git", "openssl")
	c := peers.NewTomcat(t, peers.TomcatOptions{})
	src, err := os.ReadFile(c.ServerXML())
	must(t, err)
	// as Bitbucket's own file: reachable from everywhere
	must(t, os.WriteFile(c.ServerXML(), bytes.Replace(src, []byte(` address="127.0.0.1"`), nil, 1), 0o640))
	must(t, os.Symlink(filepath.Join("/usr/share/tomcat10", "lib"), filepath.Join(c.Base, "lib")))
	repository(t, filepath.Join(c.Base, "app", "repo.git"))
	c.Start(t)
	peers.WaitFor(t, "the status page, once it is compiled", func() bool {
		res, err := peers.Client.Get(c.URL() + "/status")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	before, err := os.ReadFile(c.ServerXML())
	must(t, err)

	service := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		c.Stop()
		c.Start(t)
	}))
	t.Cleanup(service.Close)
	port := peers.FreePort(t)
	a := alone{bin: binary(t), dir: t.TempDir(), url: fmt.Sprintf("https://localhost:%d/bitbucket", port), address: fmt.Sprintf("localhost:%d", port), plain: c.Address()}
	home := filepath.Join(a.dir, "bitbucket")
	must(t, os.MkdirAll(filepath.Join(home, "shared"), 0o750))
	a.flags = []string{
		"--home", home, "--install", c.Base, "--bitbucket-version", "4.14.12", "--upstream", c.URL(), "--front", "tomcat", "--url", a.url,
		"--haproxy-cfg", filepath.Join(a.dir, "haproxy.cfg"), "--restart", "curl -fsS " + service.URL, "--base-url-method", "skip",
		"--cert", filepath.Join(a.dir, "cert.pem"), "--key", filepath.Join(a.dir, "key.pem"), "--ca-file", filepath.Join(a.dir, "ca.pem"),
	}
	first := a.certificate(t)
	a.does(t, 0, "apply", "--yes")
	a.serves(t, first, "after the first run")
	a.handshake(t)
	a.clone(t, "/repo.git")
	v := newVisitor(t, publicURL(t, a.url), a.address, filepath.Join(a.dir, "ca.pem"))
	page, cookies, _ := v.visit(t, "/x.jsp")
	compare(t, page, map[string]string{"scheme": "https", "serverName": "localhost", "serverPort": strconv.Itoa(port), "secure": "true", "requestURL": a.url + "/x.jsp"})
	if !secureSession(t, cookies) {
		t.Errorf("the session cookie is not secure: %v", cookies)
	}
	if _, _, landed := v.visit(t, "/go.jsp"); landed != a.url+"/x.jsp" {
		t.Errorf("a redirect led to %s", landed)
	}
	if got := a.plainly(t, "/bitbucket/status"); got != http.StatusOK {
		t.Errorf("the plain connector answers %d", got)
	}
	for _, address := range otherAddresses(t) {
		if conn, err := net.Dial("tcp", net.JoinHostPort(address, strconv.Itoa(c.Port))); err == nil {
			conn.Close()
			t.Errorf("the plain connector can be reached at %s", address)
		}
	}

	second := a.certificate(t)
	a.does(t, 0, "apply", "--yes")
	a.serves(t, second, "after the renewal")
	a.clone(t, "/repo.git")
	a.does(t, 0, "undo", "--yes")
	a.serves(t, first, "after the renewal was taken back")
	a.does(t, 0, "undo", "--yes")
	a.serves(t, nil, "after everything was taken back")
	if got := a.plainly(t, "/status"); got != http.StatusOK {
		t.Errorf("after everything was taken back plain HTTP answers %d", got)
	}
	if after, err := os.ReadFile(c.ServerXML()); err != nil || !bytes.Equal(after, before) {
		t.Errorf("server.xml is not as it was: %v", err)
	}
}

// handshake is one by OpenSSL, which checks chain and name.
func (a alone) handshake(t *testing.T) {
	t.Helper()
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		cmd := exec.Command(peers.Path(t, "openssl"), "s_client", "-connect", a.address, version, "-CAfile", filepath.Join(a.dir, "ca.pem"),
			"-verify_return_error", "-verify_hostname", "localhost", "-brief")
		cmd.Stdin = strings.NewReader("")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Verification: OK") {
			t.Errorf("openssl s_client %s: %v\n%s", version, err, out)
		}
	}
}

// repository is one that is cloned from plain files (git-http-backend(1), "dumb").
func repository(t *testing.T, path string) {
	t.Helper()
	git := peers.Path(t, "git")
	work := t.TempDir()
	for _, args := range [][]string{
		{"-C", work, "init", "-q"},
		{"-C", work, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "--allow-empty", "-m", "first"},
		{"clone", "-q", "--bare", work, path},
		{"-C", path, "update-server-info"},
	} {
		if out, err := exec.Command(git, args...).CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// otherAddresses are this machine's, besides the loopback one.
func otherAddresses(t *testing.T) []string {
	t.Helper()
	var out []string
	all, err := net.InterfaceAddrs()
	must(t, err)
	for _, a := range append(all, &net.IPNet{IP: net.ParseIP("127.0.0.2")}) {
		if n, ok := a.(*net.IPNet); ok && n.IP.String() != "127.0.0.1" && !n.IP.IsLinkLocalUnicast() {
			out = append(out, n.IP.String())
		}
	}
	return out
}
