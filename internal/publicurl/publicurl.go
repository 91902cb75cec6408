// Package publicurl is the single owner of the public URL: the address under
// which people reach Bitbucket through the front. Every file, form and check
// takes its spelling from here, so that no two of them can disagree.
package publicurl

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"bitgate/internal/hostport"
)

// URL is a parsed public URL. The zero value is "not given". Comparable.
type URL struct {
	host string // lower case, punycode, IPv6 without brackets
	port int    // 1..65535
	path string // "" for the root context, else "/bitbucket"

	authority, portText string // of the above, asked for with every request
}

// Parse reads a public URL: https, a host, an optional port and a context
// path; no user info, query or fragment. International names become punycode
// (RFC 5891), a trailing dot or slash is dropped, port 443 is implied.
func Parse(text string) (URL, error) {
	text = strings.TrimSpace(text)
	if strings.Contains(text, "@") { // stands in no host and no path of ours; what is before it may be a password
		return URL{}, errors.New("the public URL must not contain a user name or password")
	}
	u, err := url.Parse(text)
	if err != nil {
		return URL{}, fmt.Errorf("%q is not a URL", text)
	}
	switch {
	case u.Scheme != "https":
		return URL{}, fmt.Errorf("%q: the public URL must start with https://", text)
	case u.RawQuery != "" || u.ForceQuery:
		return URL{}, fmt.Errorf("%q: the public URL must not contain a query (?)", text)
	case u.Fragment != "" || strings.Contains(text, "#"):
		return URL{}, fmt.Errorf("%q: the public URL must not contain a fragment (#)", text)
	}
	host, err := parseHost(u.Hostname())
	if err != nil {
		return URL{}, fmt.Errorf("%q: %w", text, err)
	}
	port := 443
	if p := u.Port(); p != "" {
		port, err = strconv.Atoi(p)
		if err != nil || port < 1 || port > 65535 {
			return URL{}, fmt.Errorf("%q: port %s is not between 1 and 65535", text, p)
		}
	} else if strings.HasSuffix(u.Host, ":") {
		return URL{}, fmt.Errorf("%q: the port after the colon is missing", text)
	}
	path, err := ParsePath(u.EscapedPath())
	if err != nil {
		return URL{}, fmt.Errorf("%q: %w", text, err)
	}
	parsed := URL{host: host, port: port, path: path, authority: hostport.Bracket(host), portText: strconv.Itoa(port)}
	if port != 443 {
		parsed.authority += ":" + parsed.portText
	}
	return parsed, nil
}

func parseHost(h string) (string, error) {
	h = strings.TrimSuffix(h, ".")
	if h == "" {
		return "", fmt.Errorf("the host name is missing")
	}
	if ip, err := netip.ParseAddr(h); err == nil {
		if ip.Zone() != "" {
			return "", fmt.Errorf("an IPv6 zone (%%%s) has no meaning for other machines", ip.Zone())
		}
		return ip.String(), nil
	}
	ascii, err := idna.Lookup.ToASCII(h)
	if err != nil {
		return "", fmt.Errorf("%q is not a valid host name", h)
	}
	// Bytes that are no characters become a name that is none when it is read again.
	if again, err := idna.Lookup.ToASCII(ascii); err != nil || again != ascii {
		return "", fmt.Errorf("%q is not a valid host name", h)
	}
	if len(ascii) > 253 {
		return "", fmt.Errorf("the host name is longer than 253 characters")
	}
	for label := range strings.SplitSeq(ascii, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return "", fmt.Errorf("%q is not a valid host name", h)
		}
	}
	return ascii, nil
}

// ParsePath reads a context path in any of its spellings ("", "/",
// "/bitbucket", "bitbucket/") and returns "" or "/bitbucket".
func ParsePath(p string) (string, error) {
	p = strings.Trim(p, "/")
	if p == "" {
		return "", nil
	}
	for seg := range strings.SplitSeq(p, "/") {
		if seg == "" || seg == "." || seg == ".." {
			return "", fmt.Errorf("context path %q: empty, . and .. segments are not allowed", "/"+p)
		}
		for _, r := range seg {
			plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._~", r)
			if !plain {
				return "", fmt.Errorf("context path %q: use letters, digits, - . _ and ~ only", "/"+p)
			}
		}
	}
	return "/" + p, nil
}

// IsZero reports whether no URL was given.
func (u URL) IsZero() bool { return u.host == "" }

// Host is the name as certificates have it: punycode, an IPv6 address without
// brackets.
func (u URL) Host() string { return u.host }

// IsIP reports whether the host is an address rather than a name.
func (u URL) IsIP() bool { _, err := netip.ParseAddr(u.host); return err == nil }

// Port is the public port, 443 unless another was given.
func (u URL) Port() int { return u.port }

// ProxyName is Host as Tomcat's proxyName and server.proxy-name take it: Bitbucket
// puts it into its addresses as it is, so that an IPv6 address has its brackets.
func (u URL) ProxyName() string { return hostport.Bracket(u.host) }

// ProxyPort is Port as Tomcat's proxyPort and server.proxy-port take it.
func (u URL) ProxyPort() string { return u.portText }

// Authority is host or host:port with 443 left out: the Host header clients send.
func (u URL) Authority() string { return u.authority }

// HostPort is host:port with the port always there, for dialling.
func (u URL) HostPort() string { return hostport.Addr{Host: u.host, Port: u.port}.String() }

// Origin is scheme and authority without the context path.
func (u URL) Origin() string { return "https://" + u.Authority() }

// BaseURL is what Bitbucket's base URL must be: never a trailing slash.
func (u URL) BaseURL() string {
	if u.IsZero() {
		return ""
	}
	return u.Origin() + u.path
}

// TomcatPath is the path as server.xml wants it: "" for the root context,
// never "/" (Atlassian: "path="" (i.e not path="/")").
func (u URL) TomcatPath() string { return u.path }

// PropertyPath is the path as server.context-path wants it: "/" for the root.
func (u URL) PropertyPath() string { return cmp.Or(u.path, "/") }

// RedirectTarget is where the front sends a client that asks for "/".
func (u URL) RedirectTarget() string { return u.path + "/" }

// StatusPath is where Bitbucket answers health checks, without authentication.
func (u URL) StatusPath() string { return u.path + "/status" }

// WithPath returns the same host and port under another context path.
func (u URL) WithPath(p string) (URL, error) {
	path, err := ParsePath(p)
	u.path = path
	return u, err
}

func (u URL) String() string { return u.BaseURL() }

// MarshalText and UnmarshalText make the URL a plain string in YAML and JSON.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.BaseURL()), nil }

// UnmarshalText reads what MarshalText wrote; empty text is the zero URL.
func (u *URL) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*u = URL{}
		return nil
	}
	parsed, err := Parse(string(text))
	*u = parsed
	return err
}
