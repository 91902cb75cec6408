package live_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bitgate/haproxy/live"
)

// banners are the heads of `haproxy -vv` as the versions print it.
var banners = map[string]string{
	"1.5": "HA-Proxy version 1.5.18 2016/05/10\nCopyright 2000-2016 Willy Tarreau\n\nBuilt with OpenSSL version : OpenSSL 1.0.2k-fips  26 Jan 2017\nRunning on OpenSSL version : OpenSSL 1.0.2k-fips  26 Jan 2017\n",
	"1.8": "HA-Proxy version 1.8.27-493ce0b 2020/11/06\n\nBuilt without OpenSSL support (USE_OPENSSL not set)\n",
	"2.6": "HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\nBuilt with OpenSSL version : OpenSSL 3.0.22 25 Aug 2026\nRunning on OpenSSL version : OpenSSL 3.0.19 27 Jan 2026\n",
	"3.4": "HAProxy version 3.4.0-64a335366 2026/06/03 - https://haproxy.org/\nBuilt with SSL library version : AWS-LC 1.29\nRunning on SSL library version : AWS-LC 1.29\n",
	"dev": "HAProxy version 3.5-dev2-5 2026/06/03 - https://haproxy.org/\n",
}

// fakeHAProxy writes a haproxy that prints a banner.
func fakeHAProxy(t *testing.T, path, banner string) {
	t.Helper()
	write(t, path, []byte("#!/bin/sh\ncat <<'END'\n"+banner+"END\n"))
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestVersions(t *testing.T) {
	for name, want := range map[string]struct {
		major, minor, patch int
		text, openssl       string
		tls                 bool
	}{
		"1.5": {1, 5, 18, "1.5.18", "1.0.2k-fips", true},
		"1.8": {1, 8, 27, "1.8.27-493ce0b", "", false},
		"2.6": {2, 6, 12, "2.6.12-1+deb12u4", "3.0.19", true},
		"3.4": {3, 4, 0, "3.4.0-64a335366", "", true},
		"dev": {3, 5, 0, "3.5-dev2-5", "", false},
	} {
		root := t.TempDir()
		fakeHAProxy(t, filepath.Join(root, "usr/sbin/haproxy"), banners[name])
		in, err := live.Detect(t.Context(), live.Search{Root: root})
		if err != nil {
			t.Fatal(err)
		}
		v := in.Version
		if v.Major != want.major || v.Minor != want.minor || v.Patch != want.patch || v.Text != want.text || v.OpenSSL != want.openssl || in.OpenSSL != want.tls {
			t.Errorf("%s: %+v, TLS %t", name, v, in.OpenSSL)
		}
		if in.Why["Bin"] == "" || in.Why["Version"] == "" || in.Why["Files"] == "" {
			t.Errorf("%s: sources are missing: %v", name, in.Why)
		}
	}
}

func TestWithoutHAProxy(t *testing.T) {
	root := t.TempDir()
	in, err := live.Detect(t.Context(), live.Search{Root: root})
	if err != nil || in.Bin != "" || len(in.Files) != 1 || in.Files[0] != filepath.Join(root, live.DefaultCfg) {
		t.Errorf("%+v, %v", in, err)
	}
	if _, err := live.Detect(t.Context(), live.Search{Bin: filepath.Join(root, "none")}); err == nil {
		t.Error("a binary that is not there was accepted")
	}
	fakeHAProxy(t, filepath.Join(root, "nginx"), "nginx version: nginx/1.22.1\n")
	if _, err := live.Detect(t.Context(), live.Search{Bin: filepath.Join(root, "nginx")}); err == nil {
		t.Error("another program was taken for HAProxy")
	}
}

func TestFileSet(t *testing.T) {
	const (
		debian = "[Service]\nEnvironmentFile=-/etc/default/haproxy\nEnvironmentFile=-/etc/sysconfig/haproxy\n" +
			"Environment=\"CONFIG=/etc/haproxy/haproxy.cfg\" \"PIDFILE=/run/haproxy.pid\" \"EXTRAOPTS=-S /run/haproxy-master.sock\"\n" +
			"ExecStart=/usr/sbin/haproxy -Ws -f $CONFIG -p $PIDFILE $EXTRAOPTS\nExecReload=/usr/sbin/haproxy -Ws -f /elsewhere -c -q $EXTRAOPTS\n"
		redhat = "[Service]\nEnvironment=\"CONFIG=/etc/haproxy/haproxy.cfg\" \"PIDFILE=/run/haproxy.pid\" \"CFGDIR=/etc/haproxy/conf.d\"\n" +
			"EnvironmentFile=/etc/sysconfig/haproxy\nExecStart=/usr/sbin/haproxy -Ws -f ${CONFIG} \\\n  -f ${CFGDIR} -p $PIDFILE $OPTIONS\n"
		unit = "lib/systemd/system/haproxy.service"
	)
	for name, c := range map[string]struct {
		files map[string]string
		want  string // relative to the root
	}{
		"Debian":              {map[string]string{unit: debian}, "/etc/haproxy/haproxy.cfg"},
		"Debian, moved":       {map[string]string{unit: debian, "etc/default/haproxy": "# x\nCONFIG=\"/srv/lb.cfg\"\n"}, "/srv/lb.cfg"},
		"Debian, a directory": {map[string]string{unit: debian, "etc/default/haproxy": "EXTRAOPTS=\"-f /etc/haproxy/conf.d -de\"\n", "etc/haproxy/conf.d/b.cfg": "", "etc/haproxy/conf.d/B.cfg": "", "etc/haproxy/conf.d/a.cfg": "", "etc/haproxy/conf.d/.c.cfg": "", "etc/haproxy/conf.d/a.cfg.bak": ""}, "/etc/haproxy/haproxy.cfg /etc/haproxy/conf.d/B.cfg /etc/haproxy/conf.d/a.cfg /etc/haproxy/conf.d/b.cfg /etc/haproxy/conf.d/zz-bitgate.cfg"},
		"Red Hat":             {map[string]string{unit: redhat, "etc/haproxy/conf.d/10.cfg": ""}, "/etc/haproxy/haproxy.cfg /etc/haproxy/conf.d/10.cfg /etc/haproxy/conf.d/zz-bitgate.cfg"},
		"Red Hat, empty dir":  {map[string]string{unit: redhat, "etc/haproxy/conf.d/README": ""}, "/etc/haproxy/haproxy.cfg /etc/haproxy/conf.d/zz-bitgate.cfg"},
		"ours is there":       {map[string]string{unit: redhat, "etc/haproxy/conf.d/zz-bitgate.cfg": ""}, "/etc/haproxy/haproxy.cfg /etc/haproxy/conf.d/zz-bitgate.cfg"},
		"ours not the last":   {map[string]string{unit: redhat, "etc/haproxy/conf.d/zzz.cfg": ""}, "/etc/haproxy/haproxy.cfg /etc/haproxy/conf.d/zzz.cfg"},
		"drop-in":             {map[string]string{unit: debian, "etc/systemd/system/haproxy.service.d/override.conf": "[Service]\nExecStart=\nExecStart=/usr/sbin/haproxy -Ws -f /srv/a.cfg -- /srv/b.cfg /srv/c.cfg\n"}, "/srv/a.cfg /srv/b.cfg /srv/c.cfg"},
		"drop-in environment": {map[string]string{unit: debian, "etc/systemd/system/haproxy.service.d/10.conf": "[Service]\nEnvironment=CONFIG=/srv/a.cfg\n", "run/systemd/system/haproxy.service.d/10.conf": "[Service]\nEnvironment=CONFIG=/srv/b.cfg\n"}, "/srv/a.cfg"},
		"own unit":            {map[string]string{unit: debian, "etc/systemd/system/haproxy.service": "[Service]\nExecStart=/opt/haproxy -f /srv/own.cfg\n"}, "/srv/own.cfg"},
		"relative names, -C":  {map[string]string{unit: "[Service]\nExecStart=/usr/sbin/haproxy -Ws -C /srv/lb -f base.cfg -f more.d\n", "srv/lb/more.d/a.cfg": ""}, "/srv/lb/base.cfg /srv/lb/more.d/a.cfg /srv/lb/more.d/zz-bitgate.cfg"},
		"its directory":       {map[string]string{unit: "[Service]\nWorkingDirectory=/srv/lb\nExecStart=/usr/sbin/haproxy -Ws -f base.cfg -f /srv/own.cfg\n"}, "/srv/lb/base.cfg /srv/own.cfg"},
		"init script":         {map[string]string{"etc/default/haproxy": "export CONFIG=/srv/sysv.cfg\n"}, "/srv/sysv.cfg"},
		"init script, more":   {map[string]string{"etc/default/haproxy": "ENABLED=1\nEXTRAOPTS=\"-f /srv/more.cfg\"\n"}, "/etc/haproxy/haproxy.cfg /srv/more.cfg"},
		"nothing said":        {nil, "/etc/haproxy/haproxy.cfg"},
	} {
		root := t.TempDir()
		for path, text := range c.files {
			write(t, filepath.Join(root, path), []byte(text))
		}
		in, err := live.Detect(t.Context(), live.Search{Root: root})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(strings.Join(in.Files, " "), root, ""); got != c.want || in.Why["Files"] == "" {
			t.Errorf("%s: %q (%s), want %q", name, got, in.Why["Files"], c.want)
		}
		if got, want := in.Master, c.files[unit] == debian; (got == "unix:"+filepath.Join(root, "run/haproxy-master.sock")) != want && c.files["etc/default/haproxy"] == "" && !strings.Contains(name, "drop-in") && name != "own unit" {
			t.Errorf("%s: the master's socket is %q", name, got)
		}
		for _, one := range in.Files { // a saved command names one file of the set
			again, err := live.Detect(t.Context(), live.Search{Root: root, Cfg: one})
			if err != nil || len(c.files) > 0 && !slices.Equal(again.Files, in.Files) {
				t.Errorf("%s: --haproxy-cfg %s gives %q, not the whole set", name, one, again.Files)
			}
		}
		in, err = live.Detect(t.Context(), live.Search{Root: root, Cfg: "/mine.cfg"})
		if err != nil || strings.Join(in.Files, " ") != "/mine.cfg" {
			t.Errorf("%s: --haproxy-cfg lost to %q", name, in.Files)
		}
	}
}

// The unit whose files are read is the one that is reloaded, whatever it is called.
func TestUnitOfAnotherName(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "run/systemd/system/.here"), nil)
	write(t, filepath.Join(root, "etc/haproxy/haproxy.cfg"), nil)
	write(t, filepath.Join(root, "usr/lib/systemd/system/rh-haproxy18-haproxy.service"), []byte("[Service]\nUser=edge\nExecStart=/opt/rh/haproxy -Ws -f /etc/opt/rh/haproxy.cfg\n"))
	in, err := live.Detect(t.Context(), live.Search{Root: root})
	if err != nil || len(in.Files) != 1 || in.Files[0] != filepath.Join(root, "etc/opt/rh/haproxy.cfg") || in.Service.User != "edge" {
		t.Errorf("%v: %+v", err, in)
	}
	for words, want := range map[string]string{
		"haproxy -sf 12 -Ws -f /etc/edge.cfg -p /run/x.pid": "/etc/edge.cfg", "haproxy -D -- /etc/a.cfg /etc/b.cfg": "/etc/a.cfg", "haproxy -f edge.cfg": "", "haproxy": "",
	} {
		if got := live.Loaded(strings.Fields(words)); got != want {
			t.Errorf("%s: %q", words, got)
		}
	}
}
