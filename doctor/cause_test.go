package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bitgate/bitbucket"
	"bitgate/doctor/local"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
)

func TestHour(t *testing.T) {
	for _, c := range []struct{ program, text, want string }{
		{"haproxy", "timeout server 30s", "timeout server 1h"},
		{"haproxy", "timeout client 50000", "timeout client 1h"},
		{"nginx", "proxy_read_timeout 90;", "proxy_read_timeout 1h;"},
		{"nginx", "proxy_timeout 10m;", "proxy_timeout 1h;"},
		{"apache", "ProxyTimeout 60", "ProxyTimeout 3600"},
		{"apache", "Timeout 300", "Timeout 3600"},
		{"apache", "ProxyPass / http://127.0.0.1:7990/ connectiontimeout=5 timeout=60 nocanon", "ProxyPass / http://127.0.0.1:7990/ connectiontimeout=5 timeout=3600 nocanon"},
	} {
		if got := hour(local.Site{Program: c.program}, local.Setting{Text: c.text}).New; got != c.want {
			t.Errorf("%s: %q, want %q", c.text, got, c.want)
		}
	}
}

// TestWhatFollowsFromTheName: a name that leads nowhere is said once; what cannot be
// reached because of it, port 80 and SSH too, says so.
func TestWhatFollowsFromTheName(t *testing.T) {
	u, err := publicurl.Parse("https://bitgate.invalid:1")
	if err != nil {
		t.Fatal(err)
	}
	name := problem.Finding{ID: "cause.name", Level: problem.Fail, Title: "The public name", Found: "does not resolve"}
	follows := 0
	for _, f := range Run(t.Context(), Target{URL: u, RedirectPort: 80, RedirectOptional: true, SSHAddr: "bitgate.invalid:7999", Causes: []problem.Finding{name}}, nil) {
		switch {
		case f.Do == "":
		case f.Why != "that follows from what stands above: The public name":
			t.Errorf("%s: %+v", f.ID, f)
		default:
			follows++
		}
	}
	if follows != 3 {
		t.Errorf("%d checks follow, want 3", follows)
	}
}

// TestAddressAsName: an IPv6 address stands in Bitbucket's settings and in the Host
// field as in a URL, which is how a setup writes it; without its brackets it is wrong.
func TestAddressAsName(t *testing.T) {
	u, err := publicurl.Parse("https://[2001:db8::7]")
	if err != nil {
		t.Fatal(err)
	}
	here := func(value string) local.Setting {
		return local.Setting{Place: local.Place{File: "f", Line: 1}, Value: value}
	}
	found := func(name, host string) (ids []string) {
		m := local.Machine{Where: local.Where{URL: u}}
		m.Site = local.Site{Program: "haproxy", Host: here(host)}
		m.Instance = local.Instance{File: "f", Scheme: here("https"), Secure: here("true"), Name: here(name), Context: here("/")}
		m.Instance.Overrides = []bitbucket.Override{{Key: "server.proxy-name", Value: name, Where: "environment"}}
		for _, f := range Causes(t.Context(), Target{URL: u, Connect: "127.0.0.1:1"}, m, nil) {
			if f.ID == "cause.connector" || f.ID == "cause.ignored" || f.ID == "cause.host" {
				ids = append(ids, f.ID+": "+f.Found)
			}
		}
		return ids
	}
	if ids := found("[2001:db8::7]", "[2001:db8::7]"); len(ids) > 0 {
		t.Errorf("as a setup writes it: %q", ids)
	}
	if ids := found("2001:db8::7", ""); len(ids) != 2 {
		t.Errorf("without brackets: %q", ids)
	}
}

// TestFilesAreReadAsBitbucketReadsThem: blanks, spellings, and connectors that the front
// does not use are no causes, and what Bitbucket trips over is one.
func TestFilesAreReadAsBitbucketReadsThem(t *testing.T) {
	const well = "server.port=2\nserver.context-path=/bitbucket\nserver.scheme=https\nserver.secure=true\nserver.proxy-name=git.example.com\nserver.proxy-port=443\n"
	xml := func(connectors string) string {
		return `<Server port="8005"><Service name="Catalina">` + "\n" + connectors + `
<Engine name="Catalina"><Host name="localhost"><Context docBase="/opt/atlassian-stash" path="/bitbucket"/></Host></Engine></Service></Server>`
	}
	const proxied = `<Connector port="2" scheme="https" secure="true" proxyName="git.example.com" proxyPort="443"/>` + "\n"
	for name, c := range map[string]struct {
		version, file, text string
		want                []string
	}{
		"as it should be":         {"9.4.16", "bitbucket.properties", well, nil},
		"blanks behind":           {"9.4.16", "bitbucket.properties", "server.port=2 \nserver.context-path=/bitbucket \nserver.scheme=https\nserver.secure=true \nserver.proxy-name=git.example.com\nserver.proxy-port=443 \n", nil},
		"a blank behind the name": {"9.4.16", "bitbucket.properties", well + "server.proxy-name=git.example.com \n", []string{`server.proxy-name is "git.example.com "; people come by https://git.example.com/bitbucket`}},
		"other spellings":         {"9.4.16", "bitbucket.properties", "server.port=2\nserver.contextPath=/bitbucket/\nserver.scheme=HTTPS\nserver.secure=on\nserver.requireSsl=yes\nserver.proxyName=git.example.com\nserver.proxy_port=443\n", nil},
		"another spelling, wrong": {"9.4.16", "bitbucket.properties", "server.port=2\nserver.context-path=/bitbucket\nserver.scheme=https\nserver.secure=true\nserver.proxyName=old.example.com\n", []string{"server.proxy-name is old.example.com; people come by https://git.example.com/bitbucket"}},
		"a third connector": {
			"9.4.16", "bitbucket.properties",
			"server.port=1\nserver.context-path=/bitbucket\nserver.additional-connector.1.port=3\nserver.additional-connector.2.port=2\n", nil,
		},
		"a connector without a proxy first": {"4.14.0", "server.xml", xml(`<Connector port="3"/>` + "\n" + proxied), nil},
		"AJP first":                         {"4.14.0", "server.xml", xml(`<Connector port="2" protocol="org.apache.coyote.ajp.AjpNioProtocol"/>` + "\n" + proxied), nil},
		"TLS first":                         {"4.14.0", "server.xml", xml(`<Connector port="2" SSLEnabled="TRUE"/>` + "\n" + proxied), nil},
		"without a proxy where the front asks": {
			"4.14.0", "server.xml", xml(`<Connector port="2"/>` + "\n" + `<Connector port="3" scheme="https" secure="true" proxyName="git.example.com" proxyPort="443"/>`),
			[]string{"scheme is http, secure is false; people come by https://git.example.com/bitbucket"},
		},
	} {
		dir := t.TempDir()
		files := map[string]string{
			"home/shared/bitbucket.properties": "", "home/shared/" + c.file: c.text,
			"haproxy.cfg": "listen bitbucket\n    mode http\n    bind :443 ssl crt x\n    http-request set-header X-Forwarded-For %[src]\n    server bb 127.0.0.1:2\n",
		}
		for name, text := range files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		u, err := publicurl.Parse("https://git.example.com/bitbucket")
		if err != nil {
			t.Fatal(err)
		}
		m := local.Look(t.Context(), local.Where{URL: u, Root: dir, Proc: t.TempDir(), Home: filepath.Join(dir, "home"), Version: c.version, HAProxyCfg: filepath.Join(dir, "haproxy.cfg")})
		if m.Instance.Doubt != "" || m.Site.Doubt != "" || m.Upstream != "http://127.0.0.1:2" {
			t.Fatalf("%s: %q, %q, %s", name, m.Instance.Doubt, m.Site.Doubt, m.Upstream)
		}
		var found []string
		for _, f := range Causes(t.Context(), Target{URL: u, Connect: "127.0.0.1:1"}, m, nil) {
			if f.ID != "cause.front" && f.ID != "cause.upstream" { // nobody runs
				found = append(found, f.Found)
			}
		}
		if !slices.Equal(found, c.want) {
			t.Errorf("%s: %q, want %q", name, found, c.want)
		}
	}
}

// TestTheNameThatHAProxyPassesOn: HAProxy leaves the Host field as it is, so that Bitbucket
// needs no proxy name, also where it is not known to which backend a request goes.
func TestTheNameThatHAProxyPassesOn(t *testing.T) {
	u, err := publicurl.Parse("https://git.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for program, wrong := range map[string]int{"haproxy": 0, "nginx": 1} {
		m := local.Machine{Where: local.Where{URL: u}, Site: local.Site{Program: program, Doubt: "a map"}}
		m.Instance = local.Instance{File: "f", Scheme: local.Setting{Value: "https"}, Secure: local.Setting{Value: "true"}, Context: local.Setting{Value: "/"}}
		n := 0
		for _, f := range Causes(t.Context(), Target{URL: u, Connect: "127.0.0.1:1"}, m, nil) {
			if f.ID == "cause.connector" {
				n++
			}
		}
		if n != wrong {
			t.Errorf("%s: %d findings", program, n)
		}
	}
}

// TestCuresHoldNoCredential: what a line of the front's says besides is not repeated in
// what is to be done with it, and nothing is to be written behind its comment.
func TestCuresHoldNoCredential(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(conf, []byte(`listen bitbucket
    mode http
    bind :443 ssl crt x
    http-request set-header X-Forwarded-For %[src]
    timeout server 30s # s3cr3t
    option httpchk GET /check?key=s3cr3t HTTP/1.1\r\nAuthorization:\ s3cr3t
    server a localhost:7990 check agent-check agent-send s3cr3t
    server b 127.0.0.1:7991 check # s3cr3t
    server c 127.0.0.1:7992 check
listen ssh
    mode tcp
    bind :7998
    timeout client 9s # s3cr3t
    timeout server 8h
    server s 127.0.0.1:7997 check agent-check agent-send s3cr3t
`), 0o600); err != nil {
		t.Fatal(err)
	}
	u, err := publicurl.Parse("https://git.example.com")
	if err != nil {
		t.Fatal(err)
	}
	m := local.Look(t.Context(), local.Where{URL: u, Root: t.TempDir(), Proc: t.TempDir(), HAProxyCfg: conf})
	m.Instance.SSHPort.Value = "7999"
	done := map[string]string{}
	for _, f := range Causes(t.Context(), Target{URL: u, Connect: "127.0.0.1:1"}, m, nil) {
		if strings.Contains(fmt.Sprint(f), "s3cr3t") {
			t.Errorf("%+v", f)
		}
		done[f.ID] += f.Do
	}
	for id, want := range map[string][]string{
		"cause.timeout":     {"set the timeout to an hour in line 5 of " + conf},
		"cause.health":      {"ask for /status in line 6 of " + conf},
		"cause.remember-me": {"write `127.0.0.1` instead of `localhost` in line 7 of " + conf},
		"cause.sticky":      {"in line 9 of " + conf + " write `server c 127.0.0.1:7992 check cookie c`", "add `cookie b` in line 8 of " + conf, "add `cookie a` in line 7 of " + conf},
		"cause.ssh-port":    {"write `127.0.0.1:7999` instead of `127.0.0.1:7997` in line 15 of " + conf},
		"cause.ssh-idle":    {"set the timeout to an hour in line 13 of " + conf},
	} {
		for _, step := range want {
			if !strings.Contains(done[id], step) {
				t.Errorf("%s: %q, want %q", id, done[id], step)
			}
		}
	}
	if t.Failed() {
		t.Log(done)
	}
}

// TestWhatAnOverrideHides: what a stronger place says right makes a weaker one no cause.
func TestWhatAnOverrideHides(t *testing.T) {
	u, err := publicurl.Parse("https://git.example.com")
	if err != nil {
		t.Fatal(err)
	}
	const right, wrong = "git.example.com", "old.example.com"
	const line, process, unit = "command line of the process, --server.proxy-name", "environment of the process, SERVER_PROXY_NAME", "environment of the unit, SERVER_PROXY_NAME"
	of := func(value, where string) bitbucket.Override {
		return bitbucket.Override{Key: "server.proxy-name", Value: value, Where: where}
	}
	for name, c := range map[string]struct {
		is   []bitbucket.Override
		want []string
	}{
		"right before wrong":          {[]bitbucket.Override{of(wrong, process), of(right, line)}, nil},
		"wrong before right":          {[]bitbucket.Override{of(right, process), of(wrong, line)}, []string{line}},
		"wrong twice":                 {[]bitbucket.Override{of(wrong, process), of(wrong, line)}, []string{line, process}},
		"wrong until a start":         {[]bitbucket.Override{of(wrong, process), of(right, unit)}, []string{process}},
		"wrong from the next one on":  {[]bitbucket.Override{of(right, process), of(wrong, unit)}, []string{unit}},
		"empty, which beats the rest": {[]bitbucket.Override{of("", line), of(wrong, process)}, nil},
	} {
		m := local.Machine{Where: local.Where{URL: u}, Instance: local.Instance{File: "f", Overrides: c.is}}
		var found []string
		for _, f := range Causes(t.Context(), Target{URL: u, Connect: "127.0.0.1:1"}, m, nil) {
			if f.ID == "cause.ignored" {
				_, where, _ := strings.Cut(f.Found, " comes from the ")
				where, _, _ = strings.Cut(where, " and beats ")
				found = append(found, where)
			}
		}
		if !slices.Equal(found, c.want) {
			t.Errorf("%s: %q, want %q", name, found, c.want)
		}
	}
}
