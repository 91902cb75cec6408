package machine

import (
	"strings"
	"testing"
)

// hardened is how administrators run HAProxy as an unprivileged user, with its
// variables in a file and its sections in a folder.
const hardened = `[Service]
User=haproxy
Group=haproxy
RuntimeDirectory=haproxy
EnvironmentFile=/etc/default/site
Environment=PIDFILE=/run/haproxy/haproxy.pid
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=true
ProtectHome=true
ProtectSystem=full
PrivateTmp=true
PrivateDevices=true
`

const (
	hardenedMain = `global
    stats socket /run/haproxy/admin.sock mode 660 level admin
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
`
	hardenedWiki = `frontend www
    bind "*:${SITE_PORT}" ssl crt "${SITE_CERT}"
    http-request deny if { path_beg /admin } !{ src 127.0.0.0/8 }
    http-request deny if { method TRACE }
    default_backend wiki
backend wiki
    server self 127.0.0.1:9000
frontend application
    bind 127.0.0.1:9000
    http-request return status 200 content-type text/plain string wiki
`
)

// The service runs as a user of its own, sandboxed, with a folder of files and
// variables from a file: what is written reaches it, as what it may read, everybody
// else is served as before, and undo leaves no trace.
func TestHardenedHAProxy(t *testing.T) {
	s := newSite(t)
	s.Run(t, "systemctl", "stop", "haproxy")
	s.Write(t, "/etc/haproxy/haproxy.cfg", []byte(hardenedMain), 0o644)
	s.Write(t, "/etc/haproxy/conf.d/20-wiki.cfg", []byte(hardenedWiki), 0o644)
	s.Write(t, "/etc/default/site", []byte("SITE_PORT=443\nSITE_CERT='/etc/haproxy/wiki.pem'\n"), 0o644)
	s.Write(t, "/etc/default/haproxy", []byte("EXTRAOPTS=\"-S /run/haproxy/master.sock -f /etc/haproxy/conf.d\"\n"), 0o644)
	s.Write(t, "/etc/systemd/system/haproxy.service.d/hardened.conf", []byte(hardened), 0o644)
	s.Run(t, "sh", "-c", "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=wiki.localhost -addext subjectAltName=DNS:wiki.localhost -keyout /root/k -out /root/c 2>/dev/null && cat /root/c /root/k >/etc/haproxy/wiki.pem && chgrp haproxy /etc/haproxy/wiki.pem && chmod 640 /etc/haproxy/wiki.pem")
	s.Run(t, "systemctl", "daemon-reload")
	s.Run(t, "systemctl", "restart", "haproxy")
	wiki := func() bool {
		for range 5 { // each over a new connection
			out, _ := s.Try("curl", "-sSk", "--max-time", "5", "https://wiki.localhost/page")
			if out != "wiki" {
				return false
			}
		}
		return true
	}
	s.until("the wiki", wiki)
	before := s.files()

	s.inSandbox(wiki)
	s.as(before)

	// A chroot that HAProxy enters as that user.
	s.Write(t, "/etc/haproxy/haproxy.cfg", []byte(strings.Replace(hardenedMain, "global\n", "global\n    chroot /var/lib/haproxy\n", 1)), 0o644)
	s.Write(t, "/etc/systemd/system/haproxy.service.d/hardened.conf", []byte(strings.ReplaceAll(hardened, "CAP_NET_BIND_SERVICE\n", "CAP_NET_BIND_SERVICE CAP_SYS_CHROOT\n")), 0o644)
	s.Run(t, "systemctl", "daemon-reload")
	s.Run(t, "systemctl", "restart", "haproxy")
	s.until("the wiki", wiki)
	before = s.files()
	s.inSandbox(wiki)
	s.as(before)
}

// inSandbox sets HAProxy up where its service is a user of its own, and takes it back.
func (s site) inSandbox(wiki func() bool) {
	t := s.t
	t.Helper()
	setup := []string{
		"apply", "--yes", "--front", "haproxy", "--url", public, "--cert", "/etc/ssl/git/cert.pem", "--key", "/etc/ssl/git/key.pem",
		"--ca-file", "/root/ca.pem", "--admin-user", "admin", "--admin-password-file", "/root/password", "--restart-timeout", "2m",
	}
	out := s.bitgate(setup...)
	if !strings.Contains(out, "rehearsed: ") || strings.Contains(out, "not rehearsed") {
		t.Errorf("it was not rehearsed:\n%s", out)
	}
	if !strings.Contains(out, "names and paths of others are answered as before the reload") {
		t.Errorf("nobody else was asked again:\n%s", out)
	}
	s.serves()
	if !wiki() {
		t.Error("the wiki is not served as before")
	}
	if user := s.Run(t, "ps", "-o", "user=", "-p", s.mainPID("haproxy.service")); strings.TrimSpace(user) != "haproxy" {
		t.Errorf("HAProxy runs as %q", user)
	}
	s.Run(t, "setpriv", "--reuid=haproxy", "--regid=haproxy", "--clear-groups", "sh", "-c", "cat /etc/haproxy/conf.d/bitgate-*.pem >/dev/null")
	if mode := s.Run(t, "sh", "-c", "stat -c %a /etc/haproxy/conf.d/bitgate-*.pem"); strings.TrimSpace(mode) != "640" {
		t.Errorf("the bundle has the mode %q", mode)
	}
	s.Run(t, "systemctl", "restart", "haproxy") // what -c as root says is not what the service can read
	s.serves()
	if told := s.bitgate("verify", "--ca-file", "/root/ca.pem"); !strings.Contains(told, "ok  Bitbucket answers through the front") {
		t.Errorf("verify:\n%s", told)
	}
	if again := s.bitgate(setup...); !strings.Contains(again, "Nothing to do") {
		t.Errorf("the second run does something:\n%s", again)
	}

	s.bitgate("undo", "--yes", "--admin-password-file", "/root/password")
	s.until("the wiki", wiki)
	if left, err := s.Try("sh", "-c", "ls /etc/haproxy/conf.d/bitgate-*.pem /etc/haproxy/conf.d/zz-bitgate.cfg"); err == nil {
		t.Errorf("undo leaves %s", left)
	}
}

// An address that floats between two machines is not up on the one that waits. There
// HAProxy can bind it where the kernel allows that, and is told why where it does not.
func TestFloatingAddress(t *testing.T) {
	s := newSite(t)
	s.Write(t, "/etc/haproxy/haproxy.cfg", []byte(hardenedMain+"frontend health\n    bind 127.0.0.1:8404\n    http-request return status 200\n"), 0o644)
	s.Run(t, "systemctl", "restart", "haproxy")
	before := s.files()
	setup := []string{
		"bitgate", "apply", "--yes", "--front", "haproxy", "--url", public, "--listen", "198.51.100.7:443", "--cert", "/etc/ssl/git/cert.pem", "--key", "/etc/ssl/git/key.pem",
		"--ca-file", "/root/ca.pem", "--admin-user", "admin", "--admin-password-file", "/root/password", "--restart-timeout", "2m",
	}
	s.Run(t, "sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=0")
	if out, err := s.Try(setup...); err == nil || !strings.Contains(out, "198.51.100.7 is not an address of this machine now, and net.ipv4.ip_nonlocal_bind is 0") {
		t.Errorf("nobody can bind it: %v\n%s", err, out)
	}
	s.as(before)

	s.Run(t, "sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=1")
	out, _ := s.Try(setup...) // the name leads to where the address is
	if !strings.Contains(out, "is done") || !strings.Contains(out, "198.51.100.7:443 is not up on this machine") {
		t.Errorf("the machine that waits is not set up:\n%s", out)
	}
	s.Run(t, "ip", "address", "add", "198.51.100.7/32", "dev", "lo")
	floats := func() bool {
		out, _ := s.Try("curl", "-sS", "--max-time", "5", "--cacert", "/root/ca.pem", "--connect-to", "::198.51.100.7:443", public+"/status")
		return strings.Contains(out, `"RUNNING"`)
	}
	s.until("an answer at the address that came", floats)
	s.Run(t, "ip", "address", "del", "198.51.100.7/32", "dev", "lo")
	s.bitgate("undo", "--yes", "--admin-password-file", "/root/password")
	s.as(before)
}
