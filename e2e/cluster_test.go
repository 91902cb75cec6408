package e2e

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"bitgate/bitbucket"
	"bitgate/bitbucket/bitbuckettest"
	"bitgate/certs"
	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
	"bitgate/proxy"
	"bitgate/proxy/config"
	"bitgate/proxy/process"
	"bitgate/setup"
	"bitgate/setup/apply"
	"bitgate/setup/detect"
)

// cluster is a Data Center of three nodes that share a home, each on a machine
// (a loopback address) of its own, and what a front in front of them is given.
type cluster struct {
	dir     string
	nodes   map[string]*bitbuckettest.Server
	flags   []string // NAME=HOST:PORT
	public  publicurl.URL
	listen  string
	ssh     string // where the front takes SSH
	sshPort int    // of the nodes
	up      func(t *testing.T, node string) bool
}

var nodeNames = []string{"one", "two", "three"}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{dir: t.TempDir(), nodes: map[string]*bitbuckettest.Server{}, listen: peers.FreeAddress(t), ssh: peers.FreeAddress(t), sshPort: peers.FreePort(t)}
	port, shared := peers.FreePort(t), ""
	for i, name := range nodeNames {
		address := fmt.Sprintf("127.0.0.%d", i+1)
		bb, err := bitbuckettest.New(bitbuckettest.Options{
			Dir: filepath.Join(c.dir, name), Version: "8.19.1", AdminPassword: doorPassword, Port: port, SSHPort: c.sshPort,
			Address: address, Shared: shared, Middleware: signed(name),
		})
		must(t, err)
		must(t, bb.Start())
		t.Cleanup(bb.Close)
		shared = filepath.Join(c.dir, nodeNames[0], "home", "shared")
		c.nodes[name] = bb
		c.flags = append(c.flags, fmt.Sprintf("%s=%s:%d", name, address, port))
	}
	_, front, _ := net.SplitHostPort(c.listen)
	c.public = publicURL(t, "https://localhost:"+front+"/bitbucket")
	ca, cert, key, err := certs.Dev([]string{"localhost"}, 90, time.Now())
	must(t, err)
	for name, data := range map[string][]byte{"ca.pem": ca, "cert.pem": append(cert, ca...), "key.pem": key, "password": []byte(doorPassword + "\n")} {
		must(t, os.WriteFile(c.file(name), data, 0o600))
	}
	return c
}

func (c *cluster) file(name string) string { return filepath.Join(c.dir, name) }

// signed says in each answer which node gave it.
func signed(name string) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Node", name)
			h.ServeHTTP(w, r)
		})
	}
}

// get asks for the status page; cookie, if not "", names the node that the
// client is bound to.
func (c *cluster) get(t *testing.T, client *http.Client, cookie string) (status int, node, bound, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.public.BaseURL()+"/status", nil)
	must(t, err)
	if cookie != "" {
		req.AddCookie(&http.Cookie{Name: "ROUTEID", Value: cookie})
	}
	resp, err := client.Do(req)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	for _, k := range resp.Cookies() {
		if k.Name == "ROUTEID" {
			bound = k.Value
		}
	}
	return resp.StatusCode, resp.Header.Get("X-Node"), bound, string(text)
}

// behaves is what users of a cluster are promised, whatever the front.
func (c *cluster) behaves(t *testing.T) {
	c.sticks(t)
	c.survivesAStop(t)
	c.forwardsMaintenance(t)
	for range 6 { // two for each node
		conn, err := net.DialTimeout("tcp", c.ssh, 30*time.Second)
		must(t, err)
		banner := make([]byte, 8)
		_, err = io.ReadFull(conn, banner)
		conn.Close()
		if err != nil || string(banner) != "SSH-2.0-" {
			t.Errorf("SSH: %q, %v", banner, err)
		}
	}
}

// sticks: a dozen people log in, each at the node the front chose, and stay
// logged in, which they would not if a request went to another node.
func (c *cluster) sticks(t *testing.T) {
	used := map[string]int{}
	for range 12 {
		v := newVisitor(t, c.public, c.listen, c.file("ca.pem"))
		_, first, _, _ := c.get(t, v.client, "")
		used[first]++
		form := "j_username=admin&j_password=" + doorPassword
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.public.BaseURL()+"/j_atl_security_check", strings.NewReader(form))
		must(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", c.public.Origin())
		resp, err := v.client.Do(req)
		must(t, err)
		resp.Body.Close()
		for range 5 {
			resp, err := v.client.Get(c.public.BaseURL() + "/rest/ssh/latest/settings") // 401 for whoever is not logged in
			must(t, err)
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Node") != first {
				t.Fatalf("a session that began at node %s is answered %s by node %s", first, resp.Status, resp.Header.Get("X-Node"))
			}
		}
	}
	for _, name := range nodeNames {
		if used[name] == 0 {
			t.Errorf("node %s is never chosen: %v", name, used)
		}
	}
}

// survivesAStop: who is bound to a stopped node goes to another, which binds
// them; and back it comes.
func (c *cluster) survivesAStop(t *testing.T) {
	client := newVisitor(t, c.public, c.listen, c.file("ca.pem")).client
	client.Jar = nil
	stopped := time.Now()
	c.nodes["two"].Close()
	status, node, bound, _ := c.get(t, client, "two")
	if status != http.StatusOK || node == "two" || bound != node {
		t.Errorf("bound to the stopped node: %d from %q, bound to %q", status, node, bound)
	}
	t.Logf("the first request bound to the stopped node is answered by another after %v", time.Since(stopped).Round(10*time.Millisecond))
	peers.WaitFor(t, "the stopped node to be left", func() bool { return !c.up(t, "two") })
	t.Logf("the stopped node is left after %v", time.Since(stopped).Round(10*time.Millisecond))
	for range 6 {
		if status, node, _, _ := c.get(t, client, ""); status != http.StatusOK || node == "two" || node == "" {
			t.Errorf("without it: %d from %q", status, node)
		}
	}
	must(t, c.nodes["two"].Start())
	started := time.Now()
	peers.WaitFor(t, "the node that is back to be taken back", func() bool { _, node, _, _ := c.get(t, client, "two"); return node == "two" })
	t.Logf("it is taken back after %v", time.Since(started).Round(10*time.Millisecond))
}

// forwardsMaintenance: people must reach a node whose status says so, however
// often it was checked since; one that starts is left, and taken back.
func (c *cluster) forwardsMaintenance(t *testing.T) {
	client := newVisitor(t, c.public, c.listen, c.file("ca.pem")).client
	client.Jar = nil
	one, three := c.nodes["one"], c.nodes["three"]
	states := map[string]string{"one": "FIRST_RUN", "three": "MAINTENANCE"}
	for name, state := range states {
		c.nodes[name].SetState(state)
	}
	first, third := checks(one), checks(three)
	peers.WaitFor(t, "more checks than take a node out", func() bool { return checks(one) > first+3 && checks(three) > third+3 })
	for name, state := range states {
		if status, node, _, body := c.get(t, client, name); status != http.StatusOK || node != name || !strings.Contains(body, state) {
			t.Errorf("%s: %d from %q: %s", state, status, node, body)
		}
	}
	one.SetState("RUNNING")
	three.SetState("STARTING")
	peers.WaitFor(t, "a starting node to be left", func() bool { return !c.up(t, "three") })
	if status, node, _, _ := c.get(t, client, "three"); status != http.StatusOK || node == "three" {
		t.Errorf("STARTING: %d from %q", status, node)
	}
	three.SetState("RUNNING")
	peers.WaitFor(t, "it to be taken back", func() bool { return c.up(t, "three") })
}

func checks(bb *bitbuckettest.Server) (n int) {
	for _, r := range bb.Requests() {
		if strings.HasSuffix(r.Path, "/status") {
			n++
		}
	}
	return n
}

// A cluster through the command line with a real HAProxy: apply waits for a
// person to restart each node, the result behaves, undo gives everything back.
func TestClusterBehindHAProxy(t *testing.T) {
	t.Parallel()
	peers.Need(t, "tmux")
	bin, c := binary(t), newCluster(t)
	cfg, socket, aside := c.file("haproxy.cfg"), c.file("stats.sock"), peers.FreeAddress(t)
	original := "global\n    maxconn 500\n    stats socket " + socket + " mode 600\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n" +
		"frontend other\n    bind " + aside + "\n    http-request deny\n"
	must(t, os.WriteFile(cfg, []byte(original), 0o640))
	properties := filepath.Join(c.nodes["one"].Home(), "shared", "bitbucket.properties")
	untouched, err := os.ReadFile(properties)
	must(t, err)
	h := peers.StartHAProxy(t, cfg, aside)
	c.up = func(t *testing.T, node string) bool { return haproxySays(t, socket, node) }
	state := c.file("state")
	args := []string{
		"apply", "--yes", "--state-dir", state, "--url", c.public.BaseURL(), "--listen", c.listen, "--home", c.nodes["one"].Home(), "--install", c.nodes["one"].InstallDir(),
		"--bitbucket-version", "8.19.1", "--front", "haproxy", "--haproxy-cfg", cfg, "--haproxy-bin", peers.Path(t, "haproxy"), "--reload", h.ReloadCommand(),
		"--cert", c.file("cert.pem"), "--key", c.file("key.pem"), "--ca-file", c.file("ca.pem"), "--admin-user", "admin", "--admin-password-file", c.file("password"),
		"--http-redirect", "never", "--ssh-listen", c.ssh, "--ssh-upstream", ":" + strconv.Itoa(c.sshPort),
	}
	for _, n := range c.flags {
		args = append(args, "--node", n)
	}
	w := startScreen(t, c.dir, 150, 200, append([]string{bin}, args...))
	for _, name := range nodeNames {
		c.restartByHand(t, w, name)
	}
	w.wait("is done: ")
	for _, line := range []string{"one says RUNNING; two says RUNNING; three says RUNNING", "restart Bitbucket on node one (by hand)", "restart Bitbucket on node three (by hand)", "set server"} {
		if !strings.Contains(w.text(), line) {
			t.Errorf("the plan does not say %q", line)
		}
	}
	if got := c.nodes["one"].BaseURL(); got != c.public.BaseURL() {
		t.Errorf("the base URL is %s", got)
	}
	c.behaves(t)

	w = startScreen(t, c.dir, 150, 100, []string{bin, "undo", "--yes", "--state-dir", state, "--admin-password-file", c.file("password")})
	for _, name := range []string{"three", "two", "one"} {
		c.restartByHand(t, w, name)
	}
	peers.WaitFor(t, "the undo to end", func() bool {
		return strings.Contains(w.text(), "everything is as before")
	})
	for path, want := range map[string][]byte{cfg: []byte(original), properties: untouched} {
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, want) {
			t.Errorf("undo leaves %s (%v):\n%s", path, err, now)
		}
	}
	for name, bb := range c.nodes {
		if bb.ContextPath() != "" {
			t.Errorf("node %s runs under %s", name, bb.ContextPath())
		}
	}
}

// restartByHand is the person at the terminal.
func (c *cluster) restartByHand(t *testing.T, w screen, name string) {
	t.Helper()
	w.wait("Restart node " + name + " now")
	must(t, c.nodes[name].Restart())
	w.keys("-l", "done")
	w.keys("Enter")
}

// haproxySays whether the node is up, by its own runtime socket.
func haproxySays(t *testing.T, socket, node string) bool {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	must(t, err)
	defer conn.Close()
	fmt.Fprint(conn, "show stat\n")
	rows, err := csv.NewReader(conn).ReadAll()
	must(t, err)
	for _, row := range rows {
		if strings.HasSuffix(row[0], "_http_backend") && row[1] == node {
			return strings.HasPrefix(row[17], "UP")
		}
	}
	t.Fatalf("HAProxy has no node %s: %v", node, rows)
	return false
}

// The same cluster behind the built-in proxy, as setup configures it.
func TestClusterBehindTheBuiltInProxy(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	admin := peers.FreeAddress(t)
	c.up = func(t *testing.T, node string) bool {
		resp, err := peers.Client.Get("http://" + admin + "/metrics")
		must(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		must(t, err)
		return strings.Contains(string(text), fmt.Sprintf("bitgate_server_up{server=%q} 1", node))
	}
	probe := detect.Probe{Root: c.file("root"), StateDir: c.file("state"), Program: "/usr/local/bin/bitgate", Input: setup.Answers{
		URL: c.public, Listen: []string{c.listen}, Nodes: c.flags, Home: c.nodes["one"].Home(), Install: c.nodes["one"].InstallDir(), Version: "8.19.1",
		Front: setup.FrontBuiltin, Cert: c.file("cert.pem"), Key: c.file("key.pem"), ProxyConfig: c.file("proxy.yaml"), HTTPRedirect: setup.Never,
		AdminUser: "admin", AdminPasswordFile: c.file("password"), SSHListen: c.ssh, SSHUpstream: ":" + strconv.Itoa(c.sshPort),
	}}
	facts, err := detect.Facts(t.Context(), probe)
	must(t, err)
	answers, _ := setup.Resolve(facts, probe.Input, nil)
	plan, err := setup.Build(facts, answers)
	must(t, err)
	var asked []string
	a := apply.Applier{
		StateDir: probe.StateDir, Serve: func(_ context.Context, path string) error { return serveBuiltin(t, path, admin) },
		Login: func(ctx context.Context, base string) (*bitbucket.Session, error) {
			client, err := bitbucket.NewClient(base, bitbucket.Options{})
			if err != nil {
				return nil, err
			}
			return client.Login(ctx, "admin", bitbucket.NewSecret([]byte(doorPassword)), bitbucket.MethodAuto)
		},
		Ask: func(question, _ string, _ []setup.Decision) setup.Decision {
			asked = append(asked, question)
			name := strings.Fields(question)[2] // Restart node NAME now
			if err := c.nodes[name].Restart(); err != nil {
				t.Error(err)
			}
			return setup.DecideDone
		},
	}
	if _, err := a.Apply(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	if len(asked) != len(nodeNames) {
		t.Errorf("asked: %q", asked)
	}
	c.behaves(t)
}

// serveBuiltin runs the proxy from the file that setup wrote.
func serveBuiltin(t *testing.T, path, admin string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	c, err := config.Parse(path, data)
	if err != nil {
		return err
	}
	c.MetricsListen = admin
	listeners, err := process.Listen(c)
	if err != nil {
		return err
	}
	p, err := proxy.New(c, t.Output())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, listeners) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return nil
}
