package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/certs"
	"bitgate/internal/peers"
	"bitgate/internal/problem"
	"bitgate/internal/sockets"
)

// desk is a front before a stand-in Bitbucket: set up by bitgate, or made by hand
// with HAProxy or nginx. verify is asked on its machine.
type desk struct {
	life    *testing.T // ends what it has started
	t       *testing.T // of the moment
	kind    string     // "bitgate", "haproxy", "nginx"
	dir     string
	bb      *bitbuckettest.Server
	jira    *jira  // linked with it
	conf    string // of the front
	port    int
	stop    func() // ends the front
	haproxy *peers.HAProxy
	args    []string
	extra   []string // more arguments of verify
}

const byHandHAProxy = `global
    maxconn 200
    tune.bufsize 16384

defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h

frontend https
    bind 127.0.0.1:PORT ssl crt DIR/bundle.pem
    http-request del-header X-Forwarded-For
    option forwardfor
    http-request redirect location /bitbucket/ if { path / }
    use_backend bitbucket if { hdr_beg(host) -i localhost }
    default_backend web

backend web
    server web 127.0.0.1:1

backend bitbucket
    option httpchk GET /bitbucket/status
    server bb1 UPSTREAM check inter 100ms rise 1 fall 1
`

const byHandNginx = `user root;
worker_processes 1;
pid DIR/nginx.pid;
error_log DIR/error.log;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path DIR/body;
    proxy_temp_path DIR/proxy;
    large_client_header_buffers 4 16k;
    server {
        listen 127.0.0.1:PORT ssl;
        server_name localhost;
        ssl_certificate DIR/bundle.pem;
        ssl_certificate_key DIR/bundle.pem;
        location = / { return 301 /bitbucket/; }
        location / {
            proxy_pass http://UPSTREAM;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_read_timeout 1h;
            client_max_body_size 0;
        }
    }
}
`

const byHandApache = `ServerRoot DIR
ServerName localhost
PidFile DIR/apache.pid
ErrorLog DIR/error.log
User nobody
LoadModule mpm_event_module MODULES/mod_mpm_event.so
LoadModule authz_core_module MODULES/mod_authz_core.so
LoadModule socache_shmcb_module MODULES/mod_socache_shmcb.so
LoadModule ssl_module MODULES/mod_ssl.so
LoadModule proxy_module MODULES/mod_proxy.so
LoadModule proxy_http_module MODULES/mod_proxy_http.so
LoadModule headers_module MODULES/mod_headers.so
LoadModule alias_module MODULES/mod_alias.so
LoadModule filter_module MODULES/mod_filter.so
LoadModule deflate_module MODULES/mod_deflate.so
Listen 127.0.0.1:PORT
LimitRequestFieldSize 16380
<VirtualHost 127.0.0.1:PORT>
    ServerName localhost
    SSLEngine on
    SSLCertificateFile DIR/bundle.pem
    RequestHeader unset X-Forwarded-For early
    ProxyPassMatch ^/$ !
    RedirectMatch ^/$ https://localhost:PORT/bitbucket/
    AllowEncodedSlashes NoDecode
    ProxyPreserveHost On
    ProxyTimeout 3600
    LimitRequestBody 0
    ProxyPass / http://UPSTREAM/ nocanon
</VirtualHost>
`

// apacheModules is where Debian has them; hasApache is for long runs, where there is one.
const apacheModules = "/usr/lib/apache2/modules"

func hasApache() bool {
	_, err := exec.LookPath("apache2")
	return err == nil && exists(apacheModules)
}

func newDesk(t *testing.T, kind string) *desk {
	t.Helper()
	d := &desk{life: t, t: t, kind: kind, dir: t.TempDir(), port: peers.FreePort(t), stop: func() {}}
	d.jira = newJira(t, d.url())
	var err error
	d.bb, err = bitbuckettest.New(bitbuckettest.Options{
		Dir: filepath.Join(d.dir, "bitbucket"), Version: "9.4.16", Context: "/bitbucket", AdminPassword: "right", PublicRepo: true, NoWebSudo: true,
		Port: peers.FreePort(t), SSHPort: peers.FreePort(t), BaseURL: d.url(), AppLinks: map[string]string{"Jira": d.jira.URL},
	})
	d.must(err)
	d.must(d.bb.Start())
	t.Cleanup(d.bb.Close)
	d.certificate([]string{"localhost"}, 90, time.Now())
	d.write("password", "right\n")
	d.write("wrong", "wrong\n")
	d.args = []string{"--url", d.url(), "--ca-file", d.file("ca.pem"), "--home", d.bb.Home(), "--install", d.bb.InstallDir(), "--state-dir", d.file("state")}
	d.conf = d.file("haproxy.cfg")
	switch kind {
	case "nginx":
		d.conf = d.file("nginx.conf")
		d.connector()
		d.write("nginx.conf", d.fill(byHandNginx))
		d.args = append(d.args, "--nginx-conf", d.conf)
		d.startNginx()
	case "apache":
		d.conf = d.file("apache.conf")
		d.connector()
		d.write("apache.conf", d.fill(byHandApache))
		d.args = append(d.args, "--apache-conf", d.conf)
		d.command("apache2 -f " + d.conf)
	case "haproxy":
		d.connector()
		d.write("haproxy.cfg", d.fill(byHandHAProxy))
		d.args = append(d.args, "--haproxy-cfg", d.conf)
		d.startHAProxy(d.address())
	case "bitgate":
		d.setUp()
	}
	t.Cleanup(func() { d.stop() })
	return d
}

func (d *desk) url() string             { return fmt.Sprintf("https://localhost:%d/bitbucket", d.port) }
func (d *desk) address() string         { return fmt.Sprintf("127.0.0.1:%d", d.port) }
func (d *desk) file(name string) string { return filepath.Join(d.dir, name) }
func (d *desk) properties() string {
	return filepath.Join(d.bb.Home(), "shared", "bitbucket.properties")
}
func (d *desk) write(name, text string) { d.must(os.WriteFile(d.file(name), []byte(text), 0o600)) }
func (d *desk) fill(text string) string {
	return strings.NewReplacer("PORT", strconv.Itoa(d.port), "DIR", d.dir, "MODULES", apacheModules, "UPSTREAM", strings.TrimPrefix(d.bb.Upstream(), "http://")).Replace(text)
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) certificate(hosts []string, days int, issued time.Time) {
	d.t.Helper()
	ca, cert, key, err := certs.Dev(hosts, days, issued)
	d.must(err)
	d.write("ca.pem", string(ca))
	d.write("cert.pem", string(cert))
	d.write("key.pem", string(key))
	d.write("bundle.pem", string(cert)+string(key))
}

// connector says what the front is, as an administrator does who follows the manual.
func (d *desk) connector() {
	d.t.Helper()
	f, err := os.OpenFile(d.properties(), os.O_APPEND|os.O_WRONLY, 0)
	d.must(err)
	defer f.Close()
	_, err = fmt.Fprintf(f, "server.scheme=https\nserver.secure=true\nserver.proxy-name=localhost\nserver.proxy-port=%d\n", d.port)
	d.must(err)
	d.must(d.bb.Restart())
}

func (d *desk) startHAProxy(addresses ...string) *peers.HAProxy {
	h := peers.StartHAProxy(d.life, d.conf, addresses...)
	d.stop, d.haproxy = h.Stop, h
	return h
}

func (d *desk) startNginx() {
	d.t.Helper()
	p := peers.Start(d.life, exec.Command(peers.Path(d.t, "nginx"), "-c", d.conf, "-g", "daemon off;"))
	d.stop = p.Stop
	peers.WaitFor(d.t, "nginx", func() bool { return peers.Accepts(d.address()) })
}

// setUp has bitgate do it, in a HAProxy that serves another site.
func (d *desk) setUp() {
	d.t.Helper()
	other := peers.FreePort(d.life)
	d.write("haproxy.cfg", fmt.Sprintf(demoHAProxy, other))
	h := d.startHAProxy(fmt.Sprintf("127.0.0.1:%d", other))
	restarts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := d.bb.Restart(); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	d.life.Cleanup(restarts.Close)
	more := []string{
		"--listen", d.address(), "--upstream", d.bb.Upstream(), "--bitbucket-version", "9.4.16", "--front", "haproxy", "--haproxy-cfg", d.conf, "--haproxy-bin", peers.Path(d.t, "haproxy"),
		"--cert", d.file("cert.pem"), "--key", d.file("key.pem"), "--reload", h.ReloadCommand(), "--restart", "curl -sf " + restarts.URL, "--restart-timeout", "30s",
		"--http-redirect", "never", "--admin-user", "admin", "--admin-password-file", d.file("password"), "--yes",
	}
	if code, _, text := d.bitgate(append([]string{"apply"}, append(slices.Clone(d.args), more...)...)...); code != 0 {
		d.t.Fatalf("apply: exit code %d\n%s", code, text)
	}
	d.args = []string{"--ca-file", d.file("ca.pem"), "--state-dir", d.file("state")} // the rest is known
}

// bitgate runs the program in this process, on a machine without units of systemd.
func (d *desk) bitgate(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = Main(process{
		Args: args, In: strings.NewReader(""), Out: &o, Err: &e, Program: "/usr/local/bin/bitgate", Root: d.t.TempDir(), Proc: "/proc",
		Env: func(string) (string, bool) { return "", false },
	})
	return code, o.String(), e.String()
}

// verify returns the findings.
func (d *desk) verify() []problem.Finding {
	d.t.Helper()
	args := append(append([]string{"verify", "--json"}, d.args...), d.extra...)
	_, out, errs := d.bitgate(args...)
	var found []problem.Finding
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		d.t.Fatalf("%v: %v\n%s%s", args, err, out, errs)
	}
	return found
}

// wrong are the findings that are not well, in the order in which they are printed.
func wrong(found []problem.Finding) []problem.Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f problem.Finding) bool { return f.Level == problem.OK || f.Level == problem.Note })
}

// edit replaces text in a file.
func (d *desk) edit(file, old, text string) {
	d.t.Helper()
	data, err := os.ReadFile(file)
	d.must(err)
	if !bytes.Contains(data, []byte(old)) {
		d.t.Fatalf("%q is not in %s:\n%s", old, file, data)
	}
	d.must(os.WriteFile(file, bytes.Replace(data, []byte(old), []byte(text), 1), 0o600))
}

// property gives one of Bitbucket's settings another value ("" takes it out), and
// restarts it.
func (d *desk) property(key, value string) {
	d.t.Helper()
	data, err := os.ReadFile(d.properties())
	d.must(err)
	line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(key) + `=.*\n`)
	text := ""
	if value != "" {
		text = key + "=" + value + "\n"
	}
	data = append(line.ReplaceAll(data, nil), text...)
	d.must(os.WriteFile(d.properties(), data, 0o600))
	d.must(d.bb.Restart())
}

// front edits the configuration of the front, and has it read again.
func (d *desk) front(old, text string) {
	d.t.Helper()
	d.edit(d.conf, old, text)
	d.reload()
}

func (d *desk) reload() {
	d.t.Helper()
	switch d.kind {
	case "nginx":
		d.sh("nginx -c " + d.conf + " -s reload")
		return
	case "apache":
		d.sh("apache2 -f " + d.conf + " -k graceful")
		return
	}
	before := d.haproxy.Reloads()
	d.sh(d.haproxy.ReloadCommand())
	peers.WaitFor(d.t, "HAProxy's reload", func() bool { return d.haproxy.Reloads() > before })
}

// line of the front below which more may stand, by kind.
func (d *desk) below(text string) {
	d.t.Helper()
	mark := map[string]string{"nginx": "            client_max_body_size 0;\n", "haproxy": "    option forwardfor\n", "apache": "    LimitRequestBody 0\n"}[d.kind]
	if d.kind == "bitgate" {
		data, err := os.ReadFile(d.conf)
		d.must(err)
		mark = regexp.MustCompile(`(?m)^ *bind 127.0.0.1:` + strconv.Itoa(d.port) + `.*\n`).FindString(string(data))
	}
	d.front(mark, mark+text+"\n")
}

// listener is the process that listens on the public port, 0 for none.
func (d *desk) listener() int {
	all, err := sockets.Listening("/proc", uint16(d.port))
	d.must(err)
	for _, s := range all {
		for _, held := range sockets.Holders("/proc", s.Inode) {
			return held[len(held)-1].PID
		}
	}
	return 0
}

func (d *desk) sh(command string) {
	d.t.Helper()
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		d.t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// hands is a person who does what is printed, and nothing else. Where a sentence
// leaves something to a person, words says what that is.
var hands = []struct {
	says *regexp.Regexp
	do   func(d *desk, m []string)
}{
	{regexp.MustCompile("^in line (\\d+) of (\\S+) write `([^`]*)`$"), func(d *desk, m []string) { d.line(m[2], m[1], func(string) []string { return []string{m[3]} }) }},
	{regexp.MustCompile("^below line (\\d+) of (\\S+) add `([^`]*)`$"), func(d *desk, m []string) { d.line(m[2], m[1], func(l string) []string { return []string{l, m[3]} }) }},
	{regexp.MustCompile(`^take line (\d+) of (\S+) out$`), func(d *desk, m []string) { d.line(m[2], m[1], func(string) []string { return nil }) }},
	{regexp.MustCompile(`^(?:then )?(?:re)?start Bitbucket`), func(d *desk, _ []string) { d.must(d.bb.Restart()) }},
	{regexp.MustCompile(`^then reload (HAProxy|nginx)$`), func(d *desk, _ []string) { d.reload() }},
	{regexp.MustCompile(`^wait until (\S+) says RUNNING, then bitgate verify --state-dir \S+$`), func(d *desk, _ []string) { d.bb.SetState("RUNNING") }},
	{regexp.MustCompile(`^open \S+/admin/server-settings and set Base URL to (\S+)`), func(d *desk, m []string) { d.bb.SetField("baseURL", m[1]) }},
	{regexp.MustCompile(`^open \S+/admin/server-settings and set SSH base URL to (\S+)`), func(d *desk, m []string) { d.bb.SetField("sshBaseURL", m[1]) }},
	{regexp.MustCompile(`^open (\S+)/plugins/servlet/applinks/listApplicationLinks and set Application URL and Display URL of the link to Bitbucket to (\S+) \(`), func(d *desk, m []string) {
		if m[1] != d.jira.URL {
			d.t.Errorf("%s is not Jira's page", m[1])
		}
		d.jira.relink(m[2], m[2])
	}},
	{regexp.MustCompile(`^log in once in a browser at (\S+), or let another administrator clear the CAPTCHA in the user's settings$`), func(d *desk, m []string) { d.atLogin(m[1]) }},
	{regexp.MustCompile(`^(?:then: )?((?:haproxy|nginx|apache2|mv|kill|curl|systemctl) .*)$`), func(d *desk, m []string) { d.command(m[1]) }},
}

func (d *desk) line(file, number string, change func(string) []string) {
	d.t.Helper()
	data, err := os.ReadFile(file)
	d.must(err)
	lines := strings.Split(string(data), "\n")
	n, err := strconv.Atoi(number)
	d.must(err)
	indent := lines[n-1][:len(lines[n-1])-len(strings.TrimLeft(lines[n-1], " \t"))]
	put := change(lines[n-1])
	if len(put) == 1 {
		put[0] = indent + put[0]
	}
	d.must(os.WriteFile(file, []byte(strings.Join(slices.Replace(lines, n-1, n, put...), "\n")), 0o600))
}

// command runs what is printed. A front that it starts ends with the test.
func (d *desk) command(text string) {
	d.t.Helper()
	d.sh(text)
	program, _, _ := strings.Cut(text, " ")
	if slices.Contains([]string{"haproxy", "nginx", "apache2"}, program) && !strings.Contains(text, " -s ") && !strings.Contains(text, " -k ") {
		peers.WaitFor(d.t, text, func() bool { return d.listener() != 0 })
		d.stop = func() {
			pid := d.listener()
			for _, p := range []int{parentOf(pid), pid} { // the master first, or it starts another
				if p > 1 && p != os.Getpid() && strings.HasPrefix(commOf(p), commOf(pid)) {
					_ = syscall.Kill(p, syscall.SIGTERM)
				}
			}
			peers.WaitFor(d.t, "the end of the front", func() bool { return d.listener() == 0 })
		}
	}
}

func commOf(pid int) string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(data))
}

func parentOf(pid int) int {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(fields[1])
	return n
}

// carryOut does what a finding says.
func (d *desk) carryOut(do string) {
	d.t.Helper()
	for _, part := range strings.Split(do, "; ") {
		done := false
		for _, h := range hands {
			if m := h.says.FindStringSubmatch(part); m != nil && !done {
				h.do(d, m)
				done = true
			}
		}
		if !done {
			d.t.Fatalf("nobody knows how to do %q (of %q)", part, do)
		}
	}
}

// ill is one way to go wrong.
type ill struct {
	name   string
	spoil  func(*desk)
	first  string // in the first line that is not well
	not    string // columns that cannot have it, and why
	apache string // why Apache cannot have it, or what is not read of it
	always bool   // in the ordinary run, too
	last   bool   // leaves something behind
	also   string // check from outside that must fail because of it
}

// frontLine is a line of each kind of front.
func frontLine(d *desk, haproxy, nginx, apache string) {
	switch d.kind {
	case "nginx":
		d.below("            " + nginx)
	case "apache":
		d.below("    " + apache)
	default:
		d.below("    " + haproxy)
	}
}

var ills = []ill{
	{name: "1 base URL", spoil: func(d *desk) { d.bb.SetField("baseURL", "http://localhost:7990/bitbucket") }, first: "Base URL: http://localhost:7990/bitbucket, but the public URL is", always: true},
	{name: "2 XSRF", spoil: func(d *desk) { d.property("server.scheme", "http") }, first: "What Bitbucket believes of its address: PROPERTIES, line N: server.scheme is http", also: "xsrf"},
	{name: "3 redirect loop", spoil: func(d *desk) { d.property("server.require-ssl", "true"); d.property("server.secure", "false") }, first: "Redirects that never end: PROPERTIES, line N: server.require-ssl=true", also: "redirect.landing"},
	{name: "4 redirect to another port", spoil: func(d *desk) { d.property("server.proxy-port", "7990") }, first: "What Bitbucket believes of its address: PROPERTIES, line N: server.proxy-port is 7990", also: "redirect.landing"},
	{name: "5 context path", spoil: func(d *desk) { d.property("server.context-path", "/stash") }, first: "The context path: PROPERTIES, line N: Bitbucket serves /stash", also: "status", always: true},
	{name: "6 LFS", spoil: func(d *desk) {
		d.extra = []string{"--repo", "PROJ/repo", "--admin-user", "admin", "--admin-password-file", d.file("password")}
		d.property("server.proxy-name", "node1.internal")
	}, first: "What Bitbucket believes of its address: PROPERTIES, line N: server.proxy-name is node1.internal", also: "lfs"},
	{name: "7 timeout", spoil: func(d *desk) {
		switch d.kind {
		case "nginx":
			d.front("proxy_read_timeout 1h;", "proxy_read_timeout 30s;")
		case "haproxy":
			d.front("timeout server 1h", "timeout server 30s")
		case "apache":
			d.front("ProxyTimeout 3600", "ProxyTimeout 30")
		default:
			d.bitgateLine(`timeout server .*`, "timeout server 30s")
		}
	}, first: "Patience of the front: CONF, line N: FRONT waits 30s for Bitbucket", always: true},
	{name: "8 clone cut", spoil: func(d *desk) {
		switch d.kind {
		case "nginx":
			d.below("            limit_rate 100k;")
		case "haproxy":
			d.front("timeout client 1h", "timeout client 50000")
		case "apache":
			d.front(" nocanon", " timeout=50 nocanon")
		default:
			d.bitgateLine(`timeout client .*`, "timeout client 50s")
		}
	}, first: "CONF, line N: "},
	{name: "9 body limit", spoil: func(d *desk) {
		switch d.kind {
		case "nginx":
			d.front("client_max_body_size 0;", "client_max_body_size 10m;")
			return
		case "apache":
			d.front("LimitRequestBody 0", "LimitRequestBody 10485760")
			return
		}
		d.below("    http-request deny deny_status 413 if { req.hdr(content-length) -m int gt 10485760 }")
	}, first: "Size of pushes: CONF, line N: FRONT takes bodies up to 10 MiB", also: "push", always: true},
	{name: "10 chunked", spoil: func(d *desk) {
		frontLine(d, "http-request deny deny_status 400 if { req.fhdr(transfer-encoding) -m found }", "if ($http_transfer_encoding) { return 411; }", "")
	}, first: "Pushes of unknown length: CONF, line N: ", also: "push.chunked", apache: "conditions (mod_rewrite, If) are not read"},
	{name: "11 remember-me", spoil: func(d *desk) {
		old := strings.TrimPrefix(d.bb.Upstream(), "http://")
		d.front(old, strings.Replace(old, "127.0.0.1", "localhost", 1))
	}, first: "Sign-ins that do not last: CONF, line N: requests go to localhost:"},
	{name: "12 no stickiness", spoil: func(d *desk) { d.secondNode() }, first: "Clients change their node: CONF, line N: requests go to 2 nodes in turn", last: true, apache: "balancers are not read"},
	{name: "13 SSH address", spoil: func(d *desk) {
		d.property("plugin.ssh.baseurl", "ssh://"+strings.Replace(d.bb.SSHAddr(), "127.0.0.1", "node1.internal", 1))
	}, first: "SSH addresses: PROPERTIES, line N: plugin.ssh.baseurl is ssh://node1.internal:"},
	{name: "14 SSH idle", spoil: func(d *desk) {
		data, err := os.ReadFile(d.conf)
		d.must(err)
		text := fmt.Sprintf("\nlisten bitbucket_ssh\n    mode tcp\n    bind 127.0.0.1:%d\n    timeout client 50s\n    timeout server 1h\n    server ssh1 %s\n", peers.FreePort(d.life), d.bb.SSHAddr())
		d.must(os.WriteFile(d.conf, append(data, text...), 0o600))
		d.reload()
	}, first: "Patience with SSH: CONF, line N: HAProxy ends silent SSH connections after 50s", last: true, not: "nginx: needs its stream module, which is a package of its own; read in TestNginxSite", apache: "passes no TCP on"},
	{name: "15 application link", spoil: func(d *desk) {
		d.asAdministrator()
		d.jira.relink("http://localhost:7990/bitbucket", "http://localhost:7990/bitbucket")
	}, first: "Application links: Jira (JIRA) links to http://localhost:7990/bitbucket, but the public URL is"},
	{name: "16 cookie", spoil: func(d *desk) {
		d.property("server.require-ssl", "") // of row 3, where no desk was made since
		d.property("server.secure", "false")
	}, first: "What Bitbucket believes of its address: PROPERTIES, line N: server.secure is false", also: "cookie"},
	{name: "17 special characters", spoil: func(d *desk) {
		switch d.kind {
		case "nginx":
			up := "proxy_pass " + d.bb.Upstream()
			d.front(up+";", up+"/;")
			return
		case "apache":
			d.front(" nocanon", "")
			return
		}
		d.below("    http-request set-path %[path,url_dec]")
	}, first: "Special characters in paths: CONF, line N: ", also: "paths"},
	{name: "18 compression", spoil: func(d *desk) {
		frontLine(d, "compression algo gzip", "gzip on; gzip_proxied any;", "SetOutputFilter DEFLATE")
	}, first: "Compression twice: CONF, line N: "},
	{name: "19 Expect", spoil: func(d *desk) {
		frontLine(d, "http-request deny deny_status 400 if { req.hdr(expect) -m found }", "if ($http_expect) { return 417; }", "")
	}, first: "Expect: 100-continue: CONF, line N: ", also: "push", apache: "conditions (mod_rewrite, If) are not read"},
	{name: "20 large header", spoil: func(d *desk) {
		switch d.kind {
		case "nginx":
			d.front("large_client_header_buffers 4 16k;", "large_client_header_buffers 4 4k;")
		case "haproxy":
			d.front("tune.bufsize 16384", "tune.bufsize 4096")
		case "apache":
			d.front("LimitRequestFieldSize 16380", "LimitRequestFieldSize 4096")
		default:
			d.front("global\n", "global\n    tune.bufsize 4096\n")
		}
	}, first: "Size of header fields: CONF, line N: FRONT takes header fields up to 4 KiB", also: "header"},
	{name: "21 health check", spoil: func(d *desk) {
		if d.kind == "bitgate" {
			d.bitgateLine(`uri /bitbucket/status`, "uri /bitbucket/projects")
			return
		}
		d.front("GET /bitbucket/status", "GET /bitbucket/projects")
	}, first: "Health check of the front: CONF, line N: the front asks /bitbucket/projects", not: "nginx: has no health checks", apache: "has none without a balancer"},
	{name: "22 edits ignored", spoil: func(d *desk) {
		xml := filepath.Join(d.bb.Home(), "shared", "server.xml")
		d.must(os.WriteFile(xml, []byte("<Server><Service name=\"Catalina\">\n<Connector port=\"7990\" proxyName=\"localhost\" scheme=\"https\" secure=\"true\"/>\n<Engine name=\"Catalina\"/></Service></Server>"), 0o600))
		for _, key := range []string{"server.proxy-name", "server.proxy-port", "server.scheme"} {
			d.property(key, "")
		}
	}, first: "What Bitbucket believes of its address: PROPERTIES: server.scheme is http", last: true},
	{name: "23 two properties files", spoil: func(d *desk) {
		d.must(os.WriteFile(filepath.Join(d.bb.Home(), "shared", "stash-config.properties"), []byte("setup.displayName=x\n"), 0o600))
		d.must(d.bb.Stop())
	}, first: "Two properties files: HOME/shared/stash-config.properties: HOME/shared/stash-config.properties lies beside", also: "status"},
	{name: "24 locked out", spoil: (*desk).lockOut, first: "Administrator: Bitbucket at BASE wants a CAPTCHA from admin"},
	{name: "25 addresses of clients", spoil: func(d *desk) {
		switch d.kind {
		case "nginx":
			d.front("            proxy_set_header X-Forwarded-For $remote_addr;\n", "            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n")
		case "haproxy":
			d.front("    http-request del-header X-Forwarded-For\n", "")
		case "apache":
			d.front("    RequestHeader unset X-Forwarded-For early\n", "")
		default:
			d.bitgateLine(`(?m)^ *http-request del-header x-forwarded- .*\n`, "")
		}
	}, first: "Addresses of clients: CONF, line N: the front keeps an X-Forwarded-For"},
	{name: "26 clone addresses", spoil: func(d *desk) { d.bb.SetField("baseURL", "http://node1.internal:7990/bitbucket") }, first: "Base URL: http://node1.internal:7990/bitbucket, but", also: "clone-url"},

	{name: "Bitbucket stopped", spoil: func(d *desk) { d.must(d.bb.Stop()) }, first: "Bitbucket itself: Bitbucket is not running: nothing answers at", also: "status", always: true},
	{name: "STARTING", spoil: func(d *desk) { d.bb.SetState("STARTING") }, first: "Bitbucket itself: Bitbucket says STARTING at", always: true},
	{name: "MAINTENANCE", spoil: func(d *desk) { d.bb.SetState("MAINTENANCE") }, first: "Bitbucket itself: Bitbucket says MAINTENANCE at"},
	{name: "wrong port", spoil: func(d *desk) {
		d.front(strings.TrimPrefix(d.bb.Upstream(), "http://"), peers.FreeAddress(d.life))
	}, first: "Where the front looks for Bitbucket: CONF, line N: requests go to 127.0.0.1:", also: "status"},
	{name: "Authorization taken", spoil: func(d *desk) {
		frontLine(d, "http-request del-header Authorization", `proxy_set_header Authorization "";`, "RequestHeader unset Authorization")
	}, first: "Authorization field: CONF, line N: ", also: "auth"},
	{name: "path changed", spoil: func(d *desk) {
		frontLine(d, "http-request replace-path /bitbucket/(.*) /\\1", "rewrite ^/bitbucket/(.*)$ /$1 break;", "")
	}, first: "The context path: CONF, line N: FRONT changes the path", also: "redirect.landing", apache: "conditions (mod_rewrite, If) are not read"},
	{name: "front stopped", spoil: func(d *desk) { d.stop() }, first: "The front on this machine: FRONT is not running: nothing listens on", also: "tls.connect", always: true, last: true},
}

// bitgateLine changes what a run has made.
func (d *desk) bitgateLine(pattern, text string) {
	d.t.Helper()
	data, err := os.ReadFile(d.conf)
	d.must(err)
	at := bytes.Index(data, []byte("bitgate_bitbucket"))
	re := regexp.MustCompile(pattern)
	if at < 0 || !re.Match(data[at:]) {
		d.t.Fatalf("%s is not in bitgate's part of\n%s", pattern, data)
	}
	d.must(os.WriteFile(d.conf, append(slices.Clone(data[:at]), re.ReplaceAll(data[at:], []byte(text))...), 0o600))
	d.reload()
}

// secondNode adds another Bitbucket behind the front.
func (d *desk) secondNode() {
	d.t.Helper()
	other, err := bitbuckettest.New(bitbuckettest.Options{
		Dir: d.file("second"), Version: "9.4.16", Context: "/bitbucket", AdminPassword: "right", PublicRepo: true, Port: peers.FreePort(d.life), SSHPort: -1, BaseURL: d.url(),
	})
	d.must(err)
	data, err := os.ReadFile(d.properties())
	d.must(err)
	own := regexp.MustCompile(`(?m)^server\.port=.*$`).FindString(mustRead(d, filepath.Join(other.Home(), "shared", "bitbucket.properties")))
	d.must(os.WriteFile(filepath.Join(other.Home(), "shared", "bitbucket.properties"), regexp.MustCompile(`(?m)^server\.port=.*$`).ReplaceAll(data, []byte(own)), 0o600))
	d.must(other.Start())
	d.life.Cleanup(other.Close)
	first, second := strings.TrimPrefix(d.bb.Upstream(), "http://"), strings.TrimPrefix(other.Upstream(), "http://")
	switch d.kind {
	case "nginx":
		d.edit(d.conf, "proxy_pass http://"+first, "proxy_pass http://bitbuckets")
		d.front("    server {\n", fmt.Sprintf("    upstream bitbuckets {\n        server %s;\n        server %s;\n    }\n    server {\n", first, second))
	default:
		line := regexp.MustCompile(`(?m)^ *server \S+ ` + regexp.QuoteMeta(first) + `.*\n`).FindString(mustRead(d, d.conf))
		d.front(line, line+fmt.Sprintf("    server bb2 %s\n", second))
	}
}

func mustRead(d *desk, file string) string {
	d.t.Helper()
	data, err := os.ReadFile(file)
	d.must(err)
	return string(data)
}

// headline is the first line, with what differs from test to test taken out.
func (d *desk) headline(f problem.Finding) string {
	text := strings.NewReplacer(d.properties(), "PROPERTIES", d.conf, "CONF", d.bb.Home(), "HOME", d.jira.URL, "JIRA", d.bb.Upstream()+"/bitbucket", "BASE", d.url()+" wants", "BASE wants").Replace(f.Headline())
	text = regexp.MustCompile(`line \d+`).ReplaceAllString(text, "line N")
	return text
}

func (d *desk) frontName() string {
	switch d.kind {
	case "nginx":
		return "nginx"
	case "apache":
		return "Apache"
	}
	return "HAProxy"
}

// TestDoctor: for each way to go wrong, before each kind of front, the first line
// that is not well names the cause, and its cure, carried out as printed, ends with
// nothing that is not well. The ordinary run takes some of them; BITGATE_TORTURE=1
// all.
func TestDoctor(t *testing.T) {
	peers.Need(t, "git", "curl", "haproxy", "nginx")
	all := os.Getenv("BITGATE_TORTURE") != ""
	kinds := []string{"bitgate", "haproxy", "nginx"}
	if all && hasApache() {
		kinds = append(kinds, "apache")
	}
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var d *desk
			for _, c := range ills {
				why, not := strings.CutPrefix(c.not, kind+":")
				if kind == "apache" && c.apache != "" {
					why, not = c.apache, true
				}
				if not && all {
					t.Logf("| %s | %s | none: %s | |", c.name, kind, strings.TrimSpace(why))
				}
				if !all && !c.always || not {
					continue
				}
				if d == nil {
					d = newDesk(t, kind)
				}
				d.t = t
				if !t.Run(c.name, func(t *testing.T) { d.t = t; c.try(d) }) || c.last {
					d.stop()
					d = nil
				}
			}
		})
	}
}

func (c ill) try(d *desk) {
	t := d.t
	d.extra = nil
	if d.kind == "apache" && c.also == "push" {
		c.also = "" // it counts a body while it passes it on, and Bitbucket's 401 is first
	}
	d.settled()
	c.spoil(d)
	var found []problem.Finding
	var told []problem.Finding
	want := strings.ReplaceAll(c.first, "FRONT", d.frontName())
	peers.Within(time.Minute, func() bool { // a front may still be reading its configuration
		found = d.verify()
		told = wrong(found)
		return len(told) > 0 && strings.HasPrefix(d.headline(told[0]), want) && c.follows(told)
	})
	if len(told) == 0 {
		t.Fatalf("nothing is wrong, want %q:\n%+v", want, found)
	}
	t.Logf("| %s | %s | %s | %s |", c.name, d.kind, d.headline(told[0]), strings.NewReplacer(d.dir, "DIR", d.properties(), "PROPERTIES").Replace(told[0].Do))
	if !strings.Contains(d.headline(told[0]), want) {
		t.Fatalf("first is %q, want %q", d.headline(told[0]), want)
	}
	if c.also != "" && !slices.ContainsFunc(told, func(f problem.Finding) bool {
		return f.ID == c.also && (strings.HasPrefix(f.Why, "that follows") || f == told[0])
	}) {
		t.Errorf("%s does not say that it follows: %+v", c.also, told)
	}
	for range 4 { // one cause may hide another
		d.carryOut(told[0].Do)
		if peers.Within(time.Minute, func() bool { told = wrong(d.verify()); return len(told) == 0 }) {
			return
		}
		if strings.HasPrefix(d.headline(told[0]), want) {
			break
		}
	}
	t.Errorf("after its cure: %s\n%+v", d.headline(told[0]), told)
}

// follows reports whether the check from outside that must fail does, and says why.
func (c ill) follows(told []problem.Finding) bool {
	return c.also == "" || slices.ContainsFunc(told, func(f problem.Finding) bool { return f.ID == c.also && strings.HasPrefix(f.Why, "that follows") })
}

// settled waits until all is well, as it must be before something is spoilt.
func (d *desk) settled() {
	d.t.Helper()
	var told []problem.Finding
	if !peers.Within(time.Minute, func() bool { told = wrong(d.verify()); return len(told) == 0 }) {
		d.t.Fatalf("not well from the beginning: %+v", told)
	}
}
