package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/certs"
	"bitgate/internal/child"
	"bitgate/internal/freeport"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/setup"
	"bitgate/setup/detect"
)

// The stand-in's administrator. No secret: the stand-in listens on loopback
// addresses only and is gone after the demo.
const (
	demoUser     = "admin"
	demoPassword = "admin"
)

// demoSite is a whole small site in a temporary folder.
type demoSite struct {
	p     *process
	o     demoOptions
	dir   string
	ready bitbuckettest.Ready
	url   publicurl.URL
	ssh   string // address of the front's SSH

	bitbucket *server
	haproxy   *server
	front     *server
	bin       string // HAProxy's

	release []func() // of its ports
}

func (d *demoSite) path(name ...string) string {
	return filepath.Join(append([]string{d.dir}, name...)...)
}

func (d *demoSite) title(text string) {
	out(d.p.Out, "\n%s", d.p.style().Bold(text))
}

// newDemoSite starts everything that is there before setup begins.
func newDemoSite(ctx context.Context, p *process, o demoOptions) (site *demoSite, err error) {
	if _, err := child.Lookup("git"); err != nil {
		return nil, problem.New("git is not installed", "the demo clones and pushes for real", "install it: apt install git, or dnf install git")
	}
	dir, err := os.MkdirTemp("", "bitgate-demo-")
	if err != nil {
		return nil, err
	}
	d := &demoSite{p: p, o: o, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	d.title("A stand-in Bitbucket " + o.version)
	if err := d.startBitbucket(ctx); err != nil {
		return nil, err
	}
	out(p.Out, "  %s at %s, home %s", "Bitbucket "+o.version, d.ready.Upstream, d.ready.Home)
	if err := d.prepare(); err != nil {
		return nil, err
	}
	if o.front == setup.FrontHAProxy {
		if err := d.startHAProxy(ctx); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// startBitbucket starts the stand-in and waits for the line that says it serves.
func (d *demoSite) startBitbucket(ctx context.Context) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	d.bitbucket, err = startServer(w, d.p.Err, d.p.Program, standIn, "--dir", d.path("bitbucket"), "--version", d.o.version, "--public")
	w.Close()
	if err != nil {
		return err
	}
	got := make(chan error, 1)
	go func() {
		line, err := bufio.NewReader(r).ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &d.ready)
		}
		got <- err
	}()
	select {
	case err := <-got:
		if err != nil {
			return problem.Wrap(err, "the stand-in Bitbucket did not start", "", "see its message above")
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(frontStart):
		return problem.New("the stand-in Bitbucket did not start in time", "", "")
	}
}

// prepare makes the certificate, chooses ports, and lays out what stands for
// the machine: no systemd unit, no file outside the folder can be found.
func (d *demoSite) prepare() error {
	ca, cert, key, err := certs.Dev([]string{"localhost", "127.0.0.1"}, 90, time.Now())
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"ca.pem": ca, "cert.pem": cert, "key.pem": key, "password": []byte(demoPassword + "\n")} {
		if err := os.WriteFile(d.path(name), data, 0o600); err != nil {
			return err
		}
	}
	for _, dir := range []string{"root", "state", "front", "proc"} {
		if err := os.Mkdir(d.path(dir), 0o700); err != nil {
			return err
		}
	}
	// Which ports are taken is the real machine's; its processes are not looked at.
	if err := os.Symlink("/proc/net", d.path("proc", "net")); err != nil {
		return err
	}
	port, err := d.freePort()
	if err != nil {
		return err
	}
	sshPort, err := d.freePort()
	if err != nil {
		return err
	}
	d.ssh = hostport.Addr{Host: "127.0.0.1", Port: sshPort}.String()
	d.url, err = publicurl.Parse(fmt.Sprintf("https://localhost:%d/bitbucket", port))
	return err
}

// freePort is held until the demo ends, so that nobody takes it before its server does.
func (d *demoSite) freePort() (int, error) {
	port, release, err := freeport.Hold()
	if err == nil {
		d.release = append(d.release, release)
	}
	return port, err
}

// session is the same that apply uses, with the demo's answers.
func (d *demoSite) session() *session {
	said := setup.Answers{
		URL: d.url, Listen: []string{hostport.Addr{Host: "127.0.0.1", Port: d.url.Port()}.String()}, Upstream: d.ready.Upstream,
		Home: d.ready.Home, Install: d.ready.Install, Version: d.o.version, Front: d.o.front, RedirectOldPath: "/",
		ProxyConfig: d.path("front", "proxy.yaml"), Cert: d.path("cert.pem"), Chain: d.path("ca.pem"), Key: d.path("key.pem"),
		HTTPRedirect: setup.Never, AdminUser: demoUser, AdminPasswordFile: d.path("password"), CAFile: d.path("ca.pem"),
		Restart: fmt.Sprintf("kill -HUP %d", d.ready.PID), RestartTimeout: time.Minute, SSHListen: d.ssh, SSHUpstream: d.ready.SSH,
	}
	if d.ready.SSH == "" {
		said.SSHListen = ""
	}
	said.HAProxyCfg = d.path("front", "haproxy.cfg")
	if d.bin != "" {
		said.HAProxyBin, said.Reload = d.bin, "kill -USR2 $(cat "+d.path("haproxy.pid")+")"
	}
	given := setup.Sources{}
	for _, key := range []string{
		"url", "listen", "upstream", "home", "install", "bitbucket-version", "front", "redirect-old-path", "proxy-config", "cert", "chain", "key",
		"http-redirect", "admin-user", "admin-password-file", "ca-file", "restart", "restart-timeout", "ssh-listen", "ssh-upstream",
		"haproxy-cfg", "haproxy-bin", "reload",
	} {
		given[key] = setup.Source{From: setup.FromFlag, Why: "the demo"}
	}
	return &session{
		p: d.p, input: said, inputSources: given, creds: newCredentials(d.p, said),
		probe: detect.Probe{StateDir: d.path("state"), Root: d.path("root"), Proc: d.path("proc"), Program: d.p.Program},
	}
}

// serve starts the built-in front beside the run.
// Its access log goes to a file: the screen belongs to the steps.
func (d *demoSite) serve() func(context.Context, string) error {
	if d.o.front != setup.FrontBuiltin {
		return nil
	}
	return func(ctx context.Context, config string) error {
		d.front.stop() // a retry starts it anew
		log, err := os.Create(d.path("front.log"))
		if err != nil {
			return err
		}
		defer log.Close()
		d.front, err = startFront(ctx, d.p.Program, log, config)
		if err != nil {
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("%w\n%s", err, text)
		}
		return nil
	}
}

func (d *demoSite) verifyFlags() verifyFlags { return verifyFlags{repo: "PROJ/repo"} }

// close ends every process and removes the folder.
func (d *demoSite) close() error {
	d.front.stop()
	d.haproxy.stop()
	d.bitbucket.stop()
	for _, release := range d.release {
		release()
	}
	return os.RemoveAll(d.dir)
}
