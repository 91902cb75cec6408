package setup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/internal/service"
)

// renewing is a builder for a certificate that another program renews, on a machine
// with systemd.
func renewing(t *testing.T, by Renewer, redirect string) (*builder, *Step) {
	t.Helper()
	u, err := publicurl.Parse("https://git.example.com")
	if err != nil {
		t.Fatal(err)
	}
	b := &builder{
		a: Answers{URL: u, Front: FrontBuiltin, Listen: []string{":443"}, HTTPRedirect: redirect, ProxyConfig: "/etc/bitgate/proxy.yaml"},
		f: Facts{
			Systemd: true, ProgramPath: "/usr/local/bin/bitgate", StateDir: "/var/lib/bitgate", Certificate: Certificate{Renewer: by},
			Timer: Timer{Service: atomicfile.File{Path: RenewServicePath, Absent: true}, Timer: atomicfile.File{Path: RenewTimerPath, Absent: true}},
		},
	}
	if by.Hooks != "" {
		b.f.Certificate.Hook = atomicfile.File{Path: by.Hooks + "/bitgate-git.example.com", Absent: true}
	}
	b.deployment("/etc/bitgate/bitgate-git.example.com.pem")
	s := &Step{ID: StepHAProxy}
	if err := b.renewalTimer(s, b.plan.Deployment.Bundle); err != nil {
		t.Fatal(err)
	}
	b.renewalNotes()
	return b, s
}

// TestOtherRenewers: a program that renews the certificate keeps port 80, has the front
// served by a hook where it has a place for one, and is told of in any case; where
// nothing runs it, that is a warning.
func TestOtherRenewers(t *testing.T) {
	const hooks = "/etc/letsencrypt/renewal-hooks/deploy"
	for name, c := range map[string]struct {
		by       Renewer
		redirect string
		port80   bool
		changes  string
		notes    []string // level and a part of each
	}{
		"certbot, webroot":             {Renewer{Name: "certbot", Hooks: hooks, Timer: "certbot.timer"}, Auto, true, "bitgate-git.example.com bitgate-renew.service bitgate-renew.timer start", []string{"note certbot renews this certificate (certbot.timer)"}},
		"certbot, standalone":          {Renewer{Name: "certbot", Hooks: hooks, Timer: "certbot.timer", Standalone: true}, Auto, false, "bitgate-git.example.com bitgate-renew.service bitgate-renew.timer start", []string{"note certbot renews", "note port 80 is left to certbot"}},
		"certbot, standalone, insists": {Renewer{Name: "certbot", Hooks: hooks, Timer: "certbot.timer", Standalone: true}, Always, true, "bitgate-git.example.com bitgate-renew.service bitgate-renew.timer start", []string{"note certbot renews", "warn certbot opens port 80 itself"}},
		"certbot, behind the front":    {Renewer{Name: "certbot", Hooks: hooks, Timer: "certbot.timer", Standalone: true, Port: 8888}, Auto, true, "bitgate-git.example.com bitgate-renew.service bitgate-renew.timer start", []string{"note certbot renews"}},
		"acme.sh":                      {Renewer{Name: "acme.sh", Option: "--reloadcmd", Timer: "/var/spool/cron/crontabs/root"}, Auto, true, "bitgate-renew.service bitgate-renew.timer start", []string{"note acme.sh renews this certificate (/var/spool/cron/crontabs/root)"}},
		"lego, run by nobody":          {Renewer{Name: "lego", Option: "its hook"}, Never, false, "bitgate-renew.service bitgate-renew.timer start", []string{"warn lego renews this certificate (nothing that runs it was found)"}},
		"a bought one":                 {Renewer{}, Auto, true, "bitgate-renew.service bitgate-renew.timer start", nil},
	} {
		b, s := renewing(t, c.by, c.redirect)
		if got := len(b.redirectListen()) > 0; got != c.port80 {
			t.Errorf("%s: the front takes port 80: %v", name, got)
		}
		var changes, notes []string
		for _, ch := range s.Changes {
			if ch.Phase != PhaseRenewal {
				t.Errorf("%s: phase %d", name, ch.Phase)
			}
			if ch.Service != nil {
				changes = append(changes, string(ch.Service.Verb))
				continue
			}
			changes = append(changes, ch.File.Path[strings.LastIndexByte(ch.File.Path, '/')+1:])
			text := ch.File.Splices[0].New
			if strings.Contains(ch.File.Path, "hooks") && (ch.File.Mode != 0o755 || !strings.Contains(text, "\ntest ! -x /usr/local/bin/bitgate || exec /usr/local/bin/bitgate cert deploy --state-dir /var/lib/bitgate\n")) {
				t.Errorf("%s: mode %o\n%s", name, ch.File.Mode, text)
			}
		}
		if got := strings.Join(changes, " "); got != c.changes {
			t.Errorf("%s: %s", name, got)
		}
		for _, n := range b.plan.Notes {
			notes = append(notes, string(n.Level)+" "+n.Found)
		}
		if len(notes) != len(c.notes) {
			t.Errorf("%s: %q", name, notes)
			continue
		}
		for i, want := range c.notes {
			if !strings.HasPrefix(notes[i], want) {
				t.Errorf("%s: %q, want %q", name, notes[i], want)
			}
		}
	}
}

// TestNoTimer: nothing is installed that could not run, or has nothing to do.
func TestNoTimer(t *testing.T) {
	for name, spoil := range map[string]func(*builder){
		"in place":         func(b *builder) { b.f.Certificate.InPlace = "/etc/haproxy/git.pem" },
		"program in /tmp":  func(b *builder) { b.f.RenewFault = &problem.Finding{} },
		"neither of both":  func(b *builder) { b.f.Systemd = false },
		"no state folder":  func(b *builder) { b.f.StateDir = "" },
		"already in place": func(b *builder) {},
	} {
		b, first := renewing(t, Renewer{}, Auto)
		for _, c := range first.Changes {
			if c.File != nil && name == "already in place" {
				file := atomicfile.File{Path: c.File.Path, Data: []byte(c.File.Splices[0].New)}
				if strings.HasSuffix(file.Path, ".timer") {
					b.f.Timer.Timer = file
				} else {
					b.f.Timer.Service = file
				}
			}
		}
		spoil(b)
		s := &Step{}
		if err := b.renewalTimer(s, b.plan.Deployment.Bundle); err != nil || len(s.Changes) > 0 {
			t.Errorf("%s: %v, %v", name, s.Changes, err)
		}
	}
}

// TestCertificateWithoutAReload: where the front is not to be reloaded, a certificate for
// a HAProxy with a runtime socket is planned, and the reload is left to a person.
func TestCertificateWithoutAReload(t *testing.T) {
	for how, pending := range map[service.How]int{service.Never: 1, service.Systemd: 0} {
		b := builder{f: Facts{HAProxy: live.Install{Version: haproxy.Version{Major: 2, Minor: 6}, Master: "unix:/run/haproxy-master.sock"}}}
		b.plan.Run.Front = service.Control{How: how}
		s := Step{Changes: []Change{{Certificate: &CertificateChange{Path: "/etc/haproxy/git.pem"}}}}
		b.serveFront(&s, ServiceChange{Target: "haproxy", Verb: service.Reload})
		b.swap(&s)
		if len(b.plan.Pending) != pending {
			t.Errorf("%v: pending %q", how, b.plan.Pending)
		}
		if last := s.Changes[len(s.Changes)-1].Service; how == service.Systemd && last.Swap != "/etc/haproxy/git.pem" {
			t.Errorf("it is not handed over: %+v", last)
		}
	}
}

// TestSourceThatGivesNothing: who named where the certificate comes from is told what is
// missing there, and not to name files.
func TestSourceThatGivesNothing(t *testing.T) {
	a := Answers{CertSource: SourceRequest}
	for _, flag := range Missing(Facts{Certificate: Certificate{Error: "no certificate was requested"}}, a) {
		if flag == "cert" || flag == "key" {
			t.Errorf("--%s is asked for", flag)
		}
	}
}

// TestWayOut: the renewal reaches the authority as the order does, through the proxy of
// the environment, which holds no password then; one run without such variables, as
// after sudo, changes nothing about it.
func TestWayOut(t *testing.T) {
	planned := func(env []string, orders, cron bool, before atomicfile.File) (string, []problem.Finding) {
		b, _ := renewing(t, Renewer{}, Auto)
		b.edited, b.f.Proxies, b.f.Timer.Service = nil, ProxiesOf(env), before
		if cron {
			b.f.Systemd, b.f.Timer = false, Timer{Cron: before}
		}
		if orders {
			b.a.ACME = "letsencrypt"
		}
		s := &Step{}
		if err := b.renewalTimer(s, b.plan.Deployment.Bundle); err != nil {
			t.Fatal(err)
		}
		if len(s.Changes) == 0 || s.Changes[0].File == nil || s.Changes[0].File.Path != before.Path {
			return string(before.Data), b.plan.Notes
		}
		return s.Changes[0].File.Splices[0].New, b.plan.Notes
	}
	env := []string{"HTTPS_PROXY=http://proxy.corp.example:3128", "no_proxy=localhost, .corp.example,10.0.0.0/8", "http_proxy="}
	for _, cron := range []bool{false, true} {
		none, first, last := atomicfile.File{Path: RenewServicePath, Absent: true}, `Environment="HTTPS_PROXY=http://proxy.corp.example:3128"`, `Environment="no_proxy=localhost, .corp.example,10.0.0.0/8"`
		if cron {
			none.Path, first, last = RenewCronPath, `HTTPS_PROXY="http://proxy.corp.example:3128"`, `no_proxy="localhost, .corp.example,10.0.0.0/8"`
		}
		text, notes := planned(env, true, cron, none)
		if !strings.Contains(text, "\n"+first+"\n"+last+"\n") || strings.Contains(text, "http_proxy") || len(notes) > 0 {
			t.Errorf("%v\n%s", notes, text)
		}
		has := atomicfile.File{Path: none.Path, Data: []byte(text)}
		if again, _ := planned(nil, true, cron, has); again != text {
			t.Errorf("without variables:\n%s", again)
		}
		if other, _ := planned([]string{"https_proxy="}, true, cron, has); strings.Contains(other, "corp.example") {
			t.Errorf("it cannot be taken away:\n%s", other)
		}
		if text, _ := planned(env, false, cron, none); strings.Contains(text, "corp.example") {
			t.Errorf("nothing is ordered:\n%s", text)
		}
		text, notes = planned([]string{"HTTPS_PROXY=http://me:canary@proxy.corp.example:3128", "NO_PROXY=localhost"}, true, cron, none)
		if strings.Contains(text, "canary") || !strings.Contains(text, "NO_PROXY") || len(notes) != 1 || notes[0].Level != problem.Warn ||
			!strings.Contains(notes[0].Found, "HTTPS_PROXY") || strings.Contains(fmt.Sprint(notes), "canary") || !strings.Contains(notes[0].Do, "mode 600") ||
			!strings.Contains(notes[0].Do, "/etc/bitgate-proxy.env") || strings.Contains(notes[0].Do, "last line") || cron && !strings.Contains(text, " . /etc/bitgate-proxy.env;") {
			t.Errorf("a password: %+v\n%s", notes, text)
		}
	}
}

// TestDeployHook: certbot's hook does what it is for, says when that fails, and does
// nothing where the program was removed; that of a version before is written anew once.
func TestDeployHook(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "it's a program")
	by := Renewer{Name: "certbot", Hooks: dir, Timer: "certbot.timer"}
	planned := func(hook atomicfile.File) []Change {
		b := &builder{f: Facts{ProgramPath: program, StateDir: "/var/lib/bitgate", Certificate: Certificate{Renewer: by, Hook: hook}}}
		s := &Step{}
		b.deployHook(s)
		return s.Changes
	}
	path := filepath.Join(dir, "hook")
	first := planned(atomicfile.File{Path: path, Absent: true})
	if len(first) != 1 {
		t.Fatalf("%+v", first)
	}
	text := first[0].File.Splices[0].New
	if err := os.WriteFile(path, []byte(text), os.FileMode(first[0].File.Mode)); err != nil {
		t.Fatal(err)
	}
	run := func() (string, int) {
		out, err := exec.Command("sh", path).CombinedOutput()
		if exit, is := errors.AsType[*exec.ExitError](err); is {
			return string(out), exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		return string(out), 0
	}
	if out, code := run(); out != "" || code != 0 {
		t.Errorf("without the program: %d, %q", code, out)
	}
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"$@\"; exit 5\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if out, code := run(); out != "cert deploy --state-dir /var/lib/bitgate\n" || code != 5 {
		t.Errorf("with it: %d, %q", code, out)
	}
	before := "#!/bin/sh\n# Written by bitgate: the front serves what certbot has just renewed.\nexec " + problem.ShellWord(program) + " cert deploy --state-dir /var/lib/bitgate\n"
	again := planned(atomicfile.File{Path: path, Data: []byte(before)})
	if len(again) != 1 || again[0].File.After != first[0].File.After {
		t.Errorf("over a hook of before: %+v", again)
	}
	if more := planned(atomicfile.File{Path: path, Data: []byte(text)}); len(more) != 0 {
		t.Errorf("over its own: %+v", more)
	}
}

// TestRehearsedWhereItTells: an order is tried at the authority's staging, but where the
// record that stands in DNS names the account at the authority itself.
func TestRehearsedWhereItTells(t *testing.T) {
	for challenge, tried := range map[string]bool{DNS01: true, DNSPersist01: false} {
		b, _ := renewing(t, Renewer{}, Auto)
		b.a.ACME, b.a.ACMEChallenge = "letsencrypt", challenge
		s := &Step{}
		if err := b.order(s); err != nil || len(s.Changes) != 1 || (s.Changes[0].Obtain.Rehearsal != "") != tried {
			t.Errorf("%s: %v, %+v", challenge, err, s.Changes)
		}
	}
}

// TestMaskedTimer: a timer that must not be started is none, and that is told.
func TestMaskedTimer(t *testing.T) {
	b, s := renewing(t, Renewer{}, Auto)
	if len(s.Changes) == 0 || !b.plan.hasRenewal() {
		t.Fatalf("no timer is planned: %+v", s.Changes)
	}
	b.f.Timer, b.plan = Timer{Masked: RenewTimer}, Plan{}
	b.deployment("/etc/bitgate/bitgate-git.example.com.pem")
	s = &Step{ID: StepHAProxy}
	if err := b.renewalTimer(s, b.plan.Deployment.Bundle); err != nil || len(s.Changes) > 0 || b.plan.hasRenewal() {
		t.Errorf("%v: %+v", err, s.Changes)
	}
	if notes := b.plan.Notes; len(notes) != 1 || notes[0].Level != problem.Note || !strings.Contains(notes[0].Do, "systemctl unmask bitgate-renew.timer") {
		t.Errorf("%+v", notes)
	}
}

// TestRenewerBehindOthers: the program that renews at a port of its own is reached through
// port 80 alone: where the front has it not, that is a warning.
func TestRenewerBehindOthers(t *testing.T) {
	certbot := Renewer{Name: "certbot", Timer: "certbot.timer", Standalone: true, Port: 8888}
	for name, c := range map[string]struct {
		listeners []Listener
		redirect  string
		url, do   string
	}{
		"the front has it":   {nil, Auto, "https://git.example.com", ""},
		"nginx has it":       {[]Listener{{Address: "0.0.0.0:80", PID: 7, Process: "nginx"}}, Auto, "https://git.example.com", "have it pass http://git.example.com/.well-known/acme-challenge/ on to 127.0.0.1:8888"},
		"an unusual port":    {nil, Auto, "https://git.example.com:8443", "--http-redirect always"},
		"an unusual one, on": {nil, Always, "https://git.example.com:8443", ""},
	} {
		b, _ := renewing(t, certbot, c.redirect)
		u, err := publicurl.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		b.a.URL, b.f.Listeners, b.plan.Notes = u, c.listeners, nil
		b.renewalNotes()
		var do []string
		for _, n := range b.plan.Notes {
			if n.Level == problem.Warn {
				do = append(do, n.Do)
			}
		}
		if got := strings.Join(do, "\n"); !strings.HasPrefix(got, c.do) || (got == "") != (c.do == "") {
			t.Errorf("%s: %q", name, got)
		}
	}
}
