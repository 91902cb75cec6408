package bitbuckettest

import (
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// edit changes the file that holds the connector, as an administrator does by hand.
func edit(t *testing.T, s *Server, pairs ...string) {
	t.Helper()
	path := s.propertiesPath()
	if s.gen.usesXML() {
		path = s.serverXMLPath()
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for n := 0; n < len(pairs); n += 2 {
		if !strings.Contains(text, pairs[n]) {
			t.Fatalf("%s has no %q", path, pairs[n])
		}
		text = strings.Replace(text, pairs[n], pairs[n+1], 1)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// behindProxy makes the edits of steps 1 and 3 of Atlassian's page.
func behindProxy(t *testing.T, s *Server) {
	t.Helper()
	if s.gen.usesXML() {
		edit(t, s, `path=""`, `path="/code"`,
			"protocol=\"HTTP/1.1\"\n", "protocol=\"HTTP/1.1\"\n proxyName='git.example.com' proxyPort = \"443\" scheme=\"https\" secure=\"true\"\n")
		return
	}
	edit(t, s, "plugin.ssh.port", "server.context-path=/code\nserver.proxy-name: git.example.com\nserver.proxy-port 443\nserver.scheme=https\nserver.secure=true\nplugin.ssh.port")
}

func TestRestartReadsTheFileOfItsGeneration(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			s := start(t, Options{Version: version})
			behindProxy(t, s)
			if a := newBrowser(t, s).get("/status"); a.code != 200 || s.ContextPath() != "" {
				t.Errorf("an edit had an effect before the restart: %d, context %q", a.code, s.ContextPath())
			}
			if err := s.Restart(); err != nil {
				t.Fatal(err)
			}
			b := newBrowser(t, s)
			if s.ContextPath() != "/code" || b.get("/status").code != 200 {
				t.Errorf("context after the restart %q", s.ContextPath())
			}
			if a := b.get("/admin"); !strings.HasPrefix(a.location, "https://git.example.com/code/login?") {
				t.Errorf("redirect to %q", a.location)
			}
			if c := b.get("/login").header.Get("Set-Cookie"); !strings.Contains(c, "Path=/code;") || !strings.HasSuffix(c, "; Secure") {
				t.Errorf("cookie %q", c)
			}
			outside := *b
			outside.base = s.Upstream()
			for path, code := range map[string]int{"/": 301, "/projects/PROJ?x=1": 301, "/codex": 301, "/code": 302, "/status": 301} {
				if a := outside.get(path); a.code != code || a.location != "https://git.example.com/code/" {
					t.Errorf("GET %s: %d to %q", path, a.code, a.location)
				}
			}
			form := url.Values{"j_username": {"admin"}, "j_password": {"admin"}}
			if a := b.post("/j_atl_security_check", form, "Origin", s.Upstream()); a.code != 403 || !strings.Contains(a.body, "XSRF check failed") {
				t.Errorf("POST from the upstream's own address: %d", a.code)
			}
			if a := b.post("/j_atl_security_check", form, "Origin", "https://git.example.com"); a.code == 403 {
				t.Error("POST from the public address was refused")
			}
		})
	}
}

func TestConnectorBeliefs(t *testing.T) {
	for _, c := range []struct {
		name, host, want string
		header           []string
		connector        connector
	}{
		{"as shipped", "127.0.0.1:7990", "http://127.0.0.1:7990", nil, connector{scheme: "http"}},
		{"host without port", "git.example.com", "http://git.example.com", nil, connector{scheme: "http"}},
		{"scheme only", "git.example.com", "https://git.example.com", nil, connector{scheme: "https"}},
		{"proxy name without port keeps the host's", "127.0.0.1:7990", "https://git.example.com:7990", nil, connector{scheme: "https", proxyName: "git.example.com"}},
		{"port of the other scheme shows", "git.example.com", "http://git.example.com:443", nil, connector{scheme: "http", proxyPort: 443}},
		{"all four", "127.0.0.1:7990", "https://git.example.com", nil, connector{scheme: "https", proxyName: "git.example.com", proxyPort: 443}},
		{"forwarded headers are not looked at", "127.0.0.1:7990", "http://127.0.0.1:7990", []string{"X-Forwarded-Proto", "https"}, connector{scheme: "http"}},
		{"unless NATIVE", "git.example.com:8443", "https://git.example.com", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Port", "8443"}, connector{scheme: "http", native: true}},
		{"IPv6", "[::1]:7990", "http://[::1]:7990", nil, connector{scheme: "http"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRequest(t, c.host, c.header...)
			b := c.connector.believe(r)
			if got := b.origin(); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if !b.sameOrigin(c.want) || b.sameOrigin("https://elsewhere.example.com") {
				t.Error("its own origin is not the one it accepts")
			}
		})
	}
}

func TestRequireSSL(t *testing.T) {
	s := start(t, Options{Version: "9.4.16"})
	edit(t, s, "plugin.ssh.port", "server.require-ssl=true\nserver.proxy-name=git.example.com\nplugin.ssh.port")
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if a := newBrowser(t, s).get("/projects?x=1"); a.code != 302 || a.location != "https://git.example.com/projects?x=1" {
		t.Errorf("%d to %q", a.code, a.location)
	}
}

func TestSecondConnectors(t *testing.T) {
	for _, version := range []string{"4.14.12", "9.4.16"} {
		t.Run(version, func(t *testing.T) {
			s := start(t, Options{Version: version})
			port := peers.FreePort(t)
			second := strconv.Itoa(port)
			if s.gen.usesXML() {
				edit(t, s, "<!-- A \"Connector\" using", `<Connector port="`+second+`"/><Connector port="8009" protocol="AJP/1.3"/><!-- A "Connector" using`)
			} else {
				edit(t, s, "plugin.ssh.port", "server.additional-connector.1.port="+second+"\nplugin.ssh.port")
			}
			behindProxy(t, s)
			if err := s.Restart(); err != nil {
				t.Fatal(err)
			}
			b := newBrowser(t, s)
			b.base = "http://127.0.0.1:" + second + "/code"
			if a := b.get("/"); a.location != b.base+"/dashboard" {
				t.Errorf("the unproxied connector redirects to %q", a.location)
			}
		})
	}
}

func TestBrokenFilesKeepItDown(t *testing.T) {
	for _, c := range []struct {
		name, version string
		breakIt       func(t *testing.T, s *Server)
		says          string
	}{
		{"XML not closed", "4.14.12", func(t *testing.T, s *Server) { edit(t, s, "</Engine>", "") }, "server.xml"},
		{"attribute twice", "3.11.6", func(t *testing.T, s *Server) {
			edit(t, s, `redirectPort="8443"`, `redirectPort="8443" redirectPort="443"`)
		}, "already specified"},
		{"connector commented out", "4.14.12", func(t *testing.T, s *Server) {
			edit(t, s, "<Connector port=\""+strconv.Itoa(s.o.Port)+"\"\n", "<Ignored a=\"\"\n")
		}, "no HTTP connector"},
		{"port not a number", "9.4.16", func(t *testing.T, s *Server) { edit(t, s, "\nserver.port=", "\nserver.port=x") }, "server.port"},
		{"context with a slash at its end", "5.16.0", func(t *testing.T, s *Server) {
			edit(t, s, "plugin.ssh.port", "server.context-path=/code/\nplugin.ssh.port")
		}, "context path"},
		{"both property files", "4.14.12", func(t *testing.T, s *Server) {
			if err := os.WriteFile(s.sharedDir()+"/stash-config.properties", nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "stash-config.properties"},
		{"address of another machine", "9.4.16", func(t *testing.T, s *Server) {
			edit(t, s, "plugin.ssh.port", "server.address=192.0.2.1\nplugin.ssh.port")
		}, "cannot assign"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, Options{Version: c.version})
			c.breakIt(t, s)
			err := s.Restart()
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("Restart: %v, want %q", err, c.says)
			}
			if conn, err := net.Dial("tcp", loopback(s.o.Port)); err == nil {
				conn.Close()
				t.Error("the port answers")
			}
			log, err := os.ReadFile(s.LogFile())
			if err != nil || !strings.Contains(string(log), c.says) {
				t.Errorf("the log does not say why: %v\n%s", err, log)
			}
			if strings.Contains(string(log), "not-a-real-secret") {
				t.Error("the log holds the database password")
			}
		})
	}
}

func TestTomcatMendsTheContextPath(t *testing.T) {
	for given, want := range map[string]string{"/": "", "code": "/code", "/code/": "/code", "": ""} {
		var cfg tomcatConfig
		cfg.setTomcatContext(given)
		if cfg.context != want || (given != want) != (len(cfg.warnings) == 1) {
			t.Errorf("%q became %q with %q", given, cfg.context, cfg.warnings)
		}
	}
}

func TestRestartIsHonest(t *testing.T) {
	s := start(t, Options{Version: "9.4.16", DownTime: 300 * time.Millisecond})
	keep, err := net.Dial("tcp", loopback(s.o.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	done := make(chan error, 1)
	go func() { done <- s.Restart() }()
	if _, err := keep.Read(make([]byte, 1)); err == nil {
		t.Error("a connection outlived the instance")
	}
	for s.State() != "" { // the ports are closed by then
		time.Sleep(time.Millisecond)
	}
	if conn, err := net.Dial("tcp", loopback(s.o.Port)); err == nil {
		conn.Close()
		t.Error("the port answers during the restart")
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if a := newBrowser(t, s).get("/status"); a.code != 200 {
		t.Errorf("after the restart: %d", a.code)
	}
}

func TestStatesAndFailures(t *testing.T) {
	s := start(t, Options{Version: "9.4.16", StartDelay: time.Hour})
	b := newBrowser(t, s)
	if a := b.get("/status"); a.code != 503 || a.body != `{"state":"STARTING"}` {
		t.Errorf("%d %s", a.code, a.body)
	}
	if a := b.get("/rest/api/1.0/application-properties"); a.code != 503 {
		t.Errorf("REST while starting: %d", a.code)
	}
	s = start(t, Options{Version: "9.4.16"})
	b = newBrowser(t, s)
	for state, code := range map[string]int{"MAINTENANCE": 200, "ERROR": 500, "STOPPING": 503, "FIRST_RUN": 200} {
		s.SetState(state)
		if a := b.get("/status"); a.code != code || !strings.Contains(a.body, state) {
			t.Errorf("%s: %d %s", state, a.code, a.body)
		}
	}
	s.SetState("ERROR")
	s.FailNextStart(ErrDown)
	if err := s.Restart(); err == nil || s.State() != "" {
		t.Errorf("Restart: %v, state %q", err, s.State())
	}
	if err := s.Start(); err != nil || s.State() != "RUNNING" {
		t.Errorf("the start after: %v, state %q", err, s.State())
	}
	if err := s.Start(); err == nil {
		t.Error("started twice")
	}
}

func TestTomcatRefusesWhatClientsMustEncode(t *testing.T) {
	s := start(t, Options{Version: "9.4.16"})
	for line, want := range map[string]string{
		"GET /status HTTP/1.1":                                   "200",
		"GET /login?at=refs%2Fheads%2Fmain HTTP/1.1":             "200",
		"GET /projects/a%2Fb HTTP/1.1":                           "400",
		"GET /projects/a[b] HTTP/1.1":                            "400",
		"GET /status?" + strings.Repeat("x", 9000) + " HTTP/1.1": "400",
	} {
		conn, err := net.Dial("tcp", loopback(s.o.Port))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(peers.Limit)) // a TCP connection has one
		if _, err := conn.Write([]byte(line + "\r\nHost: x\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 12)
		if _, err := conn.Read(got); err != nil || !strings.HasSuffix(string(got), want) {
			t.Errorf("%.40s: %q, want %s (%v)", line, got, want, err)
		}
		conn.Close()
	}
}
