package rehearsal

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

// most is how many requests for others are asked; more are sampled.
const most = 400

// pairs is how many pairs of host and path are asked of one listener.
const pairs = 2000

// mainHosts is how many hosts are asked what does not depend on the host.
const mainHosts = 3

// Others lists requests to everybody else, of what both configurations mention,
// and of how many they are a sample (the number of them where it is whole).
func Others(before, after *Stage, b Bitbucket, lists Lists) (requests []Request, of int) {
	m := before.find(lists)
	before.used = slices.ContainsFunc(m.hosts, b.named)
	more := after.find(lists)
	m.hosts, m.paths = append(m.hosts, more.hosts...), append(m.paths, more.paths...)
	m.methods, m.headers = append(m.methods, more.methods...), append(m.headers, more.headers...)
	m.sources, m.queries = append(m.sources, more.sources...), append(m.queries, more.queries...)
	m.clean()
	doors := slices.Clone(before.Doors)
	for _, d := range after.Doors { // who takes an address that nobody had does no harm there, but its neighbours are asked
		if !slices.ContainsFunc(doors, func(o Door) bool { return o.Address == d.Address }) {
			doors = append(doors, d)
		}
	}
	var all []Request
	for i, d := range doors {
		if slices.ContainsFunc(doors[:i], func(o Door) bool { return o.Address == d.Address && o.TLS == d.TLS }) || before.own(d.Address) && !after.foreignAt(d.Address) {
			continue // nobody else is there, and a former name of Bitbucket's is told of by the plan
		}
		all = append(all, m.ask(d, b)...)
	}
	all = slices.DeleteFunc(all, func(r Request) bool { return r.TLS && b.owns(r) })
	for i := range all {
		all[i].Source = cmp.Or(all[i].Source, source(Door{Address: all[i].Address}, i))
	}
	return Thin(all, most), len(all)
}

// Thin takes n, evenly spread, where there are more.
func Thin[T any](all []T, n int) []T {
	if len(all) <= n {
		return all
	}
	var out []T
	for i := range n {
		out = append(out, all[i*len(all)/n])
	}
	return out
}

// owns reports whether a request is Bitbucket's: its name and a path of its own.
func (b Bitbucket) owns(r Request) bool {
	if !b.named(r.Host) {
		return false
	}
	target, _, _ := strings.Cut(r.Target, "?")
	return b.context() == "" || under(target, b.context()) || b.OldPath != "" && (b.OldPath == "/" || under(target, b.OldPath))
}

func (b Bitbucket) named(host string) bool {
	host = strings.ToLower(host)
	return slices.ContainsFunc(append(b.Names, b.URL.Host()), func(name string) bool {
		name = strings.ToLower(name)
		return host == name || strings.HasPrefix(host, name+":")
	})
}

func under(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, strings.TrimSuffix(parent, "/")+"/")
}

// ask makes the requests to one listener.
func (m mentions) ask(d Door, b Bitbucket) []Request {
	name := b.URL.Host()
	hosts := slices.Concat(m.hosts, []string{"unknown.example.net", "x" + name, name + ".example.net", "192.0.2.1", name})
	slices.Sort(hosts)
	hosts = slices.Compact(hosts)
	paths := slices.Concat([]string{"/", "/unknown/page?x=1"}, m.paths, []string{strings.TrimSuffix(b.context(), "/") + "x/page"})
	if d.Mode != "http" && !d.TLS {
		return m.bytes(d, hosts, len(b.Doors([]Door{d})) > 0)
	}
	var out []Request
	add := func(r Request) {
		r.Address, r.PROXY = d.Address, d.PROXY
		r.Header = append([]Field{{"User-Agent", browser}, {"Accept", "*/*"}}, r.Header...)
		r.Method = cmp.Or(r.Method, "GET")
		r.Name = fmt.Sprintf("%s %s%s", r.Method, r.Host, r.Target)
		out = append(out, r)
	}
	secure := func(r Request) Request {
		if d.TLS {
			host, _, _ := strings.Cut(r.Host, ":")
			r.TLS, r.SNI, r.ALPN = true, sni(host), []string{"http/1.1"}
		}
		return r
	}
	for n := range min(len(hosts)*len(paths), pairs) {
		h, p := hosts[n%len(hosts)], paths[n/len(hosts)]
		if len(hosts)*len(paths) > pairs { // each host and each path, not each with each
			p = paths[n%len(paths)]
		}
		add(secure(Request{Host: h, Target: p, Common: !slices.Contains(m.paths, p)}))
	}
	for _, h := range slices.Concat(m.hosts[:min(len(m.hosts), mainHosts)], []string{"unknown.example.net"}) {
		for _, method := range append(m.methods, "POST") {
			add(secure(Request{Host: h, Target: "/", Method: method, Common: true}))
		}
		for _, f := range m.headers {
			add(secure(Request{Host: h, Target: "/", Common: true, Header: []Field{f}}))
		}
		for _, q := range m.queries {
			add(secure(Request{Host: h, Target: "/?" + q, Common: true}))
		}
		for _, s := range m.sources {
			if strings.Contains(s, ":") == strings.Contains(d.Address, "[") {
				add(secure(Request{Host: h, Target: "/", Common: true, Source: s}))
			}
		}
	}
	if d.TLS {
		r := secure(Request{Host: "unknown.example.net", Target: "/"})
		r.SNI = ""
		add(r)
		add(Request{Host: "unknown.example.net", Target: "/"}) // plain HTTP
		r = secure(Request{Host: "unknown.example.net", Target: "/"})
		r.ALPN = []string{"h2", "http/1.1"}
		add(r)
	}
	return out
}

// bytes asks a listener that forwards bytes: TLS for each name, plain HTTP, and
// nothing, for servers that speak first.
func (m mentions) bytes(d Door, hosts []string, tls bool) []Request {
	base := Request{Address: d.Address, PROXY: d.PROXY, Method: "GET", Target: "/", Common: true, Header: []Field{{"User-Agent", browser}}}
	var out []Request
	for _, h := range append(hosts, "") {
		r := base
		host, _, _ := strings.Cut(h, ":")
		r.TLS, r.SNI, r.Host, r.Name = true, sni(host), h, "TLS for "+cmp.Or(h, "no name")
		out = append(out, r)
	}
	plain, banner := base, base
	plain.Host, plain.Name = "unknown.example.net", "plain HTTP"
	banner.Banner, banner.Name = true, "a connection"
	if out = append(out, plain); tls {
		return out // no server of TLS speaks first, and who tells names apart waits for them
	}
	return append(out, banner)
}
