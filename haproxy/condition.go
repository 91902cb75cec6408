package haproxy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/pattern"
)

// tristate is what can be said of a condition without the request itself.
type tristate int8

const (
	maybe tristate = iota
	yes
	no
)

func (t tristate) not() tristate { return [...]tristate{maybe, no, yes}[t] }

func and(a, b tristate) tristate {
	switch {
	case a == no || b == no:
		return no
	case a == yes && b == yes:
		return yes
	}
	return maybe
}

func or(a, b tristate) tristate { return and(a.not(), b.not()).not() }

func tristateOf(b bool) tristate {
	if b {
		return yes
	}
	return no
}

// evaluator tells of the conditions of one section whether they hold for a TLS
// request to our public name: its path, its client and its time are not known.
type evaluator struct {
	host    string // as a client sends it: with the port unless that is 443
	port    int
	acls    map[string][][]Word
	named   bool // a pattern equal to our name was met
	sources bool // a condition asked for the client's address
	acme    bool // a condition asked for /.well-known
	hosts   bool // a condition asked for the host name
}

// evaluatorOf collects the ACLs of a section; those of one name are alternatives.
func evaluatorOf(d *draft, s Section, host string, port int) *evaluator {
	j := &evaluator{host: strings.ToLower(host), port: port, acls: map[string][][]Word{}}
	d.each(s, func(_ int, w []Word) {
		if w[0].Text == "acl" && len(w) > 2 {
			j.acls[w[1].Text] = append(j.acls[w[1].Text], w[2:])
		}
	})
	return j
}

// rule judges the "if" or "unless" of a line; a rule without one holds always.
func (j *evaluator) rule(words []Word) tristate {
	j.named, j.sources, j.acme, j.hosts = false, false, false, false
	for i, w := range words {
		switch {
		case i > 0 && w.Text == "if":
			return j.condition(words[i+1:])
		case i > 0 && w.Text == "unless":
			return j.condition(words[i+1:]).not()
		}
	}
	return yes
}

// condition reads "a !b or { expression }" (manual, 7.2): terms beside each
// other must all hold, "or" and "||" part the alternatives.
func (j *evaluator) condition(words []Word) tristate {
	result, group, negated := no, yes, false
	for i := 0; i < len(words); i++ {
		w := words[i].Text
		if w == "or" || w == "||" {
			result, group = or(result, group), yes
			continue
		}
		for strings.HasPrefix(w, "!") {
			w, negated = w[1:], !negated
		}
		if w == "" {
			continue
		}
		var term tristate
		if w == "{" {
			end := i + 1
			for end < len(words) && words[end].Text != "}" {
				end++
			}
			term = j.expression(words[i+1 : end])
			i = end
		} else {
			term = j.acl(w)
		}
		if negated {
			term, negated = term.not(), false
		}
		group = and(group, term)
	}
	return or(result, group)
}

func (j *evaluator) acl(name string) tristate {
	switch name {
	case "TRUE", "HTTP":
		return yes
	case "FALSE":
		return no
	}
	definitions, ok := j.acls[name]
	if !ok {
		return maybe
	}
	result := no
	for _, d := range definitions {
		result = or(result, j.expression(d))
	}
	return result
}

// hostFetch is the host name of a request or of its TLS handshake, in the
// spellings of all versions: hdr(host), req.hdr(host), hdr_end(host), req_ssl_sni.
var hostFetch = pattern.Lazy(`^(?:(?:req\.?)?f?hdr(?:_(beg|end|sub|dom|dir|reg|len))?\(host(?:,-?1)?\)|(?:req[._]ssl_sni|ssl_fc_sni)(?:_(beg|end|sub|dom|dir|reg|len))?)((?:,(?:lower|host_only|field\(1,:\)|word\(1,:\)|regsub\(:\[0-9\]\+,\)))*)$`)

// expression judges "fetch [flags] [patterns]".
func (j *evaluator) expression(words []Word) tristate {
	if len(words) == 0 {
		return maybe
	}
	fetch := strings.ToLower(words[0].Text)
	j.sources = j.sources || fetch == "src" || strings.HasPrefix(fetch, "src_") || strings.HasPrefix(fetch, "src,")
	for _, w := range words[1:] {
		j.acme = j.acme || strings.Contains(w.Text, ".well-known")
	}
	m := hostFetch().FindStringSubmatch(fetch)
	j.hosts = j.hosts || m != nil
	method, patterns, plain := patternsOf(words[1:])
	switch {
	case !plain:
		return maybe
	case fetch == "ssl_fc" && len(patterns) == 0:
		return yes
	case fetch == "dst_port":
		return j.portIn(patterns)
	case m == nil:
		return maybe
	}
	if method == "" {
		method = m[1] + m[2]
	}
	result := no
	for _, p := range patterns {
		result = or(result, j.match(method, strings.ToLower(p), m[3] != ""))
	}
	return result
}

// patternsOf takes the flags off; a pattern file or a variable is not plain.
func patternsOf(words []Word) (method string, patterns []string, plain bool) {
	flags := true
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w.Env || flags && slices.Contains([]string{"-f", "-M", "-u"}, w.Text):
			return "", nil, false
		case flags && w.Text == "-m" && i+1 < len(words):
			i++
			method = words[i].Text
		case flags && w.Text == "--":
			flags = false
		case flags && (w.Text == "-i" || w.Text == "-n"):
		default:
			flags = false
			patterns = append(patterns, w.Text)
		}
	}
	return method, patterns, true
}

func (j *evaluator) portIn(patterns []string) tristate {
	for _, p := range patterns {
		n, err := strconv.Atoi(p)
		if err != nil {
			return maybe
		}
		if n == j.port {
			return yes
		}
	}
	return no
}

// match compares our name; converted values have no port.
func (j *evaluator) match(method, pattern string, converted bool) tristate {
	host := j.host
	if name, _, ok := strings.Cut(host, ":"); ok && converted {
		host = name
	}
	switch method {
	case "", "str":
		if host == pattern || host == strings.TrimSuffix(pattern, ":443") {
			j.named = true
			return yes
		}
		return no
	case "beg":
		return tristateOf(strings.HasPrefix(host, pattern))
	case "end":
		return tristateOf(strings.HasSuffix(host, pattern))
	case "sub":
		return tristateOf(strings.Contains(host, pattern))
	case "dom", "dir":
		return tristateOf(slices.Contains(strings.FieldsFunc(host, func(r rune) bool { return r == '.' || r == ':' }), pattern) ||
			host == pattern || strings.HasSuffix(host, "."+pattern) || strings.HasPrefix(host, pattern+"."))
	case "reg":
		if re, err := regexp.Compile(pattern); err == nil {
			return tristateOf(re.MatchString(host))
		}
	}
	return maybe
}
