package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/internal/peers"
)

// site is a machine with Bitbucket as a service, without HTTPS.
type site struct {
	*peers.Machine
	t *testing.T
}

const (
	folder     = "/srv/bitbucket"
	properties = folder + "/home/shared/bitbucket.properties"
	public     = "https://localhost/bitbucket"
)

const bitbucketUnit = `[Unit]
Description=Atlassian Bitbucket
[Service]
User=atlbitbucket
Environment="%JOB"
ExecStart=/srv/jre/java -Dbitbucket.home=/srv/bitbucket/home -Datlassian.standalone=BITBUCKET
[Install]
WantedBy=multi-user.target
`

func newSite(t *testing.T) site {
	t.Helper()
	s := site{peers.NewMachine(t), t}
	s.Copy(t, program, "/usr/local/bin/bitgate")
	s.Run(t, "useradd", "--system", "--shell", "/bin/sh", "atlbitbucket")
	s.Run(t, "install", "-d", "-o", "atlbitbucket", "-m", "755", folder)
	s.Copy(t, "/proc/self/exe", "/srv/jre/java")
	unit := strings.ReplaceAll(bitbucketUnit, "%JOB", peers.JobEnv(bitbucketJob, folder))
	s.Write(t, "/etc/systemd/system/atlbitbucket.service", []byte(unit), 0o644)
	s.Run(t, "systemctl", "enable", "--now", "atlbitbucket.service")
	s.certificate()
	s.Write(t, "/root/password", []byte(password+"\n"), 0o600)
	s.until("Bitbucket", func() bool { return s.answers("http://127.0.0.1:7990/status") })
	return s
}

// certificate makes a new one, for the same authority to trust: /root/ca.pem.
func (s site) certificate() {
	s.t.Helper()
	ca, cert, key, err := certs.Dev([]string{"localhost"}, 90, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	s.Write(s.t, "/root/ca.pem", ca, 0o644)
	// A renewal that finds one without the other fails, and is not tried again for a minute.
	if s.property(renewTimer, "ActiveState") == "active" {
		s.Run(s.t, "systemctl", "stop", renewTimer)
		s.until("the renewal is not running", func() bool { return s.property(renewService, "ActiveState") != "activating" })
		defer s.Run(s.t, "systemctl", "start", renewTimer)
	}
	s.Write(s.t, "/etc/ssl/git/cert.pem.new", append(cert, ca...), 0o644)
	s.Write(s.t, "/etc/ssl/git/key.pem.new", key, 0o600)
	s.Run(s.t, "sh", "-c", "cd /etc/ssl/git && mv cert.pem.new cert.pem && mv key.pem.new key.pem")
}

// apply is a whole setup without questions.
func (s site) apply(more ...string) string {
	s.t.Helper()
	return s.applyBy("bitgate", more...)
}

// applyBy is apply by a program that lies anywhere.
func (s site) applyBy(program string, more ...string) string {
	s.t.Helper()
	return s.Run(s.t, append([]string{
		program, "apply", "--yes", "--url", public, "--cert", "/etc/ssl/git/cert.pem", "--key", "/etc/ssl/git/key.pem", "--ca-file", "/root/ca.pem",
		"--admin-user", "admin", "--admin-password-file", "/root/password", "--redirect-old-path", "/", "--restart-timeout", "2m",
	}, more...)...)
}

func (s site) bitgate(args ...string) string {
	s.t.Helper()
	return s.Run(s.t, append([]string{"bitgate"}, args...)...)
}

// answers reports whether Bitbucket's status comes from there.
func (s site) answers(url string) bool {
	out, _ := s.Try("curl", "-sS", "--max-time", "5", "--cacert", "/root/ca.pem", url)
	return strings.Contains(out, `"RUNNING"`)
}

func (s site) serves() {
	s.t.Helper()
	s.until("an answer of "+public, func() bool { return s.answers(public + "/status") })
}

func (s site) until(what string, is func() bool) {
	s.t.Helper()
	peers.WaitFor(s.t, what, is)
}

// property of a unit, as systemctl show has it.
func (s site) property(unit, name string) string {
	s.t.Helper()
	return strings.TrimSpace(s.Run(s.t, "systemctl", "show", "--value", "-p", name, unit))
}

func (s site) mainPID(unit string) string { s.t.Helper(); return s.property(unit, "MainPID") }

// files are what bitgate may change, with mode and owner, by name.
func (s site) files() map[string]string {
	s.t.Helper()
	files := map[string]string{}
	for _, name := range []string{properties, "/etc/haproxy/haproxy.cfg", "/etc/bitgate/proxy.yaml", "/etc/systemd/system/bitgate-proxy.service"} {
		about, err := s.Try("stat", "-c", "%a %u %g", name)
		if err != nil {
			continue
		}
		data, err := os.ReadFile(s.Path(name))
		if err != nil {
			s.t.Fatal(err)
		}
		files[name] = about + string(data)
	}
	return files
}

// as wants the files of before.
func (s site) as(before map[string]string) {
	s.t.Helper()
	now := s.files()
	for name, text := range before {
		if now[name] != text {
			s.t.Errorf("%s is not as before:\n%s", name, now[name])
		}
	}
	for name := range now {
		if _, was := before[name]; !was {
			s.t.Errorf("%s is left (%s)", name, filepath.Base(name))
		}
	}
}
