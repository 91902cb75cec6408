package tomcat

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"bitgate/internal/problem"
)

// CheckProperties and CheckServerXML name what contradicts itself (secure=false
// with scheme=https, server.ssl.*, server.require-ssl ...).
func CheckProperties(p *Properties) []problem.Finding {
	var list []problem.Finding
	if bytes.HasPrefix(p.src, []byte("\xEF\xBB\xBF")) {
		list = append(list, finding(
			1, "the file begins with a byte order mark", "Java reads it as part of the first line, whose key or comment sign is then another",
			"save the file without byte order mark",
		))
	}
	list = slices.Concat(list, p.checkSpelling(), p.checkScheme(), p.checkTLS(), p.checkContextPath(), p.checkAdditional())
	slices.SortStableFunc(list, func(a, b problem.Finding) int { return a.Line - b.Line })
	return in(p.name, list)
}

// truth reads a switch as Spring's conversion does.
func (p *Properties) truth(key string) (line int, set, on bool) {
	f, ok := p.Get(key)
	return f.Line, ok, ok && IsTrue(f.Value)
}

// IsTrue reports whether a switch of a properties file is on, in the spellings that
// Spring converts.
func IsTrue(v string) bool {
	return slices.Contains([]string{"true", "on", "yes", "1"}, strings.ToLower(strings.TrimSpace(v)))
}

// checkSpelling names duplicates and other spellings of the keys bitgate sets.
func (p *Properties) checkSpelling() []problem.Finding {
	var list []problem.Finding
	keys := []string{contextPathKey, "server.port", "server.require-ssl"}
	for _, s := range (Connector{"x", 1, "x", true, 1, "x"}).settings() {
		keys = append(keys, propertyKeys[s.name])
	}
	for _, key := range keys {
		if live := p.all(key); len(live) > 1 {
			last := live[len(live)-1].line
			list = append(list, finding(
				last, fmt.Sprintf("duplicate key %s (lines %s)", key, entryLines(live)),
				fmt.Sprintf("only the last one (line %d) counts", last), "remove the others",
			))
		}
		for _, t := range p.twins(key) {
			list = append(list, finding(
				t.line, fmt.Sprintf("%s is another spelling of %s", t.key, key),
				"Spring Boot takes both for the same setting; which one counts depends on its version", fmt.Sprintf("keep one line, spelled %s", key),
			))
		}
	}
	for _, e := range p.entries {
		if strings.HasPrefix(e.key, "SERVER_") {
			list = append(list, finding(
				e.line, e.key+" is the spelling of an environment variable", "in a properties file it has no effect",
				fmt.Sprintf("spell it %s", strings.ReplaceAll(strings.Replace(strings.ToLower(e.key), "_", ".", 1), "_", "-")),
			))
		}
	}
	return list
}

func (p *Properties) checkScheme() []problem.Finding {
	var list []problem.Finding
	scheme, _ := p.Get("server.scheme")
	https := strings.EqualFold(strings.TrimSpace(scheme.Value), "https")
	line, set, secure := p.truth("server.secure")
	undecided := false
	for _, key := range []string{"server.scheme", "server.secure"} {
		f, _ := p.Get(key)
		undecided = undecided || placeholder(f.Value) != ""
	}
	switch {
	case undecided:
	case https && set && !secure:
		list = append(list, finding(line, "server.secure=false with server.scheme=https", whyNotSecure, "set server.secure=true"))
	case https && !set:
		list = append(list, finding(scheme.Line, "server.scheme=https without server.secure=true", whyNotSecure, "set server.secure=true"))
	case secure && !https:
		list = append(list, finding(line, "server.secure=true without server.scheme=https", whyNotHTTPS, "set server.scheme=https"))
	}
	if line, _, on := p.truth("server.require-ssl"); on && !secure {
		list = append(list, finding(
			line, "server.require-ssl=true, but server.secure is not true",
			"Bitbucket redirects every request to HTTPS, the ones that came by HTTPS too: an endless loop", "set server.secure=true, or remove server.require-ssl",
		))
	}
	if name, ok := p.Get("server.proxy-name"); ok {
		if port, _ := p.Get("server.proxy-port"); port.Value == "" || port.Value == "0" {
			list = append(list, finding(name.Line, "server.proxy-name without server.proxy-port", whyNoProxyPort, "set server.proxy-port to the public port, usually 443"))
		}
	}
	return list
}

// checkTLS finds TLS on Bitbucket's own port (server.ssl.*).
func (p *Properties) checkTLS() []problem.Finding {
	line, set, on := p.truth("server.ssl.enabled")
	if set && !on {
		return nil
	}
	found := "server.ssl.enabled=true: Bitbucket's port speaks TLS itself"
	if !set {
		store, ok := p.Get("server.ssl.key-store")
		if !ok {
			return nil
		}
		line, found = store.Line, "server.ssl.key-store is set: Bitbucket's port may speak TLS itself"
	}
	return []problem.Finding{ownTLS(finding(
		line, found, "the front talks plain HTTP to Bitbucket and gets no answer from a TLS port",
		"set server.ssl.enabled=false (the front does TLS), or give Bitbucket an additional plain connector on the loopback address",
	))}
}

func (p *Properties) checkContextPath() []problem.Finding {
	path, ok := p.Get(contextPathKey)
	v := path.Value
	if !ok || v == "" || v == "/" || placeholder(v) != "" || strings.HasPrefix(v, "/") && !strings.HasSuffix(v, "/") {
		return nil
	}
	return []problem.Finding{finding(
		path.Line, fmt.Sprintf("%s=%s", contextPathKey, v), "the path must begin with a slash and not end with one",
		fmt.Sprintf("set %s=/%s", contextPathKey, strings.Trim(v, "/ \t")),
	)}
}

// checkAdditional names connectors beside server.port
// (server.additional-connector.N.port, N from 1).
func (p *Properties) checkAdditional() []problem.Finding {
	var list []problem.Finding
	for _, key := range p.Keys() {
		number, ok := strings.CutPrefix(key, "server.additional-connector.")
		number, isPort := strings.CutSuffix(number, ".port")
		if !ok || !isPort {
			continue
		}
		if at, _ := p.Get("server.additional-connector." + number + ".address"); closed(at.Value) {
			continue
		}
		port, _ := p.Get(key)
		tls := ""
		if _, _, on := p.truth("server.additional-connector." + number + ".ssl.enabled"); on {
			tls = " with TLS"
		}
		list = append(list, finding(
			port.Line, fmt.Sprintf("additional connector %s on port %s%s", number, port.Value, tls),
			"it does not carry the public name unless it says so itself, and anyone who can reach it bypasses the front",
			"remove it if nothing uses it, or keep it closed to other machines",
		))
	}
	return list
}
