package setup

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"bitgate/haproxy"
	"bitgate/internal/atomicfile"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/proxy/config"
)

func (b *builder) haproxy(s *Step, bundle string) error {
	h := b.f.HAProxy
	switch {
	case h.Bin == "":
		return problem.New("HAProxy is not installed", "the front \"haproxy\" needs it",
			"install it (apt install haproxy), or choose --front builtin")
	case !h.Version.AtLeast(1, 5) || !h.OpenSSL:
		return problem.New("HAProxy "+h.Version.Text+" cannot terminate TLS",
			"HAProxy 1.5 or later, built with OpenSSL, is required for SSL support", "install a newer HAProxy, or choose --front builtin")
	}
	if err := b.sorted(); err != nil {
		return err
	}
	if err := b.challengePort(); err != nil {
		return err
	}
	merged, err := b.haproxyNow().Merge(b.site(bundle))
	if err != nil {
		return err
	}
	file, ok := b.haproxyFile(merged.Path)
	if !ok {
		return problem.New(merged.Path+" is not among HAProxy's files", "", "give --haproxy-cfg")
	}
	b.note(s.ID, merged.Notes)
	b.plan.Notes = append(b.plan.Notes, merged.Warnings...)
	b.edit(s, PhaseFrontFiles, file, merged.After, merged.Splices)
	for _, other := range merged.Also { // after the file with the backends that its rules name
		file, _ := b.haproxyFile(other.Path)
		b.edit(s, PhaseFrontFiles, file, other.After, other.Splices)
	}
	if len(merged.Splices)+len(merged.Also) > 0 {
		b.plan.Unjudged = merged.Unjudged
	}
	if len(s.Changes) > 0 {
		b.serveFront(s, ServiceChange{Target: "haproxy", Verb: service.Reload})
		b.swap(s)
	}
	return nil
}

// haproxyNow is the configuration as the changes so far leave it: what detection
// parsed, unless one of its files was edited.
func (b *builder) haproxyNow() haproxy.Config {
	edited := func(f atomicfile.File) bool { _, ok := b.edited[f.Path]; return ok }
	if !slices.ContainsFunc(b.f.HAProxyFiles, edited) {
		return b.f.HAProxyConfig
	}
	var set []haproxy.Source
	for _, f := range b.f.HAProxyFiles {
		set = append(set, haproxy.Source{Path: f.Path, Data: b.current(f)})
	}
	return haproxy.ParseSetFor(set, b.f.HAProxy.Service.Env)
}

// sorted refuses a file that is to be made among those that are loaded after it.
func (b *builder) sorted() error {
	all := b.f.HAProxyFiles
	for i, f := range all {
		if f.Path == filepath.Clean(b.a.HAProxyCfg) && f.Absent && i < len(all)-1 {
			return problem.New(f.Path+" would be loaded before "+all[i+1].Path,
				"what bitgate writes there begins with defaults of its own, which sections behind it would inherit",
				"name a file that sorts behind all others: --haproxy-cfg "+filepath.Join(filepath.Dir(f.Path), haproxy.OwnFile))
		}
	}
	return nil
}

// swap spares the reload where nothing but the certificate changes.
func (b *builder) swap(s *Step) {
	last := s.Changes[len(s.Changes)-1].Service
	if socket := b.swapSocket(); socket != "" && last != nil && s.certificateOnly() {
		last.Swap, last.SwapSocket = s.Changes[0].Certificate.Path, socket
	}
}

// certificateOnly: a certificate is written, and at most the front told of it.
func (s *Step) certificateOnly() bool {
	switch n := len(s.Changes); {
	case n == 1:
		return s.Changes[0].Certificate != nil
	case n == 2:
		return s.Changes[0].Certificate != nil && s.Changes[1].Service != nil
	}
	return false
}

func (b *builder) site(bundle string) haproxy.Site {
	u, secure := b.a.UpstreamAt()
	return haproxy.Site{
		Settings: b.a.Settings, Fixed: b.f.HostNames, NoResolver: b.f.NoResolver, URL: b.a.URL, Listen: b.a.Listen, RedirectListen: b.redirectListen(), Bundle: bundle, Names: b.f.Certificate.Names,
		Upstream: u, TLS: secure, Nodes: b.a.NodeList(), MaxConn: b.a.MaxConn, SSHListen: b.a.SSHListen, SSHUpstream: b.a.SSHUpstream,
		OldPath: b.a.RedirectOldPath, Version: b.f.HAProxy.Version, Used: b.usedPorts(), Adopt: b.a.HandMade == Adopt,
		Thumbprint: b.thumbprint(), Challenges: b.challenges(), Renewer: b.renewerAt(),
	}
}

// redirectListen decides about port 80: always, never, or where it is free.
func (b *builder) redirectListen() []string {
	switch {
	case b.a.HTTPRedirect == Never || b.a.HTTPRedirect == Auto && b.a.URL.Port() != 443:
		return nil
	case b.a.HTTPRedirect == Auto && b.f.Certificate.Renewer.Standalone && b.renewerAt() == "":
		return nil // free now, and opened at each renewal
	case b.a.HTTPRedirect == Always || b.port80Holder() == "":
		return RedirectAddresses(b.a)
	}
	return nil
}

// RenewerAt is where the program that renews the certificate answers authorities, which
// ask at port 80; "" where it has that port itself, or answers in another way.
func RenewerAt(f Facts, a Answers) string {
	by := f.Certificate.Renewer
	if !by.Standalone || by.Port == 0 || a.HTTPRedirect == Never {
		return ""
	}
	return hostport.Addr{Host: "127.0.0.1", Port: by.Port}.String()
}

func (b *builder) renewerAt() string { return RenewerAt(b.f, b.a) }

// challenges are the addresses where an authority asks by http-01.
func (b *builder) challenges() []string {
	if b.thumbprint() == "" && b.renewerAt() == "" {
		return nil
	}
	return RedirectAddresses(b.a)
}

// RedirectAddresses are the front's addresses with port 80.
func RedirectAddresses(a Answers) []string {
	var out []string
	for _, l := range a.Listen {
		a, _ := hostport.Parse(l) // judged by validate
		a.Port = 80
		out = append(out, a.String())
	}
	return out
}

// port80Holder says who has port 80, "" where nobody but our front does.
func (b *builder) port80Holder() string {
	ours := false
	if b.a.Front == FrontHAProxy {
		for _, address := range RedirectAddresses(b.a) {
			for _, bind := range b.f.HAProxyConfig.Takers(address) {
				return fmt.Sprintf("%q (%s, line %d)", bind.Section, bind.File, bind.Line)
			}
		}
		ours = slices.ContainsFunc(b.f.HAProxyConfig.Binds(), func(bind haproxy.Bind) bool {
			return bind.Ours && strings.HasSuffix(bind.Address, ":80")
		})
	} else if c, err := config.Parse(b.f.ProxyConfig.Path, b.f.ProxyConfig.Data); err == nil {
		ours = len(c.RedirectListen) > 0
	}
	h, held := Holder(b.f.Listeners, ":80")
	if ours || !held {
		return ""
	}
	return fmt.Sprintf("%s (process %d, %s)", h.Program(), h.PID, h.Address)
}

// redirectNote warns where nothing sends plain HTTP on, because others have its port.
func (b *builder) redirectNote() {
	if b.a.Skips(StepHAProxy) || b.a.Front == FrontTomcat || b.a.HTTPRedirect != Auto || b.a.URL.Port() != 443 {
		return
	}
	who := b.port80Holder()
	if who == "" {
		return
	}
	for _, address := range RedirectAddresses(b.a) {
		if b.a.Front == FrontHAProxy && b.f.HAProxyConfig.SendsOn(b.a.URL, address) != "" {
			return
		}
	}
	do := "send that host name on there by hand"
	if b.a.Front == FrontHAProxy && strings.HasPrefix(who, `"`) {
		do = "--http-redirect always adds a redirect for this host name alone to that section"
	}
	b.warn("http-redirect", "port 80 belongs to "+who+": nothing sends http://"+b.a.URL.Host()+" on to https",
		"people who type the name without https reach something else, or nothing", do)
}

func (b *builder) haproxyFile(path string) (atomicfile.File, bool) {
	for _, f := range b.f.HAProxyFiles {
		if f.Path == path {
			return f, true
		}
	}
	return atomicfile.File{}, false
}
