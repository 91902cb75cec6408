package setup

import (
	"path/filepath"
	"strings"

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
	case !b.f.Certificate.Hooked:
		b.copyNote()
	}
	if by.Standalone && len(b.redirectListen()) > 0 {
		b.plan.Notes = append(b.plan.Notes, problem.Finding{
			ID: "renewal", Level: problem.Warn, Found: by.Name + " opens port 80 itself at each renewal (standalone), and the front takes that port",
			Why: "the next renewal fails, and the certificate expires",
			Do:  "leave port 80 to it (--http-redirect never), or have it prove the name by DNS",
		})
	}
}

// keyStoreNote: a key store is made again by a run, which restarts Bitbucket, so that
// no hook may do it at any hour.
func (b *builder) keyStoreNote() {
	by := b.f.Certificate.Renewer
	b.plan.Notes = append(b.plan.Notes, problem.Finding{
		ID: "renewal", Level: problem.Warn, Found: by.Name + " renews this certificate, and Bitbucket reads a key store made from it, " + b.f.KeyStore.Path,
		Why: "Bitbucket serves what is in there until it has expired", Do: "run bitgate apply again after each renewal, when Bitbucket may be restarted",
	})
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
	bundle := Where(b.a, b.f.HAProxy).Bundle
	b.plan.Notes = append(b.plan.Notes, problem.Finding{
		ID: "renewal", Level: problem.Warn, Found: by.Name + " renews this certificate, and the front reads a copy, " + bundle,
		Why: "the front serves the copy until it has expired, unless the copy is made again", Do: do,
	})
}

// bundleAgain is the command that makes the front's copy of the certificate again,
// and has HAProxy read it. The built-in proxy looks by itself.
func (b *builder) bundleAgain() string {
	words := []string{b.f.ProgramPath, "cert", "bundle"}
	if words[0] == "" {
		words[0] = "bitgate"
	}
	for _, f := range [][2]string{{"--pem", b.a.PEM}, {"--cert", b.a.Cert}, {"--key", b.a.Key}, {"--chain", b.a.Chain}} {
		if f[1] != "" {
			words = append(words, f[0], problem.ShellWord(f[1]))
		}
	}
	bundle := problem.ShellWord(Where(b.a, b.f.HAProxy).Bundle)
	words[0] = problem.ShellWord(words[0])
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
