package haproxy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"bitgate/internal/edge"
	"bitgate/internal/problem"
)

// headMargin is what a buffer has beyond the largest head.
const headMargin = 2 << 10

// edgeRules fills in what package edge has settings for.
func (v *view) edgeRules(s Site) {
	v.TrustedPeers = edge.ReadNetworks(s.TrustedProxies).Words()
	v.Introduced = s.ProxyProtocol && v.TrustedPeers != ""
	v.KeepAlive = duration(cmp.Or(s.KeepAlive, 75*time.Second))
	if v.TrustedPeers != "" && v.AtLeast(2, 5) {
		v.Clients = clients(v.TrustedPeers)
	}
	v.Guards = guards(s, v.Version)
	for _, h := range edge.ReadHeaders(s.ResponseHeaders) {
		v.Headers = append(v.Headers, h.Name+" "+Quote(strings.ReplaceAll(h.Value, "%", "%%")))
	}
	if s.HSTS > 0 {
		v.Headers = append(v.Headers, fmt.Sprintf("Strict-Transport-Security max-age=%d", s.HSTS/time.Second))
	}
	if s.MaintenancePage != "" {
		v.Page = Quote(s.MaintenancePage)
	}
	if s.ClientCA != "" {
		v.Verify = " ca-file " + Quote(s.ClientCA) + " verify required"
		if !s.CertRequired() {
			v.Verify = " ca-file " + Quote(s.ClientCA) + " verify optional"
		}
	}
	v.Buffer, v.Fields = s.buffer(), edge.MostFields
	if s.TLS {
		ca, name := s.upstreamTLS()
		v.Secure = fmt.Sprintf(" ssl verify required ca-file %s verifyhost %[2]s sni str(%[2]s) check-sni %[2]s", ca, name)
	}
	if s.HealthListen != "" {
		v.HealthListen = spellAll([]string{s.HealthListen}, v.Version)[0]
	}
	if s.PlainListen != "" {
		v.PlainListen = spellAll([]string{s.PlainListen}, v.Version)[0]
	}
	for _, name := range s.RedirectHosts {
		v.Former += " " + name + " " + name + "."
		v.PlainHosts += " " + name + " " + name + ":80"
	}
	for _, name := range s.known() {
		v.Known += " " + name + " " + name + "."
	}
	for _, name := range s.ServeHosts {
		for _, spelled := range []string{name, name + "."} {
			v.Aliases += fmt.Sprintf(" %[1]s %[1]s:%[2]d", spelled, v.Port)
		}
		v.Targets += fmt.Sprintf(" https://%[1]s/ http://%[1]s/ https://%[1]s:%[2]d/ http://%[1]s:%[2]d/", name, v.Port)
		v.PlainHosts += " " + name + " " + name + ":80"
	}
}

// upstreamTLS is how the certificate of servers that do TLS themselves is judged.
func (s Site) upstreamTLS() (ca, name string) {
	ca = cmp.Or(Quote(s.UpstreamCA), "@system-ca")
	host := ""
	if e, err := parseUpstream(s.Upstream); err == nil && len(s.Nodes) == 0 && !e.addr.IsValid() {
		host = e.host
	}
	return ca, edge.TLSName(s.UpstreamName, host, s.URL.Host())
}

// buffer is the size that the largest head needs (tune.bufsize), 0 where the usual one
// will do.
func (s Site) buffer() int {
	most := cmp.Or(s.MaxHeader, edge.MostHeader)
	if most <= edge.UsualHead {
		return 0
	}
	return (most + headMargin + 1023) &^ 1023
}

// known are names of the certificate, and the short one, that lead to the public one
// although nobody said so.
func (s Site) known() []string {
	isAddress := func(name string) bool { _, err := netip.ParseAddr(name); return err == nil }
	names := slices.Clone(s.Names)
	if short := edge.ShortName(s.URL.Host()); short != "" {
		names = append(names, short)
	}
	var out []string
	for _, name := range names {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		other := func(h string) bool { return strings.EqualFold(h, name) }
		if edge.ValidHost(name) == nil && !isAddress(name) && !other(s.URL.Host()) && !slices.ContainsFunc(slices.Concat(s.RedirectHosts, s.ServeHosts, out), other) {
			out = append(out, name)
		}
	}
	return out
}

// hops is how many proxies that are trusted may stand behind each other.
const hops = 4

// clients are the rules that find the client behind trusted proxies: the last
// address of X-Forwarded-For that is not one of theirs. Each rule goes one address
// further while all so far were. What is no address ends the search, for whatever
// stands before it may be forged.
func clients(networks string) []string {
	const hop = "var(txn.bitgate_hop)"
	out := []string{"http-request set-var(txn.bitgate_hop) bool(true) if { src" + networks + " }"}
	for n := 1; n <= hops; n++ {
		// In brackets, with a port: as balancers write addresses.
		entry := fmt.Sprintf(`req.hdr(X-Forwarded-For,-%d),regsub(^[[],),regsub([]].*$,),'regsub("^([0-9.]+):[0-9]+$","\1")'`, n)
		out = append(out, fmt.Sprintf("http-request set-src %s if { %s -m bool }", entry, hop))
		if n < hops {
			out = append(out, fmt.Sprintf("http-request unset-var(txn.bitgate_hop) unless { %s -m ip%s }", entry, networks))
		}
	}
	return out
}

// guards are the rules about who may ask for what, over the path as Bitbucket comes
// to understand it (edge.Plain).
func guards(s Site, v Version) []string {
	allowed, denied := edge.ReadRules(s.URL.TomcatPath(), s.Allow), edge.ReadRules(s.URL.TomcatPath(), s.Deny)
	if len(allowed)+len(denied) == 0 {
		return nil
	}
	refuse := view{Version: v}
	const plain = "var(txn.bitgate_path)"
	out := []string{
		"http-request set-var(txn.bitgate_path) path,regsub(;[^/]*,,g),url_dec,regsub(;[^/]*,,g),regsub(/+,/,g)",
		`http-request deny` + refuse.deny(400) + ` if !{ ` + plain + ` -m found } or { ` + plain + ` -m reg '(^|/)\.\.?(/|$)|\\' }`,
	}
	rule := func(g edge.Guard, not string) {
		deny := "http-request deny" + refuse.deny(403) + " if "
		clients := not + "{ src" + g.Networks.Words() + " }"
		if g.Path == "" {
			out = append(out, deny+clients)
			return
		}
		for _, at := range []string{"-m str " + g.Path, "-m beg " + g.Path + "/"} {
			out = append(out, fmt.Sprintf("%s{ %s %s } %s", deny, plain, at, clients))
		}
	}
	for _, g := range allowed {
		rule(g, "!")
	}
	for _, g := range denied {
		rule(g, "")
	}
	return out
}

// duration in HAProxy's words.
func duration(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}

// checkEdge refuses settings that the version does not know.
func (s Site) checkEdge() error {
	tooOld := func(what, since, do string) error {
		return problem.New(fmt.Sprintf("%s needs HAProxy %s, and %d.%d is installed", what, since, s.Version.Major, s.Version.Minor),
			"older versions cannot do it safely", do)
	}
	switch v := s.Version; {
	case v == (Version{}):
	case len(s.TrustedProxies) > 0 && !s.ProxyProtocol && !v.AtLeast(2, 5):
		return tooOld("--trusted-proxy without --proxy-protocol", "2.5",
			"have the balancer speak the PROXY protocol (--proxy-protocol), or install a newer HAProxy: this one would take a connection's next request for the same client's")
	case s.ProxyProtocol && !v.AtLeast(1, 7):
		return tooOld("--proxy-protocol", "1.7", "install a newer HAProxy")
	case len(s.Allow)+len(s.Deny) > 0 && !v.AtLeast(2, 2):
		return tooOld("--allow and --deny", "2.2", "install a newer HAProxy")
	case (s.MaintenancePage != "" || s.HSTS > 0 || len(s.ResponseHeaders) > 0) && !v.AtLeast(2, 2):
		return tooOld("--maintenance-page, --hsts and --response-header", "2.2", "install a newer HAProxy")
	case s.ClientCA != "" && !v.AtLeast(2, 2):
		return tooOld("--client-ca", "2.2", "install a newer HAProxy")
	case s.TLS && !v.AtLeast(2, 2):
		return tooOld("--upstream https://", "2.2", "give Bitbucket a plain connector on the loopback address, or install a newer HAProxy")
	case s.TLS && s.UpstreamCA == "" && !v.AtLeast(2, 6):
		return tooOld("--upstream https:// without --upstream-ca", "2.6", "name the authorities of Bitbucket's certificate: --upstream-ca FILE")
	}
	if _, name := s.upstreamTLS(); s.TLS {
		if _, err := netip.ParseAddr(name); err == nil {
			return problem.New("HAProxy does not compare certificates with an address, and Bitbucket's is to be for "+name, "", "say what name it is for: --upstream-name NAME").WithKind(problem.Usage)
		}
	}
	for _, m := range s.Mistakes(s.URL.Host()) {
		return problem.New("--"+m.Key+": "+m.Text, "", "correct it").WithKind(problem.Usage)
	}
	return nil
}

// heads reports whether a global section of ours makes room for large heads: it holds
// for all sites of this HAProxy, and so is written where there are no others.
func (m *merger) heads() bool {
	_, size := m.setting("tune.bufsize")
	_, fields := m.setting("tune.http.maxhdr")
	return size == "" && fields == "" && m.site.buffer() > 0 && !m.otherSites()
}

// edgeNotes tell what of the settings others have to see to.
func (m *merger) edgeNotes(b bindings, complete bool) []string {
	s := m.site
	var out []string
	if _, set := m.setting("tune.bufsize"); s.MaxHeader > edge.UsualHead && !complete && set == "" && !m.heads() {
		out = append(out, fmt.Sprintf("heads of requests above %d KiB are refused here, and Bitbucket takes them: %q in the global section lets them pass", edge.UsualHead>>10, fmt.Sprintf("tune.bufsize %d", s.buffer())))
	}
	if len(b.shared) == 0 {
		return out
	}
	theirs := "the section that has the port is yours: "
	if s.ProxyProtocol {
		out = append(out, theirs+"whether its bind takes the PROXY protocol (accept-proxy) is said there")
	}
	if s.ClientCA != "" {
		out = append(out, theirs+"whether clients show certificates (verify, ca-file) is said there")
	}
	if len(s.RedirectHosts)+len(s.ServeHosts) > 0 {
		out = append(out, theirs+"it leads the public name alone to Bitbucket; what becomes of "+strings.Join(slices.Concat(s.RedirectHosts, s.ServeHosts), ", ")+" is said there")
	}
	if s.KeepAlive > 0 {
		out = append(out, theirs+"how long idle clients are kept (timeout http-keep-alive) is said there")
	}
	return out
}
