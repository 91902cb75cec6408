package haproxy

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/node"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/templates"
)

// assumed is the version rendered for where none is installed.
var assumed = Version{Major: 2, Minor: 6}

// Render returns our sections with their marker comments.
func Render(s Site) (string, error) {
	text, err := body(s, options{log: true, bindings: bindings{own: s.Listen, redirect: s.RedirectListen}})
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
	Port             int
	Context          string // "" for the root context
	RootTarget       string
	StatusPath       string
	OldPath, OldRule string
	Listen, Redirect []string
	Shared           bool   // a frontend of the administrator's leads here
	Loop             string // where our TLS frontend takes TLS that was passed through
	Bundle, TLS      string
	Cluster          bool     // several nodes stand for each other
	Cookie           string   // that binds a client to its node
	Servers          []server // Bitbucket's connectors
	MaxConn          int
	SSHListen        string
	SSHServers       []server
	Spoofable        []string
}

// spoofable are the headers by which a client could claim an address, a host or
// a path that Bitbucket, its plugins or a filter in front of them may believe.
var spoofable = []string{
	"X-Forwarded-For", "X-Forwarded-Server", "X-Forwarded-Prefix", "X-Forwarded-Ssl",
	"X-Forwarded-Scheme", "X-Real-IP", "X-Client-IP", "Forwarded", "X-Original-URL",
	"X-Rewrite-URL", "Proxy",
}

// spoofableTwins are written by those who know that servers read _ as -;
// from 2.6 on HAProxy drops all such names by itself.
var spoofableTwins = []string{
	"X_Forwarded_For", "X_Forwarded_Proto", "X_Forwarded_Port", "X_Forwarded_Host", "X_Real_IP",
}

// options are what depends on the rest of the configuration.
type options struct {
	complete bool     // with global and defaults
	own      bool     // a file of our own behind all others: with a defaults section of our own
	log      bool     // there is a global log target
	noTLS    bool     // global forbids versions one by one (no-sslv3)
	bindings bindings // how each wanted address is served
}

func body(s Site, o options) (string, error) {
	if s.Version == (Version{}) {
		s.Version = assumed
	}
	v, err := s.view(o)
	if err != nil {
		return "", err
	}
	return templates.HAProxy(v)
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
		Bundle: Quote(s.Bundle), TLS: tlsWords(s.Version, o.noTLS), MaxConn: s.MaxConn,
		Spoofable: spoofable,
	}
	if v.MaxConn <= 0 {
		v.MaxConn = 50 // Atlassian's page
	}
	if !s.Version.AtLeast(2, 6) {
		v.Spoofable = slices.Concat(spoofable, spoofableTwins)
	}
	v.hosts(u)
	v.oldPath(s)
	v.Listen = spellAll(o.bindings.own, s.Version)
	if o.bindings.loop != "" {
		v.Loop = o.bindings.loop
		v.Listen = append(v.Listen, v.Loop+" accept-proxy")
	}
	v.Shared = o.bindings.http()
	v.Redirect = spellAll(o.bindings.redirect, s.Version)
	v.Cluster, v.Cookie = len(s.Nodes) > 0, node.Cookie
	var err error
	if v.Servers, err = s.spellServers(s.upstreams()); err != nil {
		return view{}, err
	}
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
	var targets []string
	for _, scheme := range []string{"https://", "http://"} {
		for _, name := range names {
			targets = append(targets, scheme+name+"/")
		}
	}
	v.Targets = strings.Join(targets, " ")
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
	v.OldPath = "/"
	const rule = "http-request redirect code 302 "
	if old == "" {
		v.OldRule = rule + fmt.Sprintf("prefix %s if { method GET HEAD } !{ path %s } !{ path_beg %s/ }", v.BaseURL, v.Context, v.Context)
		return
	}
	v.OldPath = old
	under := fmt.Sprintf("{ method GET HEAD } { path %s } or { method GET HEAD } { path_beg %s/ }", old, old)
	if strings.HasPrefix(v.Context+"/", old+"/") { // /git -> /git/bitbucket
		under = fmt.Sprintf("{ method GET HEAD } { path %s } or { method GET HEAD } { path_beg %s/ } !{ path %s } !{ path_beg %s/ }", old, old, v.Context, v.Context)
	}
	if s.Version.AtLeast(1, 6) {
		v.OldRule = rule + fmt.Sprintf("location %s%%[capture.req.uri,bytes(%d)] if %s", v.BaseURL, len(old), under)
		return
	}
	v.OldRule = rule + fmt.Sprintf("location %s/ if %s # 1.5 cannot keep the rest of the path", v.BaseURL, under)
}

// Deny is the status a refused request is answered with; older versions know
// fewer of them, and 403 alone before 1.7.
func (v view) Deny(status int) string {
	if !v.AtLeast(1, 7) || status == 421 && !v.AtLeast(2, 0) {
		return ""
	}
	return " deny_status " + strconv.Itoa(status)
}

func spellAll(listen []string, v Version) []string {
	var parsed []endpoint
	for _, text := range listen {
		if e, err := parseListen(text); err == nil {
			parsed = append(parsed, e)
		}
	}
	var lines []string
	for _, e := range parsed {
		v4too := !slices.ContainsFunc(parsed, func(o endpoint) bool { return o.all4() && o.lo == e.lo })
		lines = append(lines, spellBind(e, v, v4too))
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
	return s.checkAddresses()
}

// checkAddresses: ours must neither overlap each other nor be an upstream.
func (s Site) checkAddresses() error {
	all := slices.Concat(s.Listen, s.RedirectListen)
	if s.SSHListen != "" {
		all = append(all, s.SSHListen)
	}
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
