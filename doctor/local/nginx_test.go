package local

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/internal/publicurl"
)

const shared = `http {
    client_max_body_size 5m;
    proxy_read_timeout 90;
    gzip on;
    upstream bb { server localhost:7990; server 10.0.0.2:7990; server 10.0.0.3:7990 backup; }
    server { listen 443 ssl default_server; server_name _; return 444; }
    include sites/*.conf;
}
stream {
    server { listen 7999; proxy_pass 127.0.0.1:7998; proxy_timeout 30s; }
}
`

const siteConf = `server {
    listen [::]:443 ssl; listen 443 ssl;
    server_name other.example.com;
    location / { proxy_pass http://127.0.0.1:8080; }
}
server {
    listen 443 ssl http2;
    server_name www.example.com git.example.com;
    proxy_set_header X-Real-IP $remote_addr;
    location / { root /var/www; }
    location /bitbucket {
        client_max_body_size 0;
        proxy_pass https://bb/stash/;
        location /bitbucket/rest { return 403; }
        proxy_set_header X-Forwarded-For "$proxy_add_x_forwarded_for";
        proxy_set_header Authorization "";
    }
}
`

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// site writes files and reads the front from the first.
func site(t *testing.T, url string, files ...string) (Site, string) {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i+1 < len(files); i += 2 {
		write(t, filepath.Join(dir, files[i]), files[i+1])
	}
	u, err := publicurl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	w := Where{URL: u, Root: dir, Proc: t.TempDir()}
	main := filepath.Join(dir, files[0])
	switch {
	case strings.HasSuffix(main, "haproxy.cfg"):
		w.HAProxyCfg = main
	case strings.HasSuffix(main, "nginx.conf"):
		w.NginxConf = main
	default:
		w.Apache = main
	}
	return Look(t.Context(), w).Site, dir
}

// TestNginxSite: of several servers and locations those of the name count, what a
// block does not say it has from the one around it, and a stream is git's SSH.
func TestNginxSite(t *testing.T) {
	s, dir := site(t, "https://git.example.com/bitbucket", "nginx.conf", shared, "sites/a.conf", siteConf)
	if s.Doubt != "" {
		t.Fatal(s.Doubt)
	}
	conf, a := filepath.Join(dir, "nginx.conf"), filepath.Join(dir, "sites/a.conf")
	for name, c := range map[string]struct {
		is    Setting
		place Place
		value string
	}{
		"read timeout of http":      {s.Read, Place{conf, 3}, "1m30s"},
		"body limit of location":    {s.Body, Place{a, 12}, "0"},
		"first server":              {s.Servers[0].Setting, Place{conf, 5}, "localhost:7990"},
		"second server":             {s.Servers[1].Setting, Place{conf, 5}, "10.0.0.2:7990"},
		"path replaced":             {s.Decodes[0], Place{a, 13}, "/stash/"},
		"client's address":          {s.From, Place{a, 15}, "appended"},
		"Authorization":             {s.Auth[0], Place{a, 16}, ""},
		"Host is that of the proxy": {s.Host, Place{}, "$proxy_host"},
		"SSH":                       {s.SSH.Server, Place{conf, 10}, "127.0.0.1:7998"},
		"SSH idle":                  {s.SSH.Idle, Place{conf, 10}, "30s"},
	} {
		if c.is.Place != c.place || c.is.Value != c.value {
			t.Errorf("%s: %+v, want %s in %v", name, c.is, c.value, c.place)
		}
	}
	if len(s.Servers) != 2 || !s.Servers[0].Local || s.Servers[0].Scheme != "https" || s.Sticky || len(s.Compress) != 0 {
		t.Errorf("%+v", s)
	}
	if s, _ := site(t, "https://unknown.example.com", "nginx.conf", shared, "sites/a.conf", siteConf); s.Doubt == "" || len(s.Servers) > 0 {
		t.Errorf("a name that the default server takes: %+v", s)
	}
	if s, _ := site(t, "https://git.example.com:8443", "nginx.conf", shared, "sites/a.conf", siteConf); !strings.Contains(s.Doubt, "8443") {
		t.Errorf("a port that no server has: %+v", s)
	}
}

// TestHAProxySite: the frontend of the port, the backend of the name, and what both
// inherit.
func TestHAProxySite(t *testing.T) {
	s, dir := site(t, "https://git.example.com/bitbucket", "haproxy.cfg", `global
defaults base
    mode http
    timeout client 50000
    timeout server 2m
    option httpchk HEAD /check
frontend other
    bind :8443 ssl crt /x
    default_backend web
frontend https from base
    bind 10.0.0.1:443,10.0.0.2:443 ssl crt /etc/haproxy/certs
    acl git hdr(host) -i git.example.com
    acl www hdr(host) -i www.example.com
    option forwardfor
    use_backend web if www
    use_backend bitbucket if git
    default_backend web
defaults
    timeout server 1h
backend web
    server w 127.0.0.1:80
backend bitbucket from base
    balance roundrobin
    server a localhost:7990 check
    server b 127.0.0.1:7991 check ssl
    http-request replace-path /bitbucket(/)?(.*) /\2
listen ssh_git
    mode tcp
    bind :7999
    server s 127.0.0.1:7998
    timeout client 1d
`)
	conf := filepath.Join(dir, "haproxy.cfg")
	for name, c := range map[string]struct {
		is    Setting
		line  int
		value string
	}{
		"client timeout by default": {s.Client, 4, "50s"}, "server timeout by name": {s.Read, 5, "2m0s"}, "health": {s.Health, 6, "/check"},
		"first": {s.Servers[0].Setting, 24, "localhost:7990"}, "second": {s.Servers[1].Setting, 25, "127.0.0.1:7991"},
		"path": {s.Rewrites[0], 26, "replace-path"}, "from": {s.From, 14, "appended"},
		"SSH": {s.SSH.Server, 30, "127.0.0.1:7998"}, "SSH idle": {s.SSH.Idle, 19, "1h0m0s"},
	} {
		if c.is.Place != (Place{conf, c.line}) || c.is.Value != c.value {
			t.Errorf("%s: %+v, want %s on line %d", name, c.is, c.value, c.line)
		}
	}
	if s.Sticky || !s.Servers[0].Local || s.Servers[1].Scheme != "https" {
		t.Errorf("%+v", s)
	}
}

// TestUnits: numbers as each program counts them.
func TestUnits(t *testing.T) {
	for text, want := range map[string]time.Duration{"5000": 5 * time.Second, "5s": 5 * time.Second, "1d": 24 * time.Hour, "90ms": 90 * time.Millisecond} {
		if got, ok := period(text, time.Millisecond); !ok || got != want {
			t.Errorf("HAProxy %s: %s", text, got)
		}
	}
	for text, want := range map[string]time.Duration{"60": time.Minute, "5m": 5 * time.Minute, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour} {
		if got, ok := period(text, time.Second); !ok || got != want {
			t.Errorf("nginx %s: %s", text, got)
		}
	}
	for text, want := range map[string]int64{"0": 0, "8k": 8 << 10, "10M": 10 << 20, "1g": 1 << 30, "512": 512} {
		if got := size(text); got != want {
			t.Errorf("nginx %s: %d", text, got)
		}
	}
}

// TestApacheSite: parsed as Apache reads it; the program itself is not asked.
func TestApacheSite(t *testing.T) {
	s, dir := site(t, "https://git.example.com", "apache2.conf", "Timeout 300\nIncludeOptional sites/*.conf\n", "sites/a.conf", `<VirtualHost *:80>
    ServerName git.example.com
    Redirect permanent / https://git.example.com/
</VirtualHost>
<VirtualHost *:443>
    ServerName www.example.com
    ProxyPass / http://127.0.0.1:8080/
</VirtualHost>
<VirtualHost *:443>
    ServerName git.example.com:443
    # ProxyPass / http://127.0.0.1:1/
    LimitRequestBody 1048576
    <Location />
        ProxyPreserveHost \
            On
    </Location>
    ProxyPass /static !
    ProxyPass / http://localhost:7990/ connectiontimeout=5 timeout=60
    RequestHeader unset Authorization
</VirtualHost>
`)
	a := filepath.Join(dir, "sites/a.conf")
	if s.Doubt != "" {
		t.Fatal(s.Doubt)
	}
	for name, c := range map[string]struct {
		is    Setting
		line  int
		value string
	}{
		"server": {s.Servers[0].Setting, 18, "localhost:7990"}, "timeout": {s.Read, 18, "1m0s"}, "body": {s.Body, 12, "1048576"},
		"host": {s.Host, 14, ""}, "auth": {s.Auth[0], 19, "unset"}, "path": {s.Decodes[0], 18, "canon"},
	} {
		if c.is.Place != (Place{a, c.line}) || c.is.Value != c.value {
			t.Errorf("%s: %+v, want %s on line %d", name, c.is, c.value, c.line)
		}
	}
}

// TestApacheAlias: * and ? stand anywhere in a ServerAlias (mod_core).
func TestApacheAlias(t *testing.T) {
	for alias, port := range map[string]string{"git.*": "2", "*.example.com": "2", "g?t.example.*": "2", "*.example": "1"} {
		conf := ""
		for i, name := range []string{"www.example.com", alias} {
			conf += fmt.Sprintf("<VirtualHost *:443>\n    ServerName host%[1]d\n    ServerAlias %[2]s\n    ProxyPass / http://10.0.0.1:%[1]d/\n</VirtualHost>\n", i+1, name)
		}
		if s, _ := site(t, "https://git.example.com", "apache2.conf", conf); len(s.Servers) != 1 || s.Servers[0].Value != "10.0.0.1:"+port {
			t.Errorf("%s: %q, %+v", alias, s.Doubt, s.Servers)
		}
	}
}
