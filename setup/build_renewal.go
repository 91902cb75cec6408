package setup

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"bitgate/haproxy"
	"bitgate/internal/problem"
	"bitgate/internal/service"
)

// renewalNotes tell of a certificate that another program renews: the front reads a
// copy, and port 80 may be what that program needs.
func (b *builder) renewalNotes() {
	by := b.f.Certificate.Renewer
	if by.Name == "" || b.a.Skips(StepHAProxy) || b.f.Certificate.InPlace != "" {
		return
	}
	switch {
	case b.a.Front == FrontTomcat:
		b.keyStoreNote()
		return
	case b.plan.hasRenewal() || b.f.Certificate.Hooked:
		b.renewerNote()
	default:
		b.copyNote()
	}
	if at := b.renewerAt(); at != "" {
		b.passedOnNote(at)
		return
	}
	if by.Standalone && b.a.HTTPRedirect == Auto && b.a.URL.Port() == 443 {
		b.plan.Notes = append(b.plan.Notes, problem.Finding{
			ID: "renewal", Level: problem.Note, Found: "port 80 is left to " + by.Name + ", which opens it itself at each renewal (standalone): nothing sends http://" + b.a.URL.Host() + " on to https",
			Why: "the renewal would fail while the front has that port", Do: "to have both, " + b.otherPort() + ", then bitgate apply again",
		})
	}
	if by.Standalone && len(b.redirectListen()) > 0 {
		b.warn("renewal", by.Name+" opens port 80 itself at each renewal (standalone), and the front takes that port",
			"the next renewal fails, and the certificate expires", b.otherPort()+", then bitgate apply again; or leave port 80 to it (--http-redirect never)")
	}
}

// passedOnNote warns where the front takes no port 80, so that what authorities ask does not
// come to the program that renews the certificate.
func (b *builder) passedOnNote(at string) {
	who := b.port80Holder()
	if len(b.redirectListen()) > 0 || b.a.Front == FrontHAProxy && strings.HasPrefix(who, `"`) { // a section, which leads them there
		return
	}
	found := b.f.Certificate.Renewer.Name + " answers authorities at " + at + ", and the front does not listen on port 80, where they ask"
	why, do := "the next renewal fails, and the certificate expires", "--http-redirect always has the front take port 80 and pass on what authorities ask"
	if who != "" {
		found += "; that port belongs to " + who
		why = "unless that passes on what authorities ask, " + why
		do = "have it pass http://" + b.a.URL.Host() + haproxy.ChallengePath + " on to " + at
	}
	b.warn("renewal", found, why, do)
}

// renewerPort is where a renewer can answer authorities behind a front that has port 80.
const renewerPort = 8888

// otherPort is how the program that renews comes to answer at a port of its own, to
// which the front passes on what authorities ask.
func (b *builder) otherPort() string {
	by := b.f.Certificate.Renewer
	switch by.Name {
	case "certbot":
		return fmt.Sprintf(`have it answer behind the front: sed -i '/^authenticator/a http01_port = %d\nhttp01_address = 127.0.0.1' %s`, renewerPort, problem.ShellWord(by.Conf))
	case "acme.sh":
		return fmt.Sprintf("have it answer behind the front: issue once more with --standalone --httpport %d", renewerPort)
	}
	return "have it prove the name by DNS"
}

// renewerNote says who renews and who has the front serve it; and where nothing was
// found that runs the renewer, that.
func (b *builder) renewerNote() {
	by := b.f.Certificate.Renewer
	f := problem.Finding{ID: "renewal", Level: problem.Note, Found: by.Name + " renews this certificate (" + cmp.Or(by.Timer, "nothing that runs it was found") + ")", Why: "bitgate installs what it has renewed and orders nothing itself"}
	if by.Option != "" {
		f.Do = "at once instead of within the hour: bitgate cert deploy (" + by.Option + ")"
	}
	if by.Timer == "" {
		f.Level, f.Why, f.Do = problem.Warn, "nobody renews the certificate unless somebody runs "+by.Name, "enable its timer"
		if by.Name == "certbot" {
			f.Do = "systemctl enable --now certbot.timer"
		}
	}
	b.plan.Notes = append(b.plan.Notes, f)
}

// deployHook plans the program that certbot runs after each renewal.
func (b *builder) deployHook(s *Step) {
	hook := b.f.Certificate.Hook
	if hook.Path == "" {
		return
	}
	b.f.Certificate.Hooked = true
	program := problem.ShellWord(b.f.ProgramPath) // which may be removed some day, and certbot tells of every hook that fails
	text := "#!/bin/sh\n# Written by bitgate: the front serves what certbot has just renewed.\n" +
		"test ! -x " + program + " || exec " + program + " cert deploy --state-dir " + problem.ShellWord(b.f.StateDir) + "\n"
	before := len(s.Changes)
	b.wholeIn(PhaseRenewal, s, hook, []byte(text))
	if len(s.Changes) > before && hook.Absent {
		s.Changes[before].File.Mode = 0o755
	}
}

// hasRenewal: the plan installs, or the machine has, what deploys renewed certificates.
func (p Plan) hasRenewal() bool {
	return p.Deployment != nil && p.Deployment.Timed
}

// keyStoreNote: a key store is made again by a run, which restarts Bitbucket, so that
// no hook may do it at any hour.
func (b *builder) keyStoreNote() {
	b.warn("renewal", b.f.Certificate.Renewer.Name+" renews this certificate, and Bitbucket reads a key store made from it, "+b.f.KeyStore.Path,
		"Bitbucket serves what is in there until it has expired", "run bitgate apply again after each renewal, when Bitbucket may be restarted")
}

// copyNote says what makes the front's copy again at each renewal.
func (b *builder) copyNote() {
	by, command := b.f.Certificate.Renewer, b.bundleAgain()
	do := "have it run at each renewal (" + by.Option + "): " + command
	if by.Hooks != "" {
		hook := filepath.Join(by.Hooks, "bitgate-"+b.a.URL.Host())
		do = `have certbot do that at each renewal; run once: printf '%s\n' '#!/bin/sh' '` + strings.ReplaceAll(command, "'", `'\''`) +
			"' | install -D -m 755 /dev/stdin " + problem.ShellWord(hook)
	}
	b.warn("renewal", by.Name+" renews this certificate, and the front reads a copy, "+Where(b.a, b.f.HAProxy).Bundle,
		"the front serves the copy until it has expired, unless the copy is made again", do)
}

// bundleAgain is the command that makes the front's copy of the certificate again,
// and has HAProxy read it. The built-in proxy looks by itself.
func (b *builder) bundleAgain() string {
	words := []string{problem.ShellWord(cmp.Or(b.f.RunsFrom(), "bitgate")), "cert", "bundle"}
	for _, f := range [][2]string{{"--pem", b.a.PEM}, {"--cert", b.a.Cert}, {"--key", b.a.Key}, {"--chain", b.a.Chain}} {
		if f[1] != "" {
			words = append(words, f[0], problem.ShellWord(f[1]))
		}
	}
	bundle := problem.ShellWord(Where(b.a, b.f.HAProxy).Bundle)
	command := strings.Join(append(words, "-o", bundle), " ")
	if b.a.Front != FrontHAProxy {
		return command
	}
	if group := b.f.FrontReader.Group; group != "" {
		command += " && chgrp " + problem.ShellWord(group) + " " + bundle + " && chmod 640 " + bundle
	}
	ctl := b.plan.Run.Front
	if ctl.How == service.Manual || ctl.How == service.Never {
		ctl = b.f.HAProxyCtl // a renewal waits for nobody
	}
	switch ctl.How {
	case service.Systemd:
		return command + " && systemctl reload " + problem.ShellWord(ctl.Name)
	case service.Init:
		return command + " && " + problem.ShellWord(ctl.Name) + " reload"
	case service.Command:
		return command + " && " + ctl.Command
	}
	return command + " && systemctl reload haproxy"
}
