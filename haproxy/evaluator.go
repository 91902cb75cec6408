package haproxy

import (
	"regexp"
	"slices"
	"strings"
)

// evaluator tells of the conditions of a section whether they hold for requests
// to our public name. It knows what tells sites apart, the name and the context
// path, and nothing else of a request: a rehearsal tries what else may hold.
type evaluator struct {
	host string // as a client sends it: with the port unless that is the usual one
	port int
	tls  bool
	path string // the context path
	page string // a path that a browser asks for, where one request is judged; "" judges all of ours
	acls map[string][][]Word
	vars map[string]string // what a variable holds: an expression

	read    func(path string) ([]byte, error) // files with lists and maps; nil where they are not looked into
	lists   tristate                          // what is taken for names in those that are not, and in variables of the environment
	clients tristate                          // what is taken for conditions on the client's address

	// Of the rule judged last:
	named   bool // a pattern equal to our name was met
	sources bool // a condition asked for the client's address
	acme    bool // a condition asked for /.well-known, or for the protocol of tls-alpn-01
	hosts   bool // a condition asked for the host name
	unread  bool // a condition asked for a name in such a list
}

// evaluator collects the ACLs and variables of a section; the ACLs of one name
// are alternatives. Those of defaults hold for the rules there alone.
func (m *merger) evaluator(at place, host string, port int, tls bool) *evaluator {
	e := newEvaluator(host, port, tls, m.site.URL.TomcatPath())
	m.files[at.file].each(m.section(at), func(_ int, w []Word) { e.learn(w) })
	return e
}

func newEvaluator(host string, port int, tls bool, path string) *evaluator {
	return &evaluator{host: strings.ToLower(host), port: port, tls: tls, path: path, acls: map[string][][]Word{}, vars: map[string]string{}}
}

// learn takes what a line of the section defines.
func (e *evaluator) learn(w []Word) {
	switch {
	case w[0].Text == "acl" && len(w) > 2:
		e.acls[w[1].Text] = append(e.acls[w[1].Text], w[2:])
	case w[0].Text == "http-request" && len(w) > 2 && strings.HasPrefix(w[1].Text, "set-var("):
		name := strings.TrimSuffix(strings.TrimPrefix(w[1].Text, "set-var("), ")")
		if _, twice := e.vars[name]; twice || len(w) > 3 {
			e.vars[name] = "" // not known
			break
		}
		e.vars[name] = w[2].Text
	}
}

// rule judges the "if" or "unless" of a line for all our requests. A rule without
// a condition holds always.
func (e *evaluator) rule(words []Word) tristate {
	e.named, e.sources, e.acme, e.hosts, e.unread = false, false, false, false, false
	for i, w := range words {
		switch {
		case i > 0 && w.Text == "if":
			return e.condition(words[i+1:])
		case i > 0 && w.Text == "unless":
			return e.condition(words[i+1:]).not()
		}
	}
	return yes
}

// byClient reports whether it depends on the client's address alone whether a rule
// that may hold does.
func (e *evaluator) byClient(words []Word) bool {
	defer func() { e.clients = maybe }()
	for _, e.clients = range []tristate{yes, no} {
		if e.rule(words) == no {
			return e.sources
		}
	}
	return false
}

// condition reads "a !b or { expression }" (manual, 7.2): terms beside each
// other must all hold, "or" and "||" part the alternatives.
func (e *evaluator) condition(words []Word) tristate {
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
			term = e.expression(words[i+1 : end])
			i = end
		} else {
			term = e.acl(w)
		}
		if negated {
			term, negated = term.not(), false
		}
		group = and(group, term)
	}
	return or(result, group)
}

// predefined are the ACLs that HAProxy brings (manual, 7.4), as far as they are
// known of all our requests.
var predefined = map[string]tristate{"TRUE": yes, "FALSE": no, "HTTP": yes}

func (e *evaluator) acl(name string) tristate {
	definitions, ok := e.acls[name]
	if method, is := strings.CutPrefix(name, "METH_"); is && !ok && e.page != "" {
		return tristateOf(method == "GET")
	}
	if !ok {
		return predefined[name]
	}
	result := no
	for _, d := range definitions {
		result = or(result, e.expression(d))
	}
	return result
}

// expression judges "fetch[,converters] [flags] [patterns]".
func (e *evaluator) expression(words []Word) tristate {
	if len(words) == 0 {
		return maybe
	}
	fetch := strings.ToLower(words[0].Text)
	for _, w := range words[1:] {
		e.acme = e.acme || strings.Contains(w.Text, ".well-known") || w.Text == "acme-tls/1" // RFC 8737
	}
	p := e.patterns(words[1:])
	switch {
	case fetch == "ssl_fc":
		return tristateOf(e.tls)
	case fetch == "always_true", fetch == "always_false":
		return tristateOf(fetch == "always_true")
	case e.page == "" && (fetch == "path_beg" || fetch == "url_beg" || fetch == "path"):
		if fetch != "path" {
			p.method = "beg"
		}
		return e.paths(p)
	}
	if fetch == "src" || strings.HasPrefix(fetch, "src,") {
		e.sources = true
		return e.clients
	}
	e.sources = e.sources || strings.HasPrefix(fetch, "src_")
	v, known := e.sample(words[0].Text)
	e.hosts = e.hosts || v.host
	switch {
	case v.host && (p.list || v.list):
		e.unread = true
		return e.lists
	case !known || p.list:
		return maybe
	}
	if p.method == "" {
		p.method = v.method
	}
	return e.match(v, p)
}

// paths judges the beginnings that a path may have, or all of it: no path of ours,
// all of them, or some.
func (e *evaluator) paths(p patterns) tristate {
	if p.list || p.method != "" && p.method != "beg" && p.method != "str" {
		return maybe
	}
	result, ours := no, e.path+"/"
	for _, text := range p.texts {
		if p.fold {
			text, ours = strings.ToLower(text), strings.ToLower(ours)
		}
		switch {
		case p.method == "beg" && strings.HasPrefix(ours, text):
			return yes
		case text == strings.TrimSuffix(ours, "/"), strings.HasPrefix(text, ours):
			result = maybe
		}
	}
	return result
}

// patterns are the words of an expression behind the fetch.
type patterns struct {
	method string // "beg", "str", "found", ...
	fold   bool   // -i
	list   bool   // a file or a variable, which are not read
	texts  []string
}

// patterns reads them; those in a file stand a line each.
func (e *evaluator) patterns(words []Word) patterns {
	var p patterns
	flags := true
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case flags && w.Text == "-f" && e.read != nil && i+1 < len(words) && !words[i+1].Env:
			i++
			lines, err := e.lines(words[i].Text)
			if err != nil {
				p.list = true
				return p
			}
			p.texts = append(p.texts, lines...)
		case w.Env || flags && slices.Contains([]string{"-f", "-M", "-u"}, w.Text):
			p.list = true
			return p
		case flags && w.Text == "-m" && i+1 < len(words):
			i++
			p.method = words[i].Text
		case flags && w.Text == "--":
			flags = false
		case flags && (w.Text == "-i" || w.Text == "-n"):
			p.fold = p.fold || w.Text == "-i"
		default:
			flags = false
			p.texts = append(p.texts, w.Text)
		}
	}
	return p
}

// lines of a file with patterns or a map that say something (manual, 7.1.1).
func (e *evaluator) lines(path string) ([]string, error) {
	data, err := e.read(path)
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			out = append(out, line)
		}
	}
	return out, nil
}

func (e *evaluator) match(v value, p patterns) tristate {
	switch {
	case p.method == "found":
		return tristateOf(v.found)
	case !v.found:
		return no // what is not there matches nothing
	}
	result := no
	for _, text := range p.texts {
		result = or(result, e.matchText(v, p, text))
	}
	return result
}

// matchText compares a name, a port or a path with a pattern. Host names have no case.
func (e *evaluator) matchText(v value, p patterns, pattern string) tristate {
	fold := v.host || p.fold
	if p.method == "reg" {
		if fold {
			pattern = "(?i)" + pattern
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return maybe
		}
		return tristateOf(re.MatchString(v.text))
	}
	text := v.text
	if fold {
		text, pattern = strings.ToLower(text), strings.ToLower(pattern)
	}
	switch p.method {
	case "", "str":
		same := text == pattern || v.host && text == strings.TrimSuffix(pattern, ":443")
		e.named = e.named || same && v.host
		if !same && v.number && strings.Trim(pattern, "0123456789") != "" {
			return maybe // a range of ports
		}
		return tristateOf(same)
	case "beg":
		return tristateOf(strings.HasPrefix(text, pattern))
	case "end":
		return tristateOf(strings.HasSuffix(text, pattern))
	case "sub":
		return tristateOf(strings.Contains(text, pattern))
	case "dom":
		return tristateOf(hasPart(text, pattern))
	case "dir":
		return tristateOf(strings.Contains("/"+strings.Trim(text, "/")+"/", "/"+strings.Trim(pattern, "/")+"/"))
	}
	return maybe
}

// hasPart reports whether labels stand in a name.
func hasPart(name, labels string) bool {
	labels = strings.Trim(labels, "/?.:")
	return labels != "" && strings.Contains("."+strings.ReplaceAll(name, ":", ".")+".", "."+strings.ReplaceAll(labels, ":", ".")+".")
}
