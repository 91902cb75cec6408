package rules

import (
	"net/netip"
	"slices"
	"strings"

	"bitgate/internal/edge"
	"bitgate/internal/publicurl"
	"bitgate/proxy/config"
	"bitgate/proxy/h1"
	"bitgate/proxy/record"
)

// Route is what happens to a request: an answer in the proxy's own name, or
// nil: it goes to a server.
func Route(c *config.Config, r *Request) *Answer {
	if answer, asked := c.KeyAuthorization(string(r.Method), r.Path); asked {
		return &Answer{Status: 200, Cause: record.Local, Plain: answer, Backend: record.Challenge}
	}
	context := c.URL.TomcatPath()
	switch {
	case redirected(c, r):
		return redirect(MovedStatus(string(r.Method)), c.URL.Origin()+string(r.Target))
	case statusPage(c.URL, r): // a balancer in front asks by address
	case r.Plain && !cameByTLS(r):
		return redirect(MovedStatus(string(r.Method)), c.URL.Origin()+string(r.Target))
	case !served(c, r.Host) && !nameless(r) || r.Authority != "" && !served(c, r.Authority):
		if known(c, r) {
			return redirect(MovedStatus(string(r.Method)), c.URL.Origin()+string(r.Target))
		}
		return Refuse(421, "This server answers only under its own name, "+c.URL.Authority()+".")
	case r.Path == "/" && context != "":
		return redirect(302, c.URL.Origin()+c.URL.RedirectTarget())
	}
	if now := fromOldPath(c, r.Path); now != "" {
		return redirect(MovedStatus(string(r.Method)), now+r.Query())
	}
	return forbidden(c, r)
}

// forbidden holds the request to the rules about who may ask for what.
func forbidden(c *config.Config, r *Request) *Answer {
	if len(c.Allowed)+len(c.Denied) == 0 {
		return nil
	}
	plain, fine := edge.Plain(r.Path)
	if !fine {
		return Refuse(400, "The path of the request is written in a way that nothing can be told about it.")
	}
	for _, g := range c.Allowed {
		if g.Covers(plain) && !g.Networks.Contain(r.Client) {
			return Refuse(403, "This may not be asked for from "+r.Client.String()+".")
		}
	}
	for _, g := range c.Denied {
		if g.Covers(plain) && g.Networks.Contain(r.Client) {
			return Refuse(403, "This may not be asked for from "+r.Client.String()+".")
		}
	}
	return nil
}

// served reports whether a Host header is the public authority or another name that
// is served as it.
func served(c *config.Config, host string) bool {
	if ourHost(c.URL, host) {
		return true
	}
	name, port, found := strings.Cut(host, ":")
	if len(c.Hosts) == 0 || found && port != c.URL.ProxyPort() {
		return false
	}
	return slices.ContainsFunc(c.Hosts, func(h string) bool { return strings.EqualFold(h, strings.TrimSuffix(name, ".")) })
}

// cameByTLS reports whether the proxy in front, which is trusted, says that its client
// came by HTTPS.
func cameByTLS(r *Request) bool {
	proto := ""
	for _, f := range r.Fields {
		if h1.Is(f.Name, "x-forwarded-proto") {
			proto = string(f.Value)
		}
	}
	return strings.EqualFold(strings.TrimSpace(proto[strings.LastIndexByte(proto, ',')+1:]), "https")
}

// nameless reports whether the request names no host, as HTTP/1.0 allows: a balancer's
// check ("OPTIONS / HTTP/1.0") or an old client.
func nameless(r *Request) bool { return r.Host == "" && r.Proto == "HTTP/1.0" }

// ToRoot is the answer to a request that names nothing but "/": a check of HTTP/0.9,
// which some balancers still make. It says where Bitbucket is, whoever asks.
func ToRoot(c *config.Config) *Answer { return redirect(302, c.URL.Origin()+c.URL.RedirectTarget()) }

func redirect(status int, location string) *Answer {
	return &Answer{Status: status, Cause: record.Local, Location: location}
}

// fromOldPath returns where a path under the former context path is now, "" if
// it is not under it.
func fromOldPath(c *config.Config, path string) string {
	if c.OldPath == "" {
		return ""
	}
	context := c.URL.TomcatPath()
	old, err := publicurl.ParsePath(c.OldPath)
	if err != nil || !under(path, old) || under(context, old) && under(path, context) {
		return ""
	}
	return c.URL.BaseURL() + strings.TrimPrefix(path, old)
}

// under reports whether path is context or below it.
func under(path, context string) bool {
	rest, ok := strings.CutPrefix(path, context)
	return ok && (rest == "" || rest[0] == '/')
}

// redirected reports whether the request asks for a former name of the server, and for
// nothing else.
func redirected(c *config.Config, r *Request) bool {
	if len(c.RedirectHosts) == 0 || !r.forOneHost() {
		return false
	}
	name := hostOf(r)
	return slices.ContainsFunc(c.RedirectHosts, func(host string) bool { return strings.EqualFold(host, name) })
}

// known reports whether the request asks for another name that is the server's as far
// as anybody can tell: a certificate of ours holds it, or it is short for the public
// one. Over HTTP/2 the connection must have been made for it: a browser takes one also
// for other names that its certificate holds, which may be other servers', and 421 has
// it make another one (RFC 9110, 15.5.20).
func known(c *config.Config, r *Request) bool {
	if !r.forOneHost() {
		return false
	}
	name, public := hostOf(r), c.URL.Host()
	if strings.EqualFold(name, public) || slices.ContainsFunc(c.Hosts, func(h string) bool { return strings.EqualFold(h, name) }) {
		return false // at a port that is not ours
	}
	if short := edge.ShortName(public); !(short != "" && strings.EqualFold(name, short)) && !(c.Certified != nil && c.Certified(name)) {
		return false
	}
	return r.Proto != "HTTP/2.0" || strings.EqualFold(strings.TrimSuffix(r.Server, "."), name)
}

// forOneHost reports whether the request names one host and a path there.
func (r *Request) forOneHost() bool {
	return r.Host != "" && (r.Authority == "" || r.Authority == r.Host) && len(r.Target) > 0 && r.Target[0] == '/'
}

// hostOf is the name in Host, without port and without the dot that may end it.
func hostOf(r *Request) string {
	name, _, _ := strings.Cut(r.Host, ":")
	return strings.TrimSuffix(name, ".")
}

// statusPage reports whether Bitbucket's state is asked for, which says nothing that
// depends on a name.
func statusPage(u publicurl.URL, r *Request) bool {
	return r.Path == u.StatusPath() && (string(r.Method) == "GET" || r.IsHEAD())
}

// ourHost compares a Host header with the public authority; a port of 443 may
// be written out, and so may the dot that ends a name (RFC 3986, 3.2.2).
func ourHost(u publicurl.URL, host string) bool {
	host = strings.ToLower(host)
	if strings.HasPrefix(host, "[") { // an address has many spellings
		if at, err := netip.ParseAddrPort(host); err == nil {
			host = at.String()
		} else if at, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
			host = "[" + at.String() + "]"
		}
	}
	if name, port, found := strings.Cut(host, ":"); !found {
		host = strings.TrimSuffix(host, ".")
	} else if !strings.Contains(port, ":") {
		host = strings.TrimSuffix(name, ".") + ":" + port
	}
	return host == u.Authority() || u.Port() == 443 && host == u.Authority()+":443"
}

// MovedStatus is a permanent redirect that keeps method and body where there
// is one: 301 lets clients turn a POST into a GET (RFC 9110, 15.4.2).
func MovedStatus(method string) int {
	if method == "GET" || method == "HEAD" {
		return 301
	}
	return 308
}
