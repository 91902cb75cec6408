package machine

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// An attacker is a user of the machine with nothing but his own rights, who has
// prepared whatever he may write before the administrator comes. Each of his marks
// would be made by a command of his that somebody else ran, each of his catches
// would be something that was sent to him.
const (
	mallory  = 4711
	den      = "/srv/mallory"
	marks    = den + "/marks" // anybody may write there, so that a command of his leaves its mark
	thiefJob = "thief"
	evilPort = "8443"
)

// beThief takes what is sent to a port of this machine and answers as Bitbucket.
func beThief(arg string) {
	port, file, _ := strings.Cut(arg, " ")
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			buf := make([]byte, 64<<10)
			for {
				_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
				n, err := conn.Read(buf)
				if bytes.Contains(buf[:n], []byte(password)) {
					_ = os.WriteFile(file, buf[:n], 0o644)
				}
				if err != nil {
					return
				}
				const body = `{"state":"RUNNING"}`
				_, _ = io.WriteString(conn, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-AREQUESTID: 1\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
			}
		}()
	}
}

// prepare lays everything out, and starts his programs.
func (s site) prepare() {
	s.t.Helper()
	s.Run(s.t, "useradd", "--uid", strconv.Itoa(mallory), "--create-home", "--home-dir", den, "--shell", "/bin/sh", "mallory")
	s.Run(s.t, "chmod", "755", den)
	s.Copy(s.t, "/proc/self/exe", "/srv/tools/thief")
	s.Run(s.t, "ln", "/srv/tools/thief", "/srv/tools/java")
	s.mallory(`mkdir -m 777 ` + marks + ` && mkdir -p home/shared home/log app/META-INF`)
	// What git takes for a repository, and what other programs look for where they run.
	s.mallory(`
set -e
run='touch ` + marks + `'
for d in /tmp /var/tmp /dev/shm; do # a .git of his own git would not believe, a bare repository in a folder of root it did
  mkdir -p $d/objects $d/refs $d/hooks $d/info
  echo 'ref: refs/heads/main' >$d/HEAD
  cat >$d/config <<C
[core]
	repositoryformatversion = 0
	bare = true
	fsmonitor = $run/fsmonitor
	hooksPath = $d/hooks
	sshCommand = $run/ssh
	gitProxy = $run/proxy
	pager = $run/pager
	askPass = $run/askpass
[credential]
	helper = !$run/helper
[init]
	templateDir = $d
[protocol "ext"]
	allow = always
[url "ext::sh -c touch% ` + marks + `/git% #"]
	insteadOf = https://
	insteadOf = ssh://
C
  cp $d/config $d/.gitconfig
  for h in post-checkout pre-push pre-commit post-index-change reference-transaction post-commit; do
    printf '#!/bin/sh\n%s/hook-%s\n' "$run" $h >$d/hooks/$h
    chmod 755 $d/hooks/$h
  done
  # Programs by the names that bitgate starts.
  for p in git haproxy systemctl sh nft firewall-cmd less java; do
    printf '#!/bin/sh\n%s/program-%s\n' "$run" $p >$d/$p
    chmod 755 $d/$p
  done
done
cat >/tmp/answers.yaml <<C
url: ` + public + `
haproxy-bin: /tmp/haproxy
restart: touch ` + marks + `/answers
C
chmod 666 /tmp/answers.yaml
echo '{}' >/tmp/plan.json
: >/tmp/site.pem
chmod 666 /tmp/plan.json /tmp/site.pem
ln -s /etc/shadow /tmp/bitgate-plan-1.json
printf 'server.port=7991\n' >home/shared/bitbucket.properties
mkfifo home/log/atlassian-bitbucket.log
echo 'Implementation-Version: 9.4.16' >app/META-INF/MANIFEST.MF
cp /srv/tools/thief "./$(printf '` + "\\033]0;PWNED\\007" + `java')"
`)
	s.thief("/srv/tools/thief", "7991")
	s.thief(den+"/\x1b]0;PWNED\x07java", evilPort)
	// He calls himself Bitbucket, and has the lower process number.
	s.thief("/srv/tools/java", "7992", "-Dbitbucket.home="+den+"/home", "-Dbitbucket.install="+den)
	s.Run(s.t, "systemctl", "restart", "atlbitbucket")
	s.until("Bitbucket", func() bool { return s.answers("http://127.0.0.1:7990/status") })
}

// mallory runs a script of his, in his folder.
func (s site) mallory(script string) {
	s.t.Helper()
	cmd := s.As(mallory, "bash", "-c", "cd "+den+" && "+strings.TrimSpace(script))
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("mallory: %v\n%s", err, out)
	}
}

func (s site) thief(program, port string, args ...string) *peers.Process {
	s.t.Helper()
	cmd := s.As(mallory, append([]string{program}, args...)...)
	cmd.Env = append(cmd.Env, peers.JobEnv(thiefJob, port+" "+marks+"/stolen-"+port))
	p := peers.Start(s.t, cmd)
	s.until("mallory on port "+port, func() bool {
		out, _ := s.Try("ss", "-Hltn", "sport = :"+port)
		return out != "" || !p.Running()
	})
	if !p.Running() {
		s.t.Fatalf("mallory's program ended: %s", p.Output())
	}
	return p
}

// root runs bitgate as an administrator does who stands in /tmp.
func (s site) root(program string, args ...string) (string, error) {
	return s.rootWith("$PATH", program, args...)
}

func (s site) rootWith(path, program string, args ...string) (string, error) {
	s.t.Helper()
	cmd := s.Command(append([]string{"sh", "-c", `cd /tmp && PATH="` + path + `" exec "$0" "$@"`, program}, args...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// nothing of the attacker's has happened.
func (s site) nothing(after string) {
	s.t.Helper()
	if found := s.Run(s.t, "find", marks, "-mindepth", "1", "-printf", "%f of uid %U\n"); found != "" {
		s.t.Errorf("after %s the attacker has:\n%s", after, found)
		s.Run(s.t, "find", marks, "-mindepth", "1", "-delete")
	}
}

// refused wants an end with an error that names what is not believed.
func (s site) refused(what string, out string, err error, words ...string) {
	s.t.Helper()
	if err == nil {
		s.t.Errorf("%s was done:\n%s", what, out)
	}
	for _, w := range words {
		if !strings.Contains(out, w) {
			s.t.Errorf("%s: no %q in\n%s", what, w, out)
		}
	}
	s.nothing(what)
}

// TestAttacker: a user of the machine has prepared everything he can, while root
// sets up, verifies, shows the demo and takes back.
func TestAttacker(t *testing.T) {
	t.Parallel()
	peers.Need(t, "git", "curl", "ss")
	s := newSite(t)
	s.prepare()
	const bitgate = "/usr/local/bin/bitgate"
	given := []string{
		"--url", public, "--front", "builtin", "--cert", "/etc/ssl/git/cert.pem", "--key", "/etc/ssl/git/key.pem", "--ca-file", "/root/ca.pem",
		"--admin-user", "admin", "--admin-password-file", "/root/password", "--redirect-old-path", "/", "--restart-timeout", "2m",
	}
	with := func(command string, more ...string) []string {
		return append(append([]string{command}, given...), more...)
	}
	home := []string{"--home", folder + "/home"}

	s.step("several call themselves Bitbucket", func(t *testing.T, s site) {
		out, err := s.root(bitgate, with("plan")...)
		s.refused("a plan with two of them", out, err, "mallory", "--home")
	})
	s.step("Bitbucket is down and he listens", func(t *testing.T, s site) {
		s.Run(t, "systemctl", "stop", "atlbitbucket")
		thief := s.thief("/srv/tools/thief", "7990")
		out, err := s.root(bitgate, with("plan", append(home, "--bitbucket-version", version)...)...)
		s.refused("a plan", out, err, "mallory")
		thief.Stop()
		s.Run(t, "systemctl", "start", "atlbitbucket")
		s.until("Bitbucket", func() bool { return s.answers("http://127.0.0.1:7990/status") })
	})
	s.step("his name on the terminal", func(t *testing.T, s site) {
		out, _ := s.root(bitgate, with("plan", append(home, "--listen", ":"+evilPort, "--url", "https://localhost:"+evilPort+"/bitbucket")...)...)
		if strings.ContainsAny(out, "\x1b\x07\u202e") {
			t.Errorf("control characters of his: %q", out)
		}
		if !strings.Contains(out, evilPort+" is in use") && !strings.Contains(out, "PWNED") {
			t.Errorf("who has the port is not told:\n%s", out)
		}
		s.nothing("a plan")
	})
	s.step("his plan and his answers", func(t *testing.T, s site) {
		out, err := s.root(bitgate, with("plan", append(home, "--answers", "/tmp/answers.yaml")...)...)
		s.refused("a plan with his answers", out, err, "/tmp/answers.yaml")
		s.bitgate(with("plan", append(home, "-o", "/root/plan.json")...)...)
		s.Run(t, "sh", "-c", `sed 's#systemctl#touch `+marks+`/plan#; s#"how": *"systemd"#"how":"command","command":"touch `+marks+`/plan"#' /root/plan.json >`+den+`/evil.json && chown mallory `+den+`/evil.json && chmod 666 `+den+`/evil.json`)
		out, err = s.root(bitgate, "apply", den+"/evil.json", "--yes", "--admin-user", "admin", "--admin-password-file", "/root/password")
		s.refused("his plan", out, err, "mallory")
		for _, file := range []string{"/tmp/plan.json", "/tmp/site.pem"} {
			args := with("plan", append(home, "-o", file)...)
			if file == "/tmp/site.pem" {
				args = []string{"cert", "bundle", "--cert", "/etc/ssl/git/cert.pem", "--key", "/etc/ssl/git/key.pem", "-o", file}
			}
			_, _ = s.root(bitgate, args...) // refused, or a file of root's own
			if out, err := s.As(mallory, "grep", "-l", "PRIVATE KEY\\|\"version\"", file).CombinedOutput(); err == nil {
				t.Errorf("he can read what root wrote: %s", out)
			}
		}
	})
	s.step("a state folder and a program of his", func(t *testing.T, s site) {
		s.mallory("mkdir -m 777 state; cp " + bitgate + " bitgate && chmod 777 bitgate")
		out, err := s.root(bitgate, with("apply", append(home, "--yes", "--state-dir", den+"/state")...)...)
		s.refused("a run with his state folder", out, err, "state")
		out, err = s.root(den+"/bitgate", with("apply", append(home, "--yes")...)...)
		s.refused("a unit of his program", out, err, "mallory", "program")
		if _, err := s.Try("test", "-e", "/etc/systemd/system/"+unit); err == nil {
			t.Error("the unit was installed")
		}
	})
	before := s.files()
	s.step("setup, verify and demo", func(t *testing.T, s site) {
		for _, args := range [][]string{
			with("apply", append(home, "--yes", "--repo", "PROJ/repo")...),
			{"verify", "--url", public, "--ca-file", "/root/ca.pem", "--repo", "PROJ/repo", "--admin-user", "admin", "--admin-password-file", "/root/password"},
			{"demo", "--yes"},
		} {
			if out, err := s.root(bitgate, args...); err != nil {
				t.Errorf("%s: %v\n%s", args[0], err, out)
			}
			s.nothing(args[0])
		}
		// Who has the folder he stands in on his PATH gets no program from there.
		for _, path := range []string{".:$PATH", "$PATH:", "::$PATH"} {
			if out, err := s.rootWith(path, bitgate, "verify", "--url", public, "--ca-file", "/root/ca.pem", "--repo", "PROJ/repo"); err != nil || !strings.Contains(out, "git ls-remote") {
				t.Errorf("with PATH=%s: %v\n%s", path, err, out)
			}
			s.nothing("verify with PATH=" + path)
		}
		s.serves()
		if out, err := s.As(mallory, "cat", "/etc/bitgate/bitgate-localhost.pem").CombinedOutput(); err == nil {
			t.Errorf("he can read the key:\n%s", out)
		}
	})
	s.step("the proxy's processes", func(t *testing.T, s site) {
		for _, pid := range strings.Fields(s.Run(t, "pgrep", "-x", "bitgate")) {
			for _, do := range [][]string{{"kill", "-TERM", pid}, {"cat", "/proc/" + pid + "/environ"}, {"ls", "/proc/" + pid + "/fd"}} {
				if out, err := s.As(mallory, do...).CombinedOutput(); err == nil {
					t.Errorf("%v: %s", do, out)
				}
			}
		}
		s.serves()
	})
	s.step("undo", func(t *testing.T, s site) {
		if out, err := s.root(bitgate, "undo", "--yes", "--admin-user", "admin", "--admin-password-file", "/root/password"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		s.as(before)
		s.nothing("undo")
	})
	if link := strings.TrimSpace(s.Run(t, "readlink", "/tmp/bitgate-plan-1.json")); link != "/etc/shadow" {
		t.Errorf("his link was followed or replaced: %q", link)
	}
}
