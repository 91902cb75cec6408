package setup

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"bitgate/certs"
	"bitgate/internal/atomicfile"
	"bitgate/internal/hostport"
	"bitgate/internal/node"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/internal/service"
	"bitgate/internal/splice"
	"bitgate/proxy/config"
	"bitgate/templates"
)

// frontStep is step 4: HAProxy, or the built-in proxy that does the same job.
func (b *builder) frontStep(s Step) (Step, error) {
	if b.a.Front == FrontTomcat {
		err := b.keyStore(&s)
		if err == nil && len(s.Changes) == 0 {
			s.Skipped = "already as wanted"
		}
		return s, err
	}
	bundle, err := b.certificate(&s)
	if err != nil {
		return s, err
	}
	if b.a.Front == FrontHAProxy {
		err = b.haproxy(&s, bundle)
	} else {
		err = b.builtin(&s, bundle)
	}
	if err != nil {
		return s, err
	}
	b.deployment(bundle)
	if leaf := b.f.Certificate.Leaf; leaf != "" && s.certificateOnly() && (s.Changes[len(s.Changes)-1].Service != nil || b.proxyServes()) {
		b.plan.Served = &Served{Leaf: leaf, Host: b.a.URL.Host(), Addresses: b.plan.Deployment.Dial()}
	}
	b.reorder(&s)
	if err := b.renewalTimer(&s, bundle); err != nil {
		return s, err
	}
	if len(s.Changes) == 0 && s.Skipped == "" {
		s.Skipped = "already as wanted"
	}
	return s, nil
}

// certificate plans the PEM bundle and returns the path the front will read.
func (b *builder) certificate(s *Step) (string, error) {
	cert := b.f.Certificate
	if b.a.Orders() {
		if err := b.order(s); err != nil {
			return "", err
		}
		if !cert.Given {
			cert.Digest = Ordered
		}
	}
	if cert.Error != "" {
		return "", b.noCertificate()
	}
	if cert.InPlace != "" {
		return cert.InPlace, nil
	}
	path := Where(b.a, b.f.HAProxy).Bundle
	old := b.f.Bundle
	if !old.Absent && old.Mode&0o077 != 0 && (old.Mode&0o007 != 0 || b.f.FrontReader.Group == "") {
		do := "the run takes these rights away"
		if old.Digest == cert.Digest {
			do = "chmod 600 " + path
		}
		b.warn("bundle", fmt.Sprintf("%s can be read by others than its owner (mode %04o)", path, old.Mode),
			"it holds the private key", do+"; a key that others could read is better replaced")
	}
	if old.DigestOrAbsent() == cert.Digest {
		return path, nil
	}
	change := &CertificateChange{
		Path: path, Before: b.f.Bundle.DigestOrAbsent(), After: cert.Digest, Paths: CertPaths(b.a), Sources: cert.Sources,
	}
	change.PEM, change.Alias = change.PEM+cert.Store, cert.Alias
	if group := b.f.FrontReader.Group; b.a.Front == FrontHAProxy && group != "" {
		change.Mode, change.Group = 0o640, group // HAProxy is started as that user and reads it so
	}
	s.Changes = append(s.Changes, Change{Phase: PhaseFrontFiles, Certificate: change})
	return path, nil
}

func (b *builder) noCertificate() error {
	return problem.New("the certificate cannot be used: "+b.f.Certificate.Error, "without it the front cannot answer over TLS",
		cmp.Or(b.f.Certificate.Do, "give --pem, or --cert with --key and --chain"))
}

// usedPorts lists what programs other than HAProxy listen on.
func (b *builder) usedPorts() []int {
	var out []int
	for _, l := range b.f.Listeners {
		if at, err := netip.ParseAddrPort(l.Address); err == nil && l.Process != "haproxy" {
			out = append(out, int(at.Port()))
		}
	}
	return out
}

// builtin plans the proxy's configuration and, with systemd, its unit.
func (b *builder) builtin(s *Step, bundle string) error {
	old := b.a.RedirectOldPath
	if old != "" {
		old, _ = publicurl.ParsePath(old)
		if old == "" {
			old = "/"
		}
	}
	c := config.Config{
		URL: b.a.URL, Listen: b.a.Listen, RedirectListen: b.redirectListen(), Upstream: b.a.Upstream, PEM: bundle,
		MaxConn: b.a.MaxConn, SSHListen: b.a.SSHListen, SSHUpstream: b.a.SSHUpstream, OldPath: old,
		Thumbprint: b.thumbprint(), ChallengeFolder: b.challengeFolder(),
	}
	if len(c.RedirectListen) > 0 {
		c.Renewer = b.renewerAt()
	}
	if c.Thumbprint != "" && len(c.RedirectListen) == 0 {
		if err := b.challengePort(); err != nil {
			return err
		}
		c.RedirectListen, c.ChallengesOnly = RedirectAddresses(b.a), true
	}
	c = c.WithEdge(b.a.Settings)
	if nodes := b.a.NodeList(); len(nodes) > 0 {
		c.Upstream, c.Nodes, c.Cookie = "", nodes, node.Cookie
		c.HealthFast, c.HealthDown, c.SlowStart = time.Second, time.Second, 30*time.Second // as our haproxy.cfg has it
	}
	if b.f.Systemd {
		c.Handover = handoverSocket
	}
	if err := c.WithDefaults().Validate(); err != nil { // the proxy would not start
		return err
	}
	text, err := c.Marshal()
	if err != nil {
		return err
	}
	b.whole(s, b.f.ProxyConfig, text)
	if b.f.Systemd {
		for _, fault := range []*problem.Finding{b.f.UnitFault, b.f.ProgramFault, b.f.ConfigFault} {
			if fault != nil {
				return fault.Err()
			}
		}
		b.installProgram(s)
		if b.f.PackagedUnit.Path == "" {
			unit, err := templates.SystemdUnit(templates.Unit{Program: b.f.ProgramPath, Config: b.f.ProxyConfig.Path})
			if err != nil {
				return err
			}
			b.whole(s, b.f.ProxyUnit, []byte(unit))
		}
	}
	if s.certificateOnly() && b.proxyServes() {
		return nil // it looks for a changed certificate by itself
	}
	if how := b.proxyChange(c); len(s.Changes) > 0 || how.Verb == service.Start && b.f.PackagedUnit.Path != "" {
		b.serveFront(s, how)
	}
	return nil
}

// proxyChange is what makes the proxy serve with the files that were planned, of which
// c is one.
func (b *builder) proxyChange(c config.Config) ServiceChange {
	packaged, out := b.f.PackagedUnit, ServiceChange{Target: "proxy", Verb: service.Reload}
	switch {
	case !b.f.Systemd, packaged.Path != "" && !packaged.Enabled && !packaged.Running, packaged.Path == "" && b.f.ProxyUnit.Absent:
		out.Verb = service.Start
	case !b.handsOver(): // it runs already, with the old configuration
		out.Verb = service.Restart
	case b.moves(c):
		out.Verb, out.Moves = service.Restart, true
	}
	return out
}

// moves reports whether the proxy that runs listens on an address that overlaps one of
// c's and is another. Both cannot be bound at once, as a reload needs it.
func (b *builder) moves(c config.Config) bool {
	old, _ := config.Parse(b.f.ProxyConfig.Path, b.f.ProxyConfig.Data) // judged by handsOver
	for _, address := range c.Addresses() {
		want, err := hostport.Parse(address)
		if err != nil {
			continue // unix:/path
		}
		had := slices.Contains(old.Addresses(), address)
		for _, l := range b.f.Listeners {
			have, err := hostport.Parse(l.Address)
			if err == nil && l.Ours() && want.Overlaps(have) && !bindsTo(want, have, had) {
				return true
			}
		}
	}
	return false
}

// bindsTo reports whether who listens on want has the socket have. A name may be any
// address, and all addresses are IPv4's alone where there is no IPv6: where want was
// listened on before, it is taken for that.
func bindsTo(want, have hostport.Addr, before bool) bool {
	switch all := want.Wildcard() && want.Network() == "tcp"; {
	case all && have.Wildcard():
		return before || have.Network() == "tcp"
	case !all && !want.IP().IsValid():
		return before
	}
	return want.IP() == have.IP()
}

// proxyServes: the built-in proxy runs, with the configuration that it is to have.
func (b *builder) proxyServes() bool {
	if b.a.Front != FrontBuiltin {
		return false
	}
	for _, l := range b.a.Listen {
		if h, held := Holder(b.f.Listeners, l); !held || !h.Ours() {
			return false
		}
	}
	return len(b.a.Listen) > 0
}

// handoverSocket lies in the unit's RuntimeDirectory.
const handoverSocket = "/run/bitgate/handover.sock"

// handsOver: the proxy that runs gives its sockets to the next one, by the
// configuration that it was started with.
func (b *builder) handsOver() bool {
	old, err := config.Parse(b.f.ProxyConfig.Path, b.f.ProxyConfig.Data)
	return err == nil && !b.f.ProxyConfig.Absent && old.Handover == handoverSocket
}

// whole replaces the content of a file that is entirely ours.
func (b *builder) whole(s *Step, file atomicfile.File, text []byte) {
	b.wholeIn(PhaseFrontFiles, s, file, text)
}

func (b *builder) wholeIn(phase Phase, s *Step, file atomicfile.File, text []byte) {
	if string(file.Data) == string(text) && !file.Absent {
		return
	}
	now := b.current(file)
	if string(now) == string(text) {
		return
	}
	b.edit(s, phase, file, text, []splice.Splice{{Offset: 0, Old: string(now), New: string(text)}})
}

func (b *builder) serveFront(s *Step, how ServiceChange) {
	how.Control = b.plan.Run.Front
	if how.Control.How == service.Never {
		b.plan.Pending = append(b.plan.Pending, string(how.Verb)+" the front ("+how.Target+")")
		return
	}
	s.Changes = append(s.Changes, Change{Phase: PhaseFrontService, Service: &how})
}

func CertPaths(a Answers) certs.Paths {
	return certs.Paths{Cert: a.Cert, Key: a.Key, Chain: a.Chain, PEM: a.PEM, Alias: a.CertAlias}
}
