package setup

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"bitgate/haproxy"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/proxy/config"
	"bitgate/tomcat"
)

func (b *builder) note(id string, notes []string) {
	for _, n := range notes {
		b.plan.Notes = append(b.plan.Notes, problem.Finding{ID: id, Level: problem.Note, Found: n})
	}
}

func (b *builder) warn(id, found, why, do string) {
	b.plan.Notes = append(b.plan.Notes, problem.Warning(id, found, why, do))
}

// inputs records what the plan was made from; apply refuses a stale plan.
func (b *builder) inputs() {
	in := b.plan.Inputs
	add := func(path, digest string) {
		if path != "" {
			in[path] = digest
		}
	}
	if b.f.Layout.UsesProperties() {
		add(b.f.Properties.Path, b.f.Properties.DigestOrAbsent())
	} else {
		add(b.f.ServerXML.Path, b.f.ServerXML.DigestOrAbsent())
	}
	if !b.a.Skips(StepHAProxy) {
		switch b.a.Front {
		case FrontHAProxy:
			for _, f := range b.f.HAProxyFiles {
				add(f.Path, f.DigestOrAbsent())
			}
			in["haproxy-version"] = b.f.HAProxy.Version.Text
		case FrontTomcat:
			add(b.f.KeyStore.Path, b.f.KeyStore.Digest)
		default:
			add(b.f.ProxyConfig.Path, b.f.ProxyConfig.DigestOrAbsent())
		}
		for path, digest := range b.f.Certificate.Sources {
			add(path, digest)
		}
	}
	in["bitbucket-version"] = b.a.Version
	in["bitbucket-state"] = string(b.f.Instance.State)
	for _, n := range b.f.Nodes {
		in["node-state "+n.Name] = string(n.State)
	}
	if b.f.Instance.BaseURL.Set {
		in["base-url"] = b.f.Instance.BaseURL.Value
	}
	for _, l := range b.a.Listen {
		in["listen "+l] = "free"
		if h, held := Holder(b.f.Listeners, l); held {
			in["listen "+l] = h.Process
		}
	}
}

// considerations are the page's "important considerations" as they apply here.
func (b *builder) considerations() {
	for _, f := range b.standing() {
		if f.ID != tomcat.OwnTLS || !b.besideTLS() && b.a.Front != FrontTomcat && !(b.f.OwnStore.Path != "" && b.goingStore(b.f.OwnStore.Path)) {
			b.plan.Notes = append(b.plan.Notes, f)
		}
	}
	b.plan.Notes = append(b.plan.Notes, b.f.Certificate.Findings...)
	if b.a.CertSource == SourceRequest && strings.Contains(b.f.Certificate.Subject, "placeholder") {
		b.plan.Pending = append(b.plan.Pending, "send the certificate request to your authority, then: bitgate cert import FILE..., bitgate cert deploy")
	}
	b.note("bitbucket", b.f.Bitbucket.Notes)
	if doubt := b.f.Bitbucket.Doubt; doubt != "" {
		b.warn("bitbucket", doubt, "no file of root's names this home, and any user can start such a program",
			"where it is right, say so: --home "+b.f.Bitbucket.Home)
	}
	for _, n := range b.f.DeadFiles {
		b.warn("dead-file", n+" has no effect on this version", "Bitbucket 5.0 and later read bitbucket.properties only",
			"leave it or move it away; bitgate does not edit it")
	}
	if !b.f.ScriptsCfg.Absent && b.f.ScriptsCfg.Path != "" {
		found := tomcat.CheckScriptsCfg(b.f.ScriptsCfg.Path, b.f.ScriptsCfg.Data, UpstreamPort(b.a.Upstream), b.a.URL.TomcatPath())
		b.plan.Notes = append(b.plan.Notes, found...)
	}
	b.renewalNotes()
	if b.a.Front == FrontHAProxy && !b.a.Skips(StepHAProxy) {
		b.plan.Notes = append(b.plan.Notes, b.f.HAProxyConfig.ACMENotes()...)
	}
	b.managedNotes()
	b.pathNote()
	b.hostNote()
	b.redirectNote()
	b.nodeNotes()
	if links := b.f.Instance.AppLinks; len(links) > 0 {
		b.warn("application-links", "application links: "+links.String(),
			"the other applications keep the address that they were linked with", "afterwards "+links.Cures(b.a.URL.BaseURL()))
	}
	if b.f.Bitbucket.UID == 0 {
		b.warn("root", b.f.Bitbucket.Home+" belongs to root", "Bitbucket must not run as a privileged user", "run it as a user of its own (atlbitbucket)")
	}
	b.sshNotes()
	b.tomcatNotes()
	if !b.a.LocalOnly && !b.f.Closed() && !b.a.Skips(StepConnector) && len(b.a.Nodes) == 0 && b.a.Front != FrontTomcat {
		b.note(StepConnector, []string{"Bitbucket's own port stays open to other machines, and logins can cross the network there in clear text; --local-only closes it"})
	}
}

// standing are the findings about the machine that the plan's own edits do not settle.
func (b *builder) standing() []problem.Finding {
	type finding struct{ file, found string }
	settled := map[finding]bool{} // of a hostile file there are many
	for _, f := range b.judged(b.f.Properties.Data, b.f.serverXML) {
		settled[finding{f.File, f.Found}] = true
	}
	if len(settled) == 0 {
		return b.f.Findings
	}
	for _, f := range b.judged(b.current(b.f.Properties), b.serverXML) {
		delete(settled, finding{f.File, f.Found})
	}
	return slices.DeleteFunc(slices.Clone(b.f.Findings), func(f problem.Finding) bool { return settled[finding{f.File, f.Found}] })
}

// judged is what contradicts itself in the connector's file.
func (b *builder) judged(properties []byte, xml func() (*tomcat.ServerXML, error)) []problem.Finding {
	if b.f.Layout.UsesProperties() {
		if p, err := tomcat.ParseProperties(b.f.Properties.Path, properties); err == nil {
			return tomcat.CheckProperties(p)
		}
		return nil
	}
	port, _ := strconv.Atoi(b.f.Port.Value) // 0 where it is not certain
	if x, err := xml(); err == nil && port > 0 {
		return tomcat.CheckServerXML(x, port)
	}
	return nil
}

// hostNote says what a changed public host name breaks: our front serves one.
func (b *builder) hostNote() {
	old, err := publicurl.Parse(b.f.Instance.BaseURL.Value)
	if err != nil || old.Host() == b.a.URL.Host() || b.a.Skips(StepHAProxy) {
		return
	}
	ours := slices.ContainsFunc(b.f.HAProxyConfig.Binds(), func(bind haproxy.Bind) bool { return bind.Ours })
	if c, err := config.Parse(b.f.ProxyConfig.Path, b.f.ProxyConfig.Data); err == nil {
		ours = ours || c.URL.Host() == old.Host()
	}
	if !ours {
		return // somebody else serves the old name, and goes on
	}
	sent := slices.ContainsFunc(b.a.RedirectHosts, func(h string) bool { return strings.EqualFold(h, old.Host()) })
	held := CertificateFile{Names: b.f.Certificate.Names}.For(old.Host())
	note := problem.Warning("host", old.Origin()+" stops answering: the public host name changes from "+old.Host()+" to "+b.a.URL.Host(),
		"clone URLs, webhooks, bookmarks and CI jobs under the old name break",
		"change them first, or keep something that redirects the old name, with a certificate for it")
	switch {
	case sent && held:
		note.Level = problem.Note
		note.Found = "the public host name changes from " + old.Host() + " to " + b.a.URL.Host() + ", and requests for the old one are sent on"
		note.Why, note.Do = "", ""
	case sent:
		note.Found = "requests for " + old.Host() + " are to be sent on, and the certificate does not name it"
		note.Why = "clients refuse the certificate before they see where they are sent"
		note.Do = "have a certificate issued that names both, " + b.a.URL.Host() + " and " + old.Host()
	case b.a.Front == FrontTomcat:
	case held:
		note.Do = "send its requests on, for the certificate names it, too: --redirect-host " + old.Host()
	default:
		note.Do = "change them first, or have a certificate issued that names both, and send requests for the old name on: --redirect-host " + old.Host()
	}
	b.plan.Notes = append(b.plan.Notes, note)
}

// pathNote says what a changed context path breaks.
func (b *builder) pathNote() {
	old, now := b.f.ContextPath, b.a.URL
	if !old.Set || old.Value == now.TomcatPath() || b.a.Skips(StepContextPath) {
		return
	}
	was := cmp.Or(old.Value, "/")
	do := "change them, or give --redirect-old-path " + was + " to redirect what can be redirected"
	if b.a.Front == FrontTomcat {
		do = "change them: Bitbucket answers under one path only" // it takes no --redirect-old-path
	}
	if given, err := publicurl.ParsePath(b.a.RedirectOldPath); b.a.RedirectOldPath != "" && err == nil && given == old.Value {
		do = "fetches and pages are redirected by the front; change them when you can"
	}
	b.warn(StepContextPath, fmt.Sprintf("the context path changes from %s to %s", was, now.PropertyPath()),
		"clone URLs, webhooks and CI jobs under the old path break", do)
}
