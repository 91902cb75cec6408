package haproxy

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"bitgate/internal/fieldnames"
	"bitgate/internal/hostport"
	"bitgate/internal/node"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/templates"
)

// assumed is the version rendered for where none is installed.
var assumed = Version{Major: 2, Minor: 6}

// Render returns our sections with their marker comments.
func Render(s Site) (string, error) {
	text, err := body(s, options{log: true, heads: s.buffer() > 0, bindings: bindings{own: s.Listen, redirect: s.RedirectListen, acme: s.onlyChallenges()}})
	if err != nil {
		return "", err
	}
	return wrap(text, ""), nil
}

// view is what the template is filled with.
type view struct {
	Version
	Complete, Log    bool
	Own              bool
	Prefix           string
	BaseURL, Origin  string
	Authority, Hosts string
	Targets          string
	Origins          string
	Resolves         bool // a server's name is asked for again and again
	Port             int
	Context          string // "" for the root context
	RootTarget       string
	StatusPath       string
	OldPath          string
	OldRules         []string
	Listen, Redirect []string
	Challenge        string   // the rule that answers authorities (http-01), "" for none
	Renewer          string   // who else answers them, at times
	ChallengeListen  []string // where nothing else is answered
	Shared           bool     // a frontend of the administrator's leads here
	Joined           bool     // the rules are those for such requests
	Strangers        bool     // there are other sites: plain requests for their names are not ours
	Literal          string   // what finds an IPv6 address that is our name, in other spellings; "" for a name
	PlainHosts       string   // what our name may be in a plain request
	Front            bool     // we have a TLS frontend
	Loop             string   // where our TLS frontend takes TLS that was passed through
	Bytes            string   // where it takes what was decrypted
	H2               bool     // HTTP/2 is offered
	Widens           bool     // a global section of ours sets the window for it
	WideWindow       string
	Bundle, TLS      string
	Cluster          bool     // several nodes stand for each other
	Cookie           string   // that binds a client to its node
	Servers          []server // Bitbucket's connectors
	MaxConn          int
	SSHListen        string
	SSHServers       []server
	HopByHop         []string
	Claims           []string // what takes claims of a client away, behind del-header
	Down             string   // what is said while no server is up
	Retry            string   // Retry-After, in seconds

	// What package edge has settings for.
	TrustedPeers string   // networks of trusted proxies
	Introduced   bool     // they speak the PROXY protocol
	Clients      []string // rules that find the client behind them
	Guards       []string // rules about who may ask for what
	Headers      []string // of every answer, with value
	KeepAlive    string
	Aliases      string // names that are served as ours
	Former       string // names whose requests are sent on, without port
	Known        string // the same, of those that are the server's as far as anybody can tell
	Verify       string // words of a bind that asks for clients' certificates
	Page         string // file that browsers get while no server is up
	HealthListen string
	PlainListen  string
	Secure       string // words for servers that do TLS themselves
	Buffer       int    // tune.bufsize, 0 for the usual one
	Fields       int    // tune.http.maxhdr
	Heads        bool   // a global section of ours says so
}

// down is what the built-in proxy says too (proxy/rules.NoServer).
const (
	down       = "Bitbucket does not answer at the moment: it is starting, stopping or being maintained."
	retryAfter = "5"
)

// here is for the rules in our own frontend, there for those in our backend.
func (v view) here() view  { v.Joined = false; return v }
func (v view) there() view { v.Joined = true; return v }

// claims spells the table of names that a client must not send. Before 2.4
// nothing takes names away by their beginning, and 2.6 and newer drop all names
// with an underscore, which some servers read as a hyphen, by themselves.
func claims(v Version) []string {
	var out []string
	if !v.AtLeast(2, 4) {
		out = append(out, "X-Forwarded-For", "X-Forwarded-Server", "X-Forwarded-Prefix", "X-Forwarded-Ssl", "X-Forwarded-Scheme", "X-Forwarded-User",
			"X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token", "X-Forwarded-Client-Cert",
			"X-SSL-Client-Cert", "X-SSL-Client-CN", "X-SSL-Client-S-DN", "X-SSL-Client-Verify", "X-Client-Cert", "CF-Connecting-IP")
		out = append(out, fieldnames.Identity...)
		return append(out, "X_Forwarded_For", "X_Forwarded_Proto", "X_Forwarded_Port", "X_Forwarded_Host", "X_Real_IP")
	}
	for _, p := range fieldnames.Prefixes {
		out = append(out, strings.ToLower(p)+" -m beg")
	}
	for _, names := range [][]string{fieldnames.Addresses, fieldnames.Targets, fieldnames.Users} {
		out = append(out, "^("+strings.ToLower(strings.Join(names, "|"))+")$ -m reg")
	}
	if !v.AtLeast(2, 6) {
		out = append(out, "x_ -m beg")
	}
	return out
}

// probes are the lines that have the kernel ask a silent peer: from 2.4 after a
// minute, before that after the system's two hours.
func (v view) probes(side string) string {
	text := ".\n    option " + side + "tcpka"
	if v.AtLeast(2, 4) {
		text += fmt.Sprintf("\n    %[1]stcpka-idle 60s\n    %[1]stcpka-intvl 15s\n    %[1]stcpka-cnt 4", side)
	}
	return text
}

// options are what depends on the rest of the configuration.
type options struct {
	complete bool     // with global and defaults
	own      bool     // a file of our own behind all others: with a defaults section of our own
	log      bool     // there is a global log target
	noTLS    bool     // global forbids versions one by one (no-sslv3)
	bindings bindings // how each wanted address is served
	others   bool     // there are sections of the administrator's that take requests
	heads    bool     // a global section of ours makes room for large heads
	h2       http2
}

func body(s Site, o options) (string, error) {
	if s.Version == (Version{}) {
		s.Version = assumed
	}
	v, err := s.view(o)
	if err != nil {
		return "", err
	}
	return templates.HAProxy(v, map[string]any{"atLeast": v.AtLeast, "deny": v.deny, "probes": v.probes, "here": v.here, "there": v.there})
}

func (s Site) view(o options) (view, error) {
	u := s.URL
	if err := s.check(); err != nil {
		return view{}, err
	}
	v := view{
		Version: s.Version, Complete: o.complete, Own: o.own, Log: o.log, Prefix: prefix,
		BaseURL: u.BaseURL(), Origin: u.Origin(), Authority: u.Authority(), Port: u.Port(),
		Context: u.TomcatPath(), RootTarget: u.RedirectTarget(), StatusPath: u.StatusPath(),
		Bundle: Quote(s.Bundle), TLS: tlsWords(s.Version, o.noTLS, o.h2 != noHTTP2), MaxConn: s.MaxConn,
		HopByHop: fieldnames.HopByHop, Claims: claims(s.Version), Down: down, Retry: retryAfter,
		H2: o.h2 != noHTTP2, Widens: o.h2 == widens, WideWindow: wideWindow, Strangers: o.others, Heads: o.heads,
	}
	if v.MaxConn <= 0 {
		v.MaxConn = 50 // Atlassian's page
	}
	v.hosts(u)
	v.edgeRules(s)
	v.oldPath(s)
	if o.others { // whose names the certificate may hold, too
		v.Known = ""
	}
	v.Listen = spellAll(o.bindings.own, s.Version, o.bindings.only6...)
	if o.bindings.loop != "" {
		v.Loop = o.bindings.loop
		v.Listen = append(v.Listen, v.Loop+" accept-proxy")
	}
	v.Bytes = o.bindings.bytes
	v.Front = len(v.Listen) > 0 || v.Bytes != ""
	v.Shared = o.bindings.has(speaksHTTP)
	v.Redirect = spellAll(o.bindings.redirect, s.Version, o.bindings.only6...)
	v.Challenge, v.ChallengeListen = s.challengeRule(""), spellAll(o.bindings.acme, s.Version, o.bindings.only6...)
	v.Renewer = s.Renewer
	v.Cluster, v.Cookie = len(s.Nodes) > 0, node.Cookie
	var err error
	if v.Servers, err = s.spellServers(s.upstreams()); err != nil {
		return view{}, err
	}
	v.Resolves = strings.Contains(fmt.Sprint(v.Servers), " resolvers ")
	if s.SSHListen != "" {
		v.SSHListen = spellAll([]string{s.SSHListen}, s.Version)[0]
		v.SSHServers, err = s.spellServers(s.sshUpstreams())
	}
	return v, err
}

// hosts lists the names that requests may carry: the public one, with the port
// left out or written.
func (v *view) hosts(u publicurl.URL) {
	names := []string{u.Authority()}
	if u.Port() == 443 {
		names = append(names, u.Authority()+":443")
	}
	v.Hosts = strings.Join(names, " ")
	host := hostport.Bracket(u.Host())
	if host[0] != '[' { // the dot that ends a name (RFC 3986, 3.2.2)
		for _, name := range names {
			v.Aliases += " " + strings.Replace(name, host, host+".", 1)
		}
	} else {
		port := ":" + strconv.Itoa(u.Port())
		if u.Port() == 443 {
			port = "(" + port + ")?"
		}
		v.Literal = fmt.Sprintf(`req.fhdr(Host),'regsub("^[[]([0-9a-fA-F:.]+)[]]%s$","\1")' -m ip %s`, port, u.Host())
	}
	v.PlainHosts = host + " " + host + ":80"
	var targets []string
	for _, scheme := range []string{"https://", "http://"} {
		for _, name := range names {
			targets = append(targets, scheme+name+"/", scheme+name+"?")
			v.Origins += " " + scheme + name
		}
	}
	v.Targets, v.Origins = strings.Join(targets, " "), strings.TrimSpace(v.Origins)
}

// oldPath makes the rule that leads from the former context path to the new
// one. The target is absolute: what follows the old path is the client's, and
// "//evil.example" alone would lead there.
func (v *view) oldPath(s Site) {
	if s.OldPath == "" {
		return
	}
	old, err := publicurl.ParsePath(s.OldPath)
	if err != nil || old == v.Context {
		return
	}
	outside := fmt.Sprintf(" !{ path %s } !{ path_beg %s/ }", v.Context, v.Context)
	to, under := "prefix "+v.BaseURL, []string{outside}
	if v.OldPath = "/"; old != "" {
		v.OldPath = old
		under = []string{fmt.Sprintf(" { path %s }", old), fmt.Sprintf(" { path_beg %s/ }", old)}
		if strings.HasPrefix(v.Context+"/", old+"/") { // /git -> /git/bitbucket
			under[1] += outside
		}
		to = fmt.Sprintf("location %s%%[capture.req.uri,bytes(%d)]", v.BaseURL, len(old))
		if !s.Version.AtLeast(1, 6) {
			to = "location " + v.BaseURL + "/" // 1.5 cannot keep the rest of the path
		}
	}
	for _, m := range []struct{ code, methods string }{{"301", "{ method GET HEAD }"}, {"308", "!{ method GET HEAD }"}} {
		v.OldRules = append(v.OldRules, fmt.Sprintf("http-request redirect code %s %s if %s%s", m.code, to, m.methods, strings.Join(under, " or "+m.methods)))
	}
}

// deny is the status a refused request is answered with; older versions know
// fewer of them, and 403 alone before 1.7.
func (v view) deny(status int) string {
	if !v.AtLeast(1, 7) || status == 421 && !v.AtLeast(2, 0) {
		return ""
	}
	return " deny_status " + strconv.Itoa(status)
}

// spellAll spells addresses for bind lines; only6 are those that leave IPv4 to others.
func spellAll(listen []string, v Version, only6 ...string) []string {
	var lines []string
	for _, text := range listen {
		if e, err := parseListen(text); err == nil {
			lines = append(lines, spellBind(e, v, !slices.Contains(only6, text) && !e.besideIPv4(listen)))
		}
	}
	return lines
}

// check refuses sites that cannot be rendered.
func (s Site) check() error {
	usage := func(found, why, do string) error { return problem.New(found, why, do).WithKind(problem.Usage) }
	switch {
	case !s.Version.AtLeast(1, 5):
		return problem.New(fmt.Sprintf("HAProxy %d.%d is installed", s.Version.Major, s.Version.Minor),
			"TLS needs HAProxy 1.5 or newer", "install a newer HAProxy, or use the built-in proxy (--front builtin)")
	case s.URL.IsZero():
		return usage("the public URL is missing", "", "give it with --url")
	case len(s.Listen) == 0:
		return usage("no address to listen on was given", "", "give one with --listen")
	case !path.IsAbs(s.Bundle) || strings.ContainsAny(s.Bundle, "\n\r\x00"):
		return usage(fmt.Sprintf("%q is not an absolute path for the certificate bundle", s.Bundle), "HAProxy looks for relative ones below crt-base", "give the whole path")
	}
	if err := s.checkChallenges(); err != nil {
		return err
	}
	if err := s.checkEdge(); err != nil {
		return err
	}
	return s.checkAddresses()
}

// addresses are all that ours listen on.
func (s Site) addresses() []string {
	all := slices.Concat(s.Listen, s.RedirectListen, s.onlyChallenges(), []string{s.SSHListen, s.HealthListen, s.PlainListen})
	return slices.DeleteFunc(all, func(address string) bool { return address == "" })
}

// checkAddresses: ours must neither overlap each other nor be an upstream.
func (s Site) checkAddresses() error {
	all := s.addresses()
	var ends []endpoint
	for i, text := range all {
		e, err := parseListen(text)
		if err != nil {
			return err
		}
		for j, o := range ends {
			bothFamilies := e.all6() && o.all4() || e.all4() && o.all6() // said apart by v6only
			if e.overlaps(o) && !bothFamilies {
				return problem.New(fmt.Sprintf("%s and %s are the same port", all[j], all[i]), "only one of them can be served", "give another address").WithKind(problem.Usage)
			}
		}
		ends = append(ends, e)
	}
	upstreams := s.upstreams()
	if s.SSHListen != "" {
		upstreams = append(upstreams, s.sshUpstreams()...)
	}
	for _, n := range upstreams {
		text := n.Address
		up, err := parseUpstream(text)
		if err != nil {
			return err
		}
		for i, e := range ends {
			if loops(up, e) {
				return problem.New(fmt.Sprintf("%s is to be both listened on and forwarded to (%s)", all[i], text),
					"HAProxy would forward every connection to itself, or fail to bind", "move Bitbucket to another port or address, or listen on the public address only").WithKind(problem.Usage)
			}
		}
	}
	return nil
}

// Rendered reports whether a line is one that Render writes whatever the site is. Who
// looks for the cause of a failure knows by it what is none.
func Rendered(line string) bool { return renderedLines()[strings.TrimSpace(line)] }

var renderedLines = sync.OnceValue(func() map[string]bool {
	lines := map[string]bool{}
	for line := range strings.Lines(templates.HAProxyText()) {
		if line = strings.TrimSpace(line); line != "" && !strings.Contains(line, "{{") {
			lines[line] = true
		}
	}
	return lines
})
