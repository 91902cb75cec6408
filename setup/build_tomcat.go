package setup

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"bitgate/bitbucket"
	"bitgate/haproxy"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/tomcat"
)

// Without a front Bitbucket's Tomcat terminates TLS itself ("Secure Bitbucket with
// Tomcat using SSL"): its main connector (from 5.0 on), or one more in server.xml,
// reads a key store. The plain connector stays for this machine alone: bitgate needs
// it for the base URL and to see how Bitbucket is, and nobody else reaches it.

// validateTomcat refuses what only a front can do.
func validateTomcat(a Answers) (bad []string) {
	if a.Front != FrontTomcat {
		return nil
	}
	add := func(when bool, what string) {
		if when {
			bad = append(bad, what)
		}
	}
	add(len(a.Nodes) > 0, "--node with --front tomcat: several nodes need something in front of them; use haproxy or builtin")
	add(a.SSHListen != "", "--ssh-listen with --front tomcat: nothing is there to pass SSH on; --no-ssh stops it, and Bitbucket takes it on its own port")
	add(a.RedirectOldPath != "", "--redirect-old-path with --front tomcat: Bitbucket answers under one path only; use haproxy or builtin")
	add(a.HTTPRedirect == Always, "--http-redirect always with --front tomcat: Bitbucket's plain connector is closed to other machines; use haproxy or builtin")
	add(a.Skips(StepConnector) || a.Skips(StepHAProxy), "--skip connector or haproxy with --front tomcat: both are the same file there")
	add(!reflect.ValueOf(a.Settings).IsZero(), "the answers about what stands around a front (from --trusted-proxy on in bitgate setup --help) with --front tomcat: there is none; use haproxy or builtin")
	for _, key := range frontOnly(a) {
		add(true, "--"+key+" with --front tomcat: only a front does that; use haproxy or builtin")
	}
	add(len(a.Listen) > 1, "--listen twice with --front tomcat: Bitbucket's connector has one address")
	return bad
}

// ownPort refuses a port for TLS that the plain connector has, which stays for this
// machine.
func (b *builder) ownPort() error {
	if b.a.Front != FrontTomcat {
		return nil
	}
	at, err := hostport.Parse(b.a.Listen[0])
	if err != nil || at.Port != UpstreamPort(b.a.Upstream) {
		return nil //nolint:nilerr // judged by validate
	}
	return problem.New(fmt.Sprintf("port %d is that of Bitbucket's plain connector", at.Port), "it stays for this machine, and two connectors cannot have one port",
		fmt.Sprintf("take another for TLS, such as --url https://%s:8443", hostport.Bracket(b.a.URL.Host()))).WithKind(problem.Usage)
}

// frontOnly are the keys of what was said of a front's behaviour.
func frontOnly(a Answers) []string {
	said := map[string]bool{
		"trusted-proxy": len(a.TrustedProxies) > 0, "proxy-protocol": a.ProxyProtocol, "keep-alive": a.KeepAlive != 0,
		"redirect-host": len(a.RedirectHosts) > 0, "serve-host": len(a.ServeHosts) > 0, "allow": len(a.Allow) > 0, "deny": len(a.Deny) > 0,
		"response-header": len(a.ResponseHeaders) > 0, "hsts": a.HSTS != 0, "max-header": a.MaxHeader != 0, "upstream-ca": a.UpstreamCA != "", "upstream-name": a.UpstreamName != "",
		"client-ca": a.ClientCA != "", "client-cert": a.ClientCert != "", "maintenance-page": a.MaintenancePage != "", "health-listen": a.HealthListen != "", "plain-listen": a.PlainListen != "",
	}
	maps.DeleteFunc(said, func(_ string, is bool) bool { return !is })
	return slices.Sorted(maps.Keys(said))
}

// ownTLSWanted is the connector that is to terminate TLS.
func (b *builder) ownTLSWanted(password string) tomcat.TLS {
	at, _ := hostport.Parse(b.a.Listen[0]) // judged by validate
	t := tomcat.TLS{
		Port: at.Port, KeyStore: b.f.KeyStore.Path, Password: password, Plain: UpstreamPort(b.a.Upstream),
		Keep: b.wantedConnector(), Nested: b.f.Tomcat >= 10,
	}
	if !at.Wildcard() {
		t.Address = at.Host
	}
	return t
}

// loopbackUpstream is where this machine reaches the plain connector afterwards.
func loopbackUpstream(upstream string) string {
	u, err := url.Parse(upstream)
	if err != nil {
		return upstream // judged by validate
	}
	if at, err := hostport.Parse(u.Host); upstream == "" || err == nil && (at.IP().IsLoopback() || at.Host == "localhost") {
		return upstream
	}
	return "http://" + hostport.Addr{Host: loopback, Port: UpstreamPort(upstream)}.String()
}

// ownConnector is the connector step without a front.
func (b *builder) ownConnector(s Step) (Step, error) {
	if b.f.Bitbucket.Container != nil {
		return s, problem.New("--front tomcat, and Bitbucket runs in a container", "its environment overrides its files, and a key store must lie in a volume of it",
			"choose --front haproxy or builtin")
	}
	if b.f.Layout.UsesProperties() {
		return b.ownProperties(s)
	}
	xml, err := b.serverXML()
	if err != nil {
		return s, err
	}
	want := b.ownTLSWanted(SecretMark)
	if store, password, ok := xml.KeyStore(want.Port); ok && store.Value == want.KeyStore && password != "" {
		want.Password = "" // it stays
	}
	r, err := xml.SetTLS(want)
	if err != nil {
		return s, err
	}
	return b.secret(b.tomcatResult(s, r)), nil
}

// ownProperties is it from 5.0 on. What something outside the file overrides cannot be
// had: half of these keys would be worse than none.
func (b *builder) ownProperties(s Step) (Step, error) {
	props, err := tomcat.ParseProperties(b.f.Properties.Path, b.current(b.f.Properties))
	if err != nil {
		return s, err
	}
	want := b.ownTLSWanted(SecretMark)
	if store, password, ok := props.KeyStore(); ok && store.Value == want.KeyStore && password != "" {
		want.Password = "" // it stays
	}
	set, gone, err := props.TLSProperties(want)
	if err != nil {
		return s, err
	}
	var beat []bitbucket.Override
	for _, p := range set {
		beat = append(beat, b.against(p)...)
	}
	for _, key := range gone {
		if o, ok := b.f.Bitbucket.Effective(key); ok {
			beat = append(beat, o)
		}
	}
	if len(beat) > 0 {
		o := beat[0]
		return s, problem.New(fmt.Sprintf("%s overrides %s, %s", o.Where, b.f.Properties.Path, o.Key),
			"TLS of Bitbucket's own needs all of its settings, and this one would not hold", "take it out there, then run bitgate again")
	}
	s, err = b.editProperties(s, props, set, gone)
	if err != nil {
		return s, err
	}
	return b.secret(s), nil
}

// secret marks the edit that holds SecretMark, whose result nobody knows before the
// run begins.
func (b *builder) secret(s Step) Step {
	for _, c := range s.Changes {
		for _, p := range c.File.Splices {
			if strings.Contains(p.New, SecretMark) {
				c.File.Secret, c.File.After = true, ""
			}
		}
	}
	return s
}

// keyStore is the front's step without a front: the certificate as a key store.
func (b *builder) keyStore(s *Step) error {
	if err := b.leaveHAProxy(s); err != nil {
		return err
	}
	cert, have := b.f.Certificate, b.f.KeyStore
	if cert.Error != "" {
		return b.noCertificate()
	}
	secret := slices.ContainsFunc(b.plan.Steps, func(s Step) bool {
		return slices.ContainsFunc(s.Changes, func(c Change) bool { return c.File != nil && c.File.Secret })
	})
	if (b.servesOldCertificate() || !have.Current || secret) && b.plan.Run.Bitbucket.How != service.Never {
		b.plan.Served = &Served{Leaf: cert.Leaf, Host: b.a.URL.Host(), Addresses: (Deployment{Listen: b.a.Listen}).Dial()}
	}
	if have.Current && !secret {
		return nil
	}
	config := b.f.Properties.Path
	if !b.f.Layout.UsesProperties() {
		config = b.f.ServerXML.Path
	}
	major, _, _ := strings.Cut(b.a.Version, ".")
	n, _ := strconv.Atoi(major) // an unknown one is old
	paths := CertPaths(b.a)
	paths.Alias = cert.Alias
	s.Changes = append(s.Changes, Change{Phase: PhaseUpstreamFiles, KeyStore: &KeyStoreChange{
		Path: have.Path, Before: have.Digest, Paths: paths, Sources: cert.Sources,
		Bundle: cert.Digest, Leaf: cert.Leaf, Config: config, Port: b.ownTLSWanted("").Port, Legacy: n < 8,
		UID: b.f.Bitbucket.UID, GID: b.f.Bitbucket.GID,
	}})
	return nil
}

// leaveHAProxy takes bitgate's sections out of HAProxy, and has it give up its ports
// before Bitbucket is restarted and takes them.
func (b *builder) leaveHAProxy(s *Step) error {
	var set []haproxy.Source
	edited := false
	for _, file := range b.f.HAProxyFiles {
		if file.Absent {
			continue
		}
		out, err := haproxy.Remove(haproxy.Source{Path: file.Path, Data: file.Data})
		if err != nil {
			return nil //nolint:nilerr // a file that nobody can read holds nothing of ours
		}
		set = append(set, haproxy.Source{Path: file.Path, Data: out.After})
		edited = b.edit(s, PhaseUpstreamFiles, file, out.After, out.Splices) != nil || edited
	}
	if !edited {
		return nil
	}
	verb := service.Reload
	if len(haproxy.ParseSet(set).Binds()) == 0 {
		verb = service.Stop // HAProxy neither runs without a listener nor checks such a file well
	} else {
		b.haproxySettings()
	}
	ctl := control(b.a.Reload, b.f.HAProxyCtl)
	switch {
	case ctl.How == service.Command && verb == service.Stop:
		return problem.New("HAProxy serves Bitbucket and nothing else, and a command reloads it", "without bitgate's sections it does not run, so that its old process would keep the port",
			"take bitgate's run back (bitgate undo) and stop HAProxy first")
	case ctl.How == "", ctl.How == service.Never, ctl.How == service.Manual:
		return problem.New("HAProxy serves Bitbucket, and it is not known how it is reloaded", "it must give up its port before Bitbucket can have it",
			"name the command with --reload, or take bitgate's run back first (bitgate undo)")
	}
	s.Changes = append(s.Changes, Change{Phase: PhaseRestart, Service: &ServiceChange{Target: "haproxy", Verb: verb, Control: ctl}})
	return nil
}

// servesOldCertificate: the key store is right, but the process has not read it yet.
func (b *builder) servesOldCertificate() bool {
	return b.a.Front == FrontTomcat && b.f.Served != "" && b.f.Certificate.Leaf != "" && b.f.Served != b.f.Certificate.Leaf
}

// tomcatNotes say what is lost against a front.
func (b *builder) tomcatNotes() {
	if b.a.Front != FrontTomcat {
		return
	}
	b.note(StepHAProxy, WithoutFront())
	if at, err := hostport.Parse(b.a.Listen[0]); err == nil && at.Port != b.a.URL.Port() {
		b.warn("listen", fmt.Sprintf("Bitbucket listens on port %d, and the public URL has port %d", at.Port, b.a.URL.Port()),
			"nobody reaches it under the public URL until something leads the one to the other",
			fmt.Sprintf("redirect it in the packet filter: nft add rule ip nat prerouting tcp dport %d redirect to :%d", b.a.URL.Port(), at.Port))
	}
}

// WithoutFront is what Bitbucket's own TLS cannot do and a front can.
func WithoutFront() []string {
	return []string{
		"without a front, a renewed certificate is served only after Bitbucket was restarted (bitgate apply plans it)",
		"without a front, Bitbucket cannot have a port below 1024, such as 443, unless its service is given CAP_NET_BIND_SERVICE",
		"without a front, nothing sends plain HTTP or a former path on, and SSH is not forwarded",
	}
}
