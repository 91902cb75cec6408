package apply_test

import (
	"strings"
	"testing"
	"time"

	"bitgate/bitbucket"
	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/internal/atomicfile"
	"bitgate/internal/publicurl"
	"bitgate/internal/service"
	"bitgate/setup"
)

const tableServerXML = `<?xml version="1.0"?>
<Server port="8006"><Service name="Catalina">
  <Connector port="7990" protocol="HTTP/1.1"/>
  <Engine name="Catalina"><Host name="localhost">
    <Context path="/old" docBase="x"/>
  </Host></Engine>
</Service></Server>
`

func file(path, text string) atomicfile.File {
	return atomicfile.File{Path: path, Target: path, Data: []byte(text), Digest: atomicfile.Digest([]byte(text)), Mode: 0o640, Links: 1}
}

// tableFacts is a plain machine, made of data alone.
func tableFacts(properties bool) setup.Facts {
	f := setup.Facts{
		Bitbucket:   bitbucket.Install{Home: "/home", Version: "9.4.16"},
		Layout:      bitbucket.Layout{Generation: "bitbucket-5", Properties: "/home/shared/bitbucket.properties"},
		Properties:  file("/home/shared/bitbucket.properties", "server.context-path=/old\n"),
		ContextPath: setup.Known{Value: "/old", Set: true},
		Instance: setup.Instance{
			Upstream: "http://127.0.0.1:7990", Base: "http://127.0.0.1:7990/old", State: bitbucket.Running,
			BaseURL: setup.Known{Value: "http://old.example:7990/old", Set: true},
		},
		HAProxy:      live.Install{Bin: "/usr/sbin/haproxy", OpenSSL: true, Version: haproxy.Version{Major: 2, Minor: 6, Patch: 12, Text: "2.6.12"}},
		HAProxyFiles: []atomicfile.File{file("/etc/haproxy/haproxy.cfg", "global\n    maxconn 100\n")},
		ProxyConfig:  atomicfile.File{Path: "/etc/bitgate/proxy.yaml", Absent: true},
		Bundle:       atomicfile.File{Absent: true},
		BitbucketCtl: service.Control{How: service.Systemd, Name: "bitbucket.service"},
		HAProxyCtl:   service.Control{How: service.Systemd, Name: "haproxy.service"},
		Certificate:  setup.Certificate{Given: true, Digest: "d", Sources: map[string]string{"/c.pem": "x"}},
	}
	f.HAProxyConfig = haproxy.ParseSet([]haproxy.Source{{Path: f.HAProxyFiles[0].Path, Data: f.HAProxyFiles[0].Data}})
	if !properties {
		f.Bitbucket.Version = "4.14.12"
		f.Layout = bitbucket.Layout{Generation: "bitbucket-4", ServerXML: "/home/shared/server.xml", Properties: f.Layout.Properties}
		f.ServerXML = file("/home/shared/server.xml", tableServerXML)
	}
	return f
}

// edited returns what the plan adds to one file, and the new base URL.
func edited(p setup.Plan, path string) (text, baseURL string) {
	for _, r := range p.Ordered() {
		c := p.At(r)
		if c.BaseURL != nil {
			baseURL = c.BaseURL.New
		}
		if c.File != nil && c.File.Path == path {
			for _, s := range c.File.Splices {
				text += s.New + "\n"
			}
		}
	}
	return text, baseURL
}

// One public URL, followed into every file that must spell it.
func TestPublicURLInEveryFile(t *testing.T) {
	tests := []struct{ url, base, host, port, xmlPath, propPath, status string }{
		{"https://git.example.com/bitbucket", "https://git.example.com/bitbucket", "git.example.com", "443", "/bitbucket", "/bitbucket", "/bitbucket/status"},
		{"https://git.example.com", "https://git.example.com", "git.example.com", "443", "", "/", "/status"},
		{"https://git.example.com/", "https://git.example.com", "git.example.com", "443", "", "/", "/status"},
		{"https://GIT.example.com:443/stash/", "https://git.example.com/stash", "git.example.com", "443", "/stash", "/stash", "/stash/status"},
		{"https://git.example.com:8443/bitbucket", "https://git.example.com:8443/bitbucket", "git.example.com", "8443", "/bitbucket", "/bitbucket", "/bitbucket/status"},
		{"https://git.example.com./a/b", "https://git.example.com/a/b", "git.example.com", "443", "/a/b", "/a/b", "/a/b/status"},
		{"https://bücher.example/git", "https://xn--bcher-kva.example/git", "xn--bcher-kva.example", "443", "/git", "/git", "/git/status"},
		{"https://192.0.2.7:9443", "https://192.0.2.7:9443", "192.0.2.7", "9443", "", "/", "/status"},
		{"https://[2001:db8::7]/x", "https://[2001:db8::7]/x", "[2001:db8::7]", "443", "/x", "/x", "/x/status"},
		{"https://git/bitbucket", "https://git/bitbucket", "git", "443", "/bitbucket", "/bitbucket", "/bitbucket/status"},
		{"https://a-b.example/x_y.z~1", "https://a-b.example/x_y.z~1", "a-b.example", "443", "/x_y.z~1", "/x_y.z~1", "/x_y.z~1/status"},
		{"https://git.example.com:80/b", "https://git.example.com:80/b", "git.example.com", "80", "/b", "/b", "/b/status"},
	}
	for _, tt := range tests {
		for _, properties := range []bool{true, false} {
			for _, front := range []string{setup.FrontHAProxy, setup.FrontBuiltin} {
				u, err := publicurl.Parse(tt.url)
				if err != nil {
					t.Fatal(err)
				}
				f := tableFacts(properties)
				said := setup.Answers{
					URL: u, Front: front, Cert: "/c.pem", Key: "/k.pem", HAProxyCfg: "/etc/haproxy/haproxy.cfg",
					ProxyConfig: "/etc/bitgate/proxy.yaml", Upstream: "http://127.0.0.1:7990", RestartTimeout: time.Minute,
				}
				a, _ := setup.Resolve(f, said, nil)
				f.Bundle.Path = setup.Where(a, f.HAProxy).Bundle
				p, err := setup.Build(f, a)
				if err != nil {
					t.Fatalf("%s: %v", tt.url, err)
				}
				wants := func(path string, words ...string) {
					t.Helper()
					text, base := edited(p, path)
					if base != tt.base {
						t.Errorf("%s: the form gets %q, want %q", tt.url, base, tt.base)
					}
					for _, w := range words {
						if !strings.Contains(text, w) {
							t.Errorf("%s: %s lacks %q in:\n%s", tt.url, path, w, text)
						}
					}
				}
				if properties {
					wants("/home/shared/bitbucket.properties", tt.propPath, "server.proxy-name="+tt.host, "server.proxy-port="+tt.port,
						"server.scheme=https", "server.secure=true", "server.redirect-port="+tt.port)
				} else {
					wants("/home/shared/server.xml", tt.xmlPath, `proxyName="`+tt.host+`"`, `proxyPort="`+tt.port+`"`,
						`scheme="https"`, `secure="true"`, `redirectPort="`+tt.port+`"`)
				}
				if front == setup.FrontHAProxy {
					wants("/etc/haproxy/haproxy.cfg", tt.status, strings.Trim(tt.host, "[]"), "127.0.0.1:7990", "maxconn 50")
				} else {
					wants("/etc/bitgate/proxy.yaml", tt.base, "http://127.0.0.1:7990")
				}
				if p.Run.PublicStatus != tt.status || p.Run.UpstreamAfter != "http://127.0.0.1:7990"+tt.xmlPath {
					t.Errorf("%s: status %q, upstream %q", tt.url, p.Run.PublicStatus, p.Run.UpstreamAfter)
				}
			}
		}
	}
}

func TestMissingAnswersAreNamedAtOnce(t *testing.T) {
	f := setup.Facts{}
	a, _ := setup.Resolve(f, setup.Answers{}, nil)
	got := strings.Join(setup.Missing(f, a), " ")
	if got != "url home bitbucket-version cert key admin-user admin-password-file restart" {
		t.Errorf("missing: %s", got)
	}
	if _, err := setup.Build(f, a); err == nil || !strings.Contains(err.Error(), "--url --home --bitbucket-version --cert --key --restart") {
		t.Errorf("build: %v", err)
	}
}
