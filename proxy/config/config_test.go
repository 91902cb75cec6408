package config

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
)

const small = "url: https://git.example.com/bitbucket\nupstream: http://127.0.0.1:7990\npem: /etc/bitgate/front.pem\n"

func TestParseFillsDefaults(t *testing.T) {
	c, err := Parse("proxy.yaml", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	url, _ := publicurl.Parse("https://git.example.com/bitbucket")
	want := Config{
		URL: url, Listen: []string{":443"}, Upstream: "http://127.0.0.1:7990", PEM: "/etc/bitgate/front.pem",
		MaxConn: 50, QueueTimeout: time.Minute, IdleTimeout: 15 * time.Minute, TunnelTimeout: time.Hour,
		DrainTimeout: 10 * time.Minute, HealthPath: "/bitbucket/status", HealthInterval: 2 * time.Second,
		AccessLogFormat: "httplog", Balance: "leastconn", MaxQueue: 1024, MaxConnections: 10_000, MaxHeader: 64 << 10, HTTP2: ptr(true), Retries: ptr(3), HealthRise: 2, HealthFall: 3,
		ConnectTimeout: 5 * time.Second, RequestTimeout: 10 * time.Second, KeepAliveTimeout: 75 * time.Second, CheckTimeout: 10 * time.Second,
	}
	if diff := cmp.Diff(want, c, cmp.Comparer(func(a, b publicurl.URL) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func ptr[T any](v T) *T { return &v }

// A file of an earlier version may choose an engine. A proxy that ran with it runs
// on, and its administrator is told once; anything else was refused then, too.
func TestParseTakesTheEngineOfEarlierVersions(t *testing.T) {
	for _, engine := range []string{"auto", "eventloop", "goroutine"} {
		c, err := Parse("proxy.yaml", []byte(small+"engine: "+engine+"\n"))
		if err != nil {
			t.Errorf("%s: %v", engine, err)
			continue
		}
		want := []string{"proxy.yaml: line 4: engine: " + engine + " is without effect, for the proxy has one engine: remove it"}
		if diff := cmp.Diff(want, c.Obsolete); diff != "" {
			t.Error(diff)
		}
		if text, err := c.Marshal(); err != nil || strings.Contains(string(text), "engine") {
			t.Errorf("it is written again (%v):\n%s", err, text)
		}
	}
	if c, err := Parse("proxy.yaml", []byte(small)); err != nil || c.Obsolete != nil {
		t.Errorf("%q, %v", c.Obsolete, err)
	}
}

func TestParseReadsDurationsAsWords(t *testing.T) {
	c, err := Parse("proxy.yaml", []byte(small+"idle-timeout: 1h\nqueue-timeout: 90s\n"))
	if err != nil || c.IdleTimeout != time.Hour || c.QueueTimeout != 90*time.Second {
		t.Fatalf("idle %v, queue %v, error %v", c.IdleTimeout, c.QueueTimeout, err)
	}
}

func TestParseNamesLineAndKey(t *testing.T) {
	tests := []struct {
		name, yaml string
		want       []string
	}{
		{"unknown key", small + "max-conn: 3\n", []string{"proxy.yaml", "line 4", `unknown key "max-conn"`}},
		{"two unknown keys", small + "foo: 1\nbar: 2\n", []string{`line 4: unknown key "foo"`, `line 5: unknown key "bar"`}},
		{"number as duration", small + "idle-timeout: 30\n", []string{"line 4", `a duration such as "15m"`}},
		{"engine that never was", small + "engine: turbo\n", []string{"proxy.yaml: line 4: ", `"turbo" is not an engine`}},
		{"not a number", small + "maxconn: many\n", []string{"line 4"}},
		{"key twice", small + "pem: /x\n", []string{"line 4", "pem"}},
		{"second document", small + "---\nmaxconn: 3\n", []string{"more than one YAML document"}},
		{"empty", "# nothing\n", []string{"empty"}},
		{"public URL without TLS", strings.Replace(small, "https:", "http:", 1), []string{"must start with https://"}},
		{
			"all mistakes at once", "listen: [nonsense]\nmaxconn: -1\nssh-listen: :7999\nupstream: ftp://x\nidle-timeout: -3s\nhealth-path: status\naccess-log: log.txt\n",
			[]string{"url is missing", `listen "nonsense"`, "maxconn is -1", "ssh-listen and ssh-upstream", "upstream", "pem is missing", "idle-timeout", "health-path", "access-log"},
		},
		{"both kinds of certificate", small + "cert: /a\nkey: /b\n", []string{"pem and cert, key, chain exclude each other"}},
		{"certificate without key", strings.Replace(small, "pem:", "cert:", 1), []string{"cert and key"}},
		{"upstream with path", strings.Replace(small, "7990", "7990/bitbucket", 1), []string{"upstream", "without user, path or query"}},
		{"upstream port", strings.Replace(small, "7990", "79900", 1), []string{"upstream"}},
		{"address twice", small + "listen: [':443']\nredirect-listen: [':443']\n", []string{"redirect-listen", "already used by listen"}},
		{"address within another", small + "listen: [':443']\nplain-listen: 127.0.0.1:443\ntrusted-proxies: [127.0.0.1]\n", []string{`line 5: plain-listen "127.0.0.1:443" overlaps ":443" of listen`}},
		{"a name within all", small + "listen: [':443']\nhealth-listen: localhost:443\n", []string{`health-listen "localhost:443" overlaps ":443" of listen`}},
		{"metrics at health", small + "health-listen: 127.0.0.1:9101\nmetrics-listen: 127.0.0.1:9101\n", []string{`line 5: metrics-listen "127.0.0.1:9101" is already used by health-listen`}},
		{"metrics nowhere", small + "metrics-listen: here\n", []string{`line 4: metrics-listen "here" is neither an address`}},
		{"old path is today's", small + "old-path: /bitbucket\n", []string{"old-path"}},
		{"lines of what is invalid", small + "maxconn: -1\nhsts: 1ns\n", []string{"line 4: maxconn is -1", "line 5: hsts is 1ns"}},
		{"certificate of two kinds", small + "certificates:\n  - pem: /a\n  - pem: /b\n    key: /c\n", []string{"line 6: certificates.1 needs either pem"}},
		{"unknown key of a node", "url: https://git.example.com\npem: /a\nnodes:\n  - {name: a, address: 'h:1', weight: 3}\n", []string{`line 4: unknown key "weight"`}},
		{
			"nodes", "url: https://git.example.com\npem: /a\nnodes:\n  - name: a b\n    address: h:1\n  - name: c\n    address: h:1\n  - name: d\n    address: ':7990'\n",
			[]string{`line 4: nodes.0.name "a b"`, `line 6: nodes.1 repeats "h:1" of nodes.0`, `line 9: nodes.2.address ":7990"`},
		},
		{"nodes and upstream", small + "nodes: [{name: a, address: 'h:1'}]\n", []string{"line 4: nodes and upstream exclude each other"}},
		{"balance", small + "balance: source\n", []string{`line 4: balance "source" is neither "leastconn" nor "roundrobin"`}},
		{"cookie", small + "cookie: a=b\n", []string{`line 4: cookie "a=b"`, "cookie has no effect without nodes"}},
		{"log format", small + "access-log-format: xml\n", []string{`line 4: access-log-format "xml"`}},
		{"trusted proxies", small + "trusted-proxies: [10.0.0.0/8, 0.0.0.0/0, here]\n", []string{`trusted-proxies.1 "0.0.0.0/0" includes everyone`, `trusted-proxies.2 "here"`}},
		{"PROXY protocol from anybody", small + "proxy-protocol: true\n", []string{"line 4: proxy-protocol needs trusted-proxies"}},
		{"PROXY protocol to SSH", small + "ssh-proxy-protocol: v3\n", []string{`line 4: ssh-proxy-protocol "v3"`}},
		{"head", small + "max-header: 100\n", []string{"line 4: max-header is 100, not between 4096 and 65536"}},
		{"other hosts", small + "redirect-hosts: ['stash.example.com:443', git.example.com, stash]\n", []string{`redirect-hosts.0 "stash.example.com:443"`, `redirect-hosts.1 "git.example.com" is the public URL's own name`}},
		{"framing by hand", small + "response-headers:\n  X-Frame-Options: DENY\n  Content-Length: '5'\n", []string{`response-headers.Content-Length`, "frames the answer"}},
		{"malformed header", small + "response-headers: {'X Y': a, Z: \"a\\nb\"}\n", []string{`response-headers.X Y "X Y: a" is not a header`, `response-headers.Z`}},
		{"handover", small + "handover: here.sock\n", []string{`line 4: handover "here.sock"`}},
		{"metrics", small + "metrics-listen: unix:metrics.sock\n", []string{`line 4: metrics-listen "unix:metrics.sock"`}},
		{
			"limits", small + "limit-connections: -1\nlimit-rate: .nan\nlimit-burst: 5\nretries: -1\nmaxqueue: -5\nhealth-rise: 1000\n",
			[]string{"line 4: limit-connections", "line 5: limit-rate is NaN", "line 7: retries", "line 8: maxqueue", "line 9: health-rise"},
		},
		{
			"ssh upstream of nodes with a host", "url: https://git.example.com\npem: /a\nnodes: [{name: a, address: 'h:1'}]\nssh-listen: :7999\nssh-upstream: h:7999\n",
			[]string{`line 5: ssh-upstream "h:7999" is not a port such as :7999`},
		},
		{"ssh upstream without host", small + "ssh-listen: :7999\nssh-upstream: :7999\n", []string{"ssh-upstream"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("proxy.yaml", []byte(tt.yaml))
			if err == nil {
				t.Fatal("accepted")
			}
			var p *problem.Error
			if !errors.As(err, &p) || p.Kind != problem.Usage || p.Do == "" {
				t.Errorf("not a usage problem with a next step: %#v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
		})
	}
}

func TestOnePortOfSeveralAddresses(t *testing.T) {
	for _, fine := range []string{
		"listen: ['127.0.0.1:443', '127.0.0.2:443', '[::1]:443']\n",
		"listen: ['git.example.com:443']\nhealth-listen: 127.0.0.1:443\n", // the name may be another one
		"listen: ['0.0.0.0:443', '[::1]:443']\nmetrics-listen: unix:/run/bitgate/metrics.sock\n",
		"health-listen: 127.0.0.1:0\nmetrics-listen: 127.0.0.1:0\n",
	} {
		if _, err := Parse("proxy.yaml", []byte(small+fine)); err != nil {
			t.Errorf("%s: %v", fine, err)
		}
	}
}

func TestPasswordInUpstreamIsNotPrinted(t *testing.T) {
	for _, upstream := range []string{"http://admin:hunter2@127.0.0.1:7990", "ftp://admin:hunter2@127.0.0.1", "http://admin:hunter2@[::1"} {
		_, err := Parse("proxy.yaml", []byte(strings.Replace(small, "http://127.0.0.1:7990", "'"+upstream+"'", 1)))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

func TestMarshalRoundTrip(t *testing.T) {
	c, err := Parse("proxy.yaml", []byte(small+"redirect-listen: [':80']\nssh-listen: ':7999'\nssh-upstream: 127.0.0.1:7998\nold-path: /\nuser: nobody\naccess-log: /var/log/bitgate.log\nidle-timeout: 20m\n"))
	if err != nil {
		t.Fatal(err)
	}
	first := mustMarshal(t, c)
	again, err := Parse("proxy.yaml", first)
	if err != nil {
		t.Fatalf("%v\n%s", err, first)
	}
	if string(mustMarshal(t, again)) != string(first) {
		t.Errorf("changed by a round trip:\n%s\n%s", first, mustMarshal(t, again))
	}
	if !strings.HasPrefix(string(first), "# Configuration of") {
		t.Error("no explaining comment on top")
	}
}

func TestMarshalLeavesDefaultsOut(t *testing.T) {
	url, _ := publicurl.Parse("https://git.example.com")
	out := string(mustMarshal(t, Config{URL: url, Listen: []string{":443"}, Upstream: "http://127.0.0.1:7990", PEM: "/x"}))
	if strings.Contains(out, "timeout:") || !strings.Contains(out, "maxconn: 50\n") {
		t.Errorf("got\n%s", out)
	}
}

func mustMarshal(t *testing.T, c Config) []byte {
	t.Helper()
	out, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// FuzzParse: whatever is accepted is valid and survives writing and reading.
func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(small + "listen: ['127.0.0.1:0', '[::1]:8443']\nmaxconn: 7\nold-path: /stash\nqueue-timeout: 1h30m\n"))
	f.Add([]byte("url: https://git.example.com\npem: /a\nnodes: [{name: a, address: 'h:1'}, {name: b, address: 'h:2'}]\ncookie: NODE\nretries: 0\ntrusted-proxies: [::1, 10.0.0.0/8]\nproxy-protocol: true\nlimit-rate: 2.5\nmetrics-listen: unix:/run/m\n"))
	f.Add([]byte("a: &x [*x]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("fuzz", data)
		if err != nil {
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("accepted, yet invalid: %v", err)
		}
		again, err := Parse("fuzz", mustMarshal(t, c))
		if err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		if diff := cmp.Diff(c, again, cmp.Comparer(func(a, b publicurl.URL) bool { return a == b })); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestServers(t *testing.T) {
	for upstream, want := range map[string]string{"http://127.0.0.1:7990": "127.0.0.1:7990", "http://git": "git:80", "http://[::1]:1/": "[::1]:1"} {
		if got := (Config{Upstream: upstream}).Servers(); len(got) != 1 || got[0].Address != want {
			t.Errorf("%s: %v", upstream, got)
		}
	}
	nodes := []Node{{Name: "a", Address: "h:1"}, {Name: "b", Address: "h:2"}}
	c := Config{Nodes: nodes}.WithDefaults()
	if got := c.Servers(); !cmp.Equal(got, nodes) || c.Upstream != "" {
		t.Errorf("%v, upstream %q", got, c.Upstream)
	}
}

func TestTrusted(t *testing.T) {
	c := Config{TrustedProxies: []string{"10.0.0.0/8", "2001:db8::/32", "192.0.2.1"}}.WithDefaults()
	for addr, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "11.0.0.1": false, "2001:db8:1::1": true, "2001:db9::1": false, "192.0.2.1": true, "192.0.2.2": false,
	} {
		if got := c.Trusted(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
}
