package local

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/hostport"
	"bitgate/nginx"
)

// server is the block that answers for the name on the public port, as nginx chooses it
// (server_names): by the name itself, the longest wildcard before it, the longest behind
// it, the first expression; else the port's default. doubt names an expression before
// that choice which cannot be tried.
func (c nginxConfig) server() (best nginx.Directive, doubt string) {
	var chosen nameMatch
	for _, s := range nginx.All(c.http.Block, "server") {
		listens, byDefault := c.listens(s)
		if !listens {
			continue
		}
		m := nameMatch{rank: firstServer}
		if byDefault {
			m.rank = defaultServer
		}
		for _, names := range nginx.All(s.Block, "server_name") {
			for _, n := range names.Args {
				by, err := matchName(n, c.w.URL.ProxyName())
				if err != nil && doubt == "" && max(m.rank, chosen.rank) < byExpression {
					doubt = fmt.Sprintf("whether `%s` in %s is %s cannot be told", n, Place{names.File, names.Line}, c.w.URL.Host())
				}
				if by.better(m) {
					m = by
				}
			}
		}
		if m.better(chosen) {
			best, chosen = s, m
		}
	}
	if chosen.rank > byExpression {
		doubt = "" // expressions are tried last
	}
	if chosen.rank == noName {
		doubt = cmp.Or(doubt, fmt.Sprintf("no server for %s on port %d", c.w.URL.Host(), c.w.URL.Port()))
	}
	return best, doubt
}

// nameMatch is how well a server_name fits: by what, and of wildcards how long.
type nameMatch struct{ rank, length int }

const (
	noName = iota
	firstServer
	defaultServer
	byExpression
	byTail
	byHead
	byName
)

// better reports whether nginx prefers m; of two that are alike it takes the one before.
func (m nameMatch) better(o nameMatch) bool {
	return m.rank > o.rank || m.rank == o.rank && m.length > o.length
}

// matchName compares a server_name with a host in lower case. An error is an expression
// that only PCRE understands.
func matchName(name, host string) (nameMatch, error) {
	if pattern, ok := strings.CutPrefix(name, "~"); ok {
		re, err := regexp.Compile("(?i)" + pattern)
		if err == nil && re.MatchString(host) {
			return nameMatch{rank: byExpression}, nil
		}
		return nameMatch{}, err
	}
	name = strings.ToLower(name)
	before, dotted := strings.CutPrefix(name, "*")
	bare, both := strings.CutPrefix(name, ".")
	behind, open := strings.CutSuffix(name, "*")
	switch {
	case name == host, both && bare == host:
		return nameMatch{rank: byName}, nil
	case dotted && strings.HasPrefix(before, ".") && strings.HasSuffix(host, before):
		return nameMatch{byHead, len(before)}, nil
	case both && strings.HasSuffix(host, name):
		return nameMatch{byHead, len(name)}, nil
	case open && strings.HasSuffix(behind, ".") && strings.HasPrefix(host, behind):
		return nameMatch{byTail, len(behind)}, nil
	}
	return nameMatch{}, nil
}

func (c nginxConfig) listens(s nginx.Directive) (listens, byDefault bool) {
	for _, l := range nginx.All(s.Block, "listen") {
		lo, hi := 80, 80
		_, text, ok := hostport.Cut(l.Arg(0))
		if !ok {
			text = l.Arg(0)
		}
		from, to, isRange := strings.Cut(text, "-") // a range of ports
		if n, err := strconv.Atoi(from); err == nil {
			lo, hi = n, n
		}
		if n, err := strconv.Atoi(to); err == nil && isRange {
			hi = n
		}
		if port := c.w.URL.Port(); lo <= port && port <= hi {
			listens = true
			byDefault = byDefault || slices.Contains(l.Args, "default_server")
		}
	}
	return listens, byDefault
}

// location is the chain of locations that serve a path, as nginx chooses them: the path
// itself, else the longest prefix and what stands in it, else, unless that prefix has ^~,
// the first expression before the prefix. done says that no expression around them counts.
func (c nginxConfig) location(in nginx.Directive, path string) (chain []nginx.Directive, done bool, err error) {
	var best nginx.Directive
	length, last := -1, false
	for _, l := range nginx.All(in.Block, "location") {
		how, text := locationOf(l)
		switch {
		case how == "=" && text == path:
			return []nginx.Directive{l}, true, nil
		case (how == "" || how == "^~") && strings.HasPrefix(path, text) && len(text) > length:
			best, length, last = l, len(text), how == "^~"
		}
	}
	if length >= 0 {
		nested, done, err := c.location(best, path)
		chain = append([]nginx.Directive{best}, nested...)
		if done || err != nil || last {
			return chain, done, err
		}
	}
	for _, l := range nginx.All(in.Block, "location") {
		how, pattern := locationOf(l)
		switch how {
		case "~":
		case "~*":
			pattern = "(?i)" + pattern
		default:
			continue
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, false, fmt.Errorf("whether `%s` in %s takes %s cannot be told", nginxText(l), Place{l.File, l.Line}, path)
		}
		if re.MatchString(path) {
			nested, _, err := c.location(l, path)
			return append([]nginx.Directive{l}, nested...), true, err
		}
	}
	return chain, false, nil
}

// locationOf is how a location compares ("" by its prefix), and with what: the sign may
// stand right before that (ngx_http_core_location).
func locationOf(l nginx.Directive) (how, text string) {
	if len(l.Args) > 1 {
		return l.Arg(0), l.Arg(1)
	}
	for _, sign := range []string{"=", "^~", "~*", "~"} {
		if text, signed := strings.CutPrefix(l.Arg(0), sign); signed {
			return sign, text
		}
	}
	return "", l.Arg(0)
}
