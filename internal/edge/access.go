package edge

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Rule says who may ask for a path below the context path, and for what is below it:
// of an allow rule's path only its networks may, of a deny rule's path its networks
// may not. "/" is everything. Where rules of several paths hold, all of them must be
// met.
type Rule struct {
	Path    string // "/admin"
	Network netip.Prefix
}

// ParseRule reads PATH=NETWORK.
func ParseRule(text string) (Rule, error) {
	at := strings.LastIndexByte(text, '=')
	if at < 0 || !strings.HasPrefix(text, "/") {
		return Rule{}, fmt.Errorf("%q is not PATH=NETWORK, like /admin=10.0.0.0/8", text)
	}
	network, err := ParseNetwork(text[at+1:])
	if err != nil {
		return Rule{}, fmt.Errorf("%q: %w", text, err)
	}
	r := Rule{strings.TrimRight(text[:at], "/"), network}
	plain := !strings.ContainsFunc(r.Path, func(c rune) bool {
		return c != '/' && c != '-' && c != '_' && c != '.' && c != '~' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9')
	})
	if as, fine := Plain(r.Path); !plain || !fine || as != r.Path {
		return Rule{}, fmt.Errorf("%q: the path is not made of plain names such as /admin or /rest/api/1.0/admin", text)
	}
	return r, nil
}

// ValidRule judges PATH=NETWORK.
func ValidRule(text string) error {
	_, err := ParseRule(text)
	return err
}

// Guard is the rules of one path.
type Guard struct {
	Path     string // with the context path; "" is every path
	Networks Networks
}

// ReadRules gathers a list of rules by their paths, below a context path; what is no
// rule was refused before.
func ReadRules(context string, texts []string) []Guard {
	var out []Guard
	for _, text := range texts {
		r, err := ParseRule(text)
		if err != nil {
			continue
		}
		if r.Path != "" {
			r.Path = context + r.Path
		}
		n := 0
		for n < len(out) && out[n].Path != r.Path {
			n++
		}
		if n == len(out) {
			out = append(out, Guard{Path: r.Path})
		}
		out[n].Networks = append(out[n].Networks, r.Network)
	}
	return out
}

// Covers reports whether a plain path is the guard's or below it.
func (g Guard) Covers(plain string) bool {
	rest, ok := strings.CutPrefix(plain, g.Path)
	return ok && (g.Path == "" || rest == "" || rest[0] == '/')
}

// Plain is a request's path as Bitbucket comes to understand it, with many spellings
// of one path told as one: without parameters (;x), percent-decoded, with single
// slashes. It is false for what rules about paths cannot be applied to and no client
// sends: dots that lead upwards, escapes that are none.
//
// Parameters go before and after the decoding, for Tomcat takes away those that are
// written plainly and others the decoded ones.
func Plain(path string) (plain string, fine bool) {
	path, err := url.PathUnescape(withoutParameters(path))
	if err != nil || strings.ContainsAny(path, "\x00\\") {
		return "", false
	}
	path = withoutParameters(path)
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	for name := range strings.SplitSeq(path, "/") {
		if name == "." || name == ".." {
			return "", false
		}
	}
	return path, true
}

func withoutParameters(path string) string {
	if !strings.Contains(path, ";") {
		return path
	}
	names := strings.Split(path, "/")
	for i, name := range names {
		names[i], _, _ = strings.Cut(name, ";")
	}
	return strings.Join(names, "/")
}
