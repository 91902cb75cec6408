package setup

import (
	"cmp"
	"maps"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"bitgate/bitbucket"
	"bitgate/haproxy/live"
	"bitgate/internal/edge"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/internal/service"
)

// Paths are where the front's files lie. Detect needs them before there are facts
// that Resolve could work with: only which HAProxy there is.
type Paths struct {
	Front       string // FrontHAProxy or FrontBuiltin
	HAProxyCfg  string // the file that bitgate's sections go to
	ProxyConfig string // proxy.yaml of the built-in proxy
	Bundle      string // where the front reads its PEM bundle; "" without a URL
}

// Where answers from the input and HAProxy's installation.
func Where(input Answers, h live.Install) Paths {
	p := Paths{Front: input.Front, HAProxyCfg: input.HAProxyCfg, ProxyConfig: cmp.Or(input.ProxyConfig, "/etc/bitgate/proxy.yaml")}
	if p.Front == "" {
		p.Front = FrontHAProxy
		if h.Bin == "" {
			p.Front = FrontBuiltin
		}
	}
	if n := len(h.Files); n > 0 && p.HAProxyCfg == "" {
		p.HAProxyCfg = h.Files[n-1]
	}
	p.HAProxyCfg = cmp.Or(p.HAProxyCfg, "/etc/haproxy/haproxy.cfg")
	if !input.URL.IsZero() {
		p.Bundle = p.bundle(input.URL.Host())
	}
	return p
}

// bundle lies beside the front's own file; Tomcat has a key store instead.
func (p Paths) bundle(host string) string {
	if p.Front == FrontTomcat {
		return ""
	}
	dir := filepath.Dir(p.HAProxyCfg)
	if p.Front == FrontBuiltin {
		dir = filepath.Dir(p.ProxyConfig)
	}
	return filepath.Join(dir, "bitgate-"+FileName(host)+".pem")
}

// FileName makes a host usable as part of a file name (IPv6 has colons).
func FileName(host string) string { return strings.ReplaceAll(host, ":", "-") }

// Resolve fills what is not in the input from the facts and the defaults, and says
// where each value comes from. inputSources has the sources of the input.
func Resolve(f Facts, input Answers, inputSources Sources) (Answers, Sources) {
	r := resolver{a: input, src: Sources{}}
	maps.Copy(r.src, inputSources)
	r.bitbucket(f)
	r.front(f)
	r.policy(f)
	r.a.Upstream = strings.TrimRight(r.a.Upstream, "/")
	if r.a.oldPathIsNew() {
		r.a.RedirectOldPath = "" // as where the path was changed back
	}
	return r.a, r.src
}

// oldPathIsNew reports whether the former path that is to be redirected is that of the
// public URL, so that there is nothing to redirect.
func (a Answers) oldPathIsNew() bool {
	old, err := publicurl.ParsePath(a.RedirectOldPath)
	return a.RedirectOldPath != "" && err == nil && !a.URL.IsZero() && old == a.URL.TomcatPath()
}

type resolver struct {
	a   Answers
	src Sources
}

func (r *resolver) text(key string, field *string, value string, from Origin, why string) {
	if *field == "" && value != "" {
		*field = value
		r.src[key] = Source{from, why}
	}
}

func (r *resolver) bitbucket(f Facts) {
	b := f.Bitbucket
	r.text("home", &r.a.Home, b.Home, Detected, b.Why["Home"])
	r.text("install", &r.a.Install, b.Dir, Detected, b.Why["Dir"])
	r.text("bitbucket-version", &r.a.Version, b.Version, Detected, b.Why["Version"])
	if len(r.a.Nodes) > 0 {
		r.text("upstream", &r.a.Upstream, f.Instance.Upstream, Detected, "the node on this machine, else the first that answers")
	}
	if f.LacksPlain() && r.a.OwnTLS == TLSKeep {
		r.text("upstream", &r.a.Upstream, f.PlainUpstream(), Default, "a plain connector that Bitbucket is given for the front; the one with TLS stays")
	}
	if at := loopbackUpstream(f.Instance.Upstream); r.a.closesPort() && f.addressElsewhere() == "" && at != f.Instance.Upstream {
		r.text("upstream", &r.a.Upstream, at, Default, "where --local-only binds the connector")
	}
	if f.Port.Set && f.Instance.Upstream != "" {
		r.text("upstream", &r.a.Upstream, f.Instance.Upstream, Detected, f.Port.Why)
	}
	r.text("upstream", &r.a.Upstream, "http://127.0.0.1:"+DefaultPort, Default, "Bitbucket's own port unless it was changed")
	r.text("base-url-method", &r.a.BaseURLMethod, Auto, Default, "through Bitbucket itself")
	if now := f.ForwardsSSH(); now != "" && !r.a.NoSSH {
		r.text("ssh-listen", &r.a.SSHListen, now, Detected, "the front takes SSH there today")
	}
	if r.a.SSHListen != "" {
		if len(r.a.Nodes) > 0 {
			r.text("ssh-upstream", &r.a.SSHUpstream, ":"+DefaultSSHPort, Default, "Bitbucket's own SSH port at each node unless it was changed")
		}
		r.text("ssh-upstream", &r.a.SSHUpstream, "127.0.0.1:"+DefaultSSHPort, Default, "Bitbucket's own SSH port unless it was changed")
	}
}

func (r *resolver) front(f Facts) {
	where := Where(r.a, f.HAProxy)
	why := "HAProxy " + f.HAProxy.Version.Text + " is installed"
	if f.HAProxy.Bin == "" {
		why = "HAProxy is not installed"
	}
	r.text("front", &r.a.Front, where.Front, Detected, why)
	r.text("haproxy-bin", &r.a.HAProxyBin, f.HAProxy.Bin, Detected, f.HAProxy.Why["Bin"])
	if len(f.HAProxy.Files) > 0 {
		r.text("haproxy-cfg", &r.a.HAProxyCfg, where.HAProxyCfg, Detected, f.HAProxy.Why["Files"])
	}
	r.text("haproxy-cfg", &r.a.HAProxyCfg, where.HAProxyCfg, Default, "where the documented page has it")
	r.text("proxy-config", &r.a.ProxyConfig, where.ProxyConfig, Default, "the built-in proxy's own file")
	if len(r.a.Listen) == 0 && !r.a.URL.IsZero() {
		r.a.Listen = []string{":" + r.a.URL.ProxyPort()}
		r.src["listen"] = Source{Default, "the public URL's port on every address"}
	}
	if r.a.MaxConn == 0 {
		r.a.MaxConn = 50
		r.src["maxconn"] = Source{Default, "50 concurrent requests, as the documented page has it"}
	}
	if size, err := strconv.Atoi(f.HeadLimit.Value); err == nil && size > edge.UsualHead && r.a.MaxHeader == 0 && where.Front != FrontTomcat {
		r.a.MaxHeader = min(size, edge.MostHeader)
		r.src["max-header"] = Source{Detected, f.HeadLimit.Why}
	}
	if a := f.WithSource(r.a); a.Cert+a.PEM != r.a.Cert+r.a.PEM {
		why := f.OwnStore.Why
		if a.PEM != "" {
			why = "what cert import and cert request keep"
		}
		r.src["cert"], r.src["pem"] = Source{Detected, why}, Source{Detected, why}
		r.a = a
	}
	if r.a.CertSource == SourceBitbucket {
		r.text("own-tls", &r.a.OwnTLS, TLSOff, Default, "the front does TLS from now on")
	}
	if a, found := f.WithKey(r.a); found {
		r.src["key"] = Source{Detected, "it is the certificate's, by its public key"}
		if a.PEM != "" {
			r.src["pem"] = r.src["cert"]
			delete(r.src, "key")
		}
		r.a = a
	}
	r.text("http-redirect", &r.a.HTTPRedirect, Auto, Default, "only where port 80 is free")
}

func (r *resolver) policy(f Facts) {
	switch {
	case r.a.cluster():
		r.text("restart", &r.a.Restart, Manual, Default, "there are several nodes, and this machine can restart one of them")
	case f.NFS.Set:
		r.text("restart", &r.a.Restart, Manual, Default, f.NFS.Why+", so other nodes may read the same files")
	}
	r.text("restart", &r.a.Restart, Auto, Default, controlWhy(f.BitbucketCtl))
	reload := Auto
	if r.a.Restart == Never {
		reload = Never
	}
	r.text("reload", &r.a.Reload, reload, Default, controlWhy(f.HAProxyCtl))
	if r.a.RestartTimeout == 0 {
		r.a.RestartTimeout = 15 * time.Minute
		r.src["restart-timeout"] = Source{Default, "a large instance takes minutes to start"}
	}
	r.text("on-failure", &r.a.OnFailure, FailBack, Default, "take everything back")
}

func controlWhy(c service.Control) string {
	if c.How == "" {
		return "no service was found"
	}
	return c.String()
}

// Missing names the flags that must still be given, all at once. A door that
// can ask for the password ignores "admin-password-file".
func Missing(f Facts, a Answers) []string {
	var out []string
	need := func(missing bool, flag string) {
		if missing {
			out = append(out, flag)
		}
	}
	need(a.URL.IsZero(), "url")
	need((a.Home == "" || f.Bitbucket.Doubt != "") && a.EditsBitbucket(), "home")
	need(a.Version == "" && a.EditsBitbucket(), "bitbucket-version")
	// A source that was named and gives none says itself what is missing there.
	if named := a.Orders() || a.CertSource != "" && f.Certificate.Error != ""; !named && !a.Skips(StepHAProxy) {
		need(a.PEM == "" && a.Cert == "", "cert")
		need(a.PEM == "" && a.Key == "" && !f.Certificate.WithKey, "key")
	}
	if a.Orders() && !a.Skips(StepHAProxy) && f.Authority.Error == "" {
		bound := f.Authority.Bound && f.Authority.Account == ""
		need(!f.Agreed(a), "acme-terms "+problem.ShellWord(f.Authority.Terms))
		need(bound && a.ACMEBindingID == "", "acme-eab-id")
		need(bound && a.ACMEBindingFile == "", "acme-eab-file")
	}
	if NeedsLogin(f, a) {
		need(a.AdminUser == "", "admin-user")
		need(a.AdminPasswordFile == "", "admin-password-file")
	}
	need(a.Restart == Auto && f.BitbucketCtl.How == "" && a.EditsBitbucket(), "restart")
	need(a.Front == FrontHAProxy && a.Reload == Auto && f.HAProxyCtl.How == "" && !a.Skips(StepHAProxy), "reload")
	return out
}

// EditsBitbucket reports whether files of Bitbucket's are wanted: its front may be a run
// of its own on another machine.
func (a Answers) EditsBitbucket() bool {
	return !a.Skips(StepContextPath) || !a.Skips(StepConnector)
}

// NeedsLogin reports whether the base URL must be changed by an administrator's session.
func NeedsLogin(f Facts, a Answers) bool {
	if a.Skips(StepBaseURL) || a.BaseURLMethod == Manual || a.BaseURLMethod == MethodSkip || f.Instance.State == bitbucket.FirstRun {
		return false
	}
	if a.Restart == Never && f.Instance.State == bitbucket.Unreachable {
		return false // an image is being built: nobody is there to log in to
	}
	urlDone := f.Instance.BaseURL.Set && f.Instance.BaseURL.Value == a.URL.BaseURL()
	sshDone := a.SSHListen == "" || f.Instance.SSH.Set && f.Instance.SSH.Value == SSHBaseURL(a)
	return !urlDone || !sshDone
}

// SSHBaseURL is the public SSH address that follows from the answers, "" where the front
// takes no SSH: the context path never appears in it (Atlassian, "Setting up SSH port
// forwarding"), and port 22 is left out.
func SSHBaseURL(a Answers) string {
	if a.SSHListen == "" || a.Skips(StepSSH) {
		return ""
	}
	listen, _ := hostport.Parse(a.SSHListen) // judged by validate
	listen.Host = a.URL.Host()
	if listen.Port == 22 {
		return "ssh://" + hostport.Bracket(listen.Host)
	}
	return "ssh://" + listen.String()
}

// SuggestURL is the public URL to prefill, under the context path Bitbucket has
// now: what it is reached at over https today; else the name from the connector, from
// its base URL, or from the certificate.
func SuggestURL(f Facts) (publicurl.URL, string) {
	base, _ := url.Parse(f.Instance.BaseURL.Value)
	if base != nil && base.Scheme == "https" {
		if u, err := publicurl.Parse(f.Instance.BaseURL.Value); err == nil {
			return u, f.Instance.BaseURL.Why
		}
	}
	host, why := f.ProxyName.Value, f.ProxyName.Why
	if host == "" && base != nil && publicName(base.Hostname()) {
		host, why = base.Hostname(), "Bitbucket's base URL "+f.Instance.BaseURL.Value
	}
	if host == "" && len(f.Certificate.Names) > 0 && f.Certificate.Names[0][0] != '*' {
		host, why = f.Certificate.Names[0], "the certificate"
	}
	if host == "" {
		return publicurl.URL{}, ""
	}
	u, err := publicurl.Parse("https://" + hostport.Bracket(host) + f.ContextPath.Value)
	if err != nil {
		return publicurl.URL{}, ""
	}
	return u, why
}

// publicName reports whether other machines may know host by this name.
func publicName(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.Contains(host, ".") && (err != nil || !ip.IsLoopback())
}

// DefaultPort is the port of Bitbucket's own connector unless its files say
// otherwise (Atlassian: "by default, will listen on port 7990").
const DefaultPort = "7990"
