package haproxy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// evaluator tells of the conditions of a section whether they hold for requests
// to our public name. It knows the name, the path, the method and what clients
// say of themselves, but neither the client's address nor the time; what depends
// on those, or on words it does not know, may hold.
type evaluator struct {
	host     string // as a client sends it: with the port unless that is the usual one
	port     int
	tls      bool
	requests []request
	acls     map[string][][]Word
	vars     map[string]string // what a variable holds: an expression

	// anyPath asks about every path of our name, and not just those of requests.
	anyPath bool
	// lists is what is taken for names in files, maps and variables of the
	// environment.
	lists tristate

	// Of the rule judged last:
	named   bool // a pattern equal to our name was met
	sources bool // a condition asked for the client's address
	acme    bool // a condition asked for /.well-known
	hosts   bool // a condition asked for the host name
	unread  bool // a condition asked for a name in such a list
}

// evaluator collects the ACLs and variables of a section; the ACLs of one name
// are alternatives. Those of defaults hold for the rules there alone.
func (m *merger) evaluator(at place, host string, port int, tls bool) *evaluator {
	e := &evaluator{host: strings.ToLower(host), port: port, tls: tls, requests: requests(m.site.URL), acls: map[string][][]Word{}, vars: map[string]string{}}
	m.files[at.file].each(m.section(at), func(_ int, w []Word) {
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
	})
	return e
}

// rule judges the "if" or "unless" of a line for all our requests: yes when it
// certainly holds for one of them. A rule without a condition holds always.
func (e *evaluator) rule(words []Word) tristate {
	t, _ := e.certain(words, e.requests)
	return t
}

// certain is rule for some requests, and says for which it certainly holds.
func (e *evaluator) certain(words []Word, of []request) (t tristate, held []request) {
	e.named, e.sources, e.acme, e.hosts, e.unread = false, false, false, false, false
	t = no
	for _, r := range of {
		one := e.holds(words, r)
		if one == yes {
			held = append(held, r)
		}
		t = or(t, one)
	}
	return t, held
}

func (e *evaluator) holds(words []Word, r request) tristate {
	for i, w := range words {
		switch {
		case i > 0 && w.Text == "if":
			return e.condition(words[i+1:], r)
		case i > 0 && w.Text == "unless":
			return e.condition(words[i+1:], r).not()
		}
	}
	return yes
}

// condition reads "a !b or { expression }" (manual, 7.2): terms beside each
// other must all hold, "or" and "||" part the alternatives.
func (e *evaluator) condition(words []Word, r request) tristate {
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
			term = e.expression(words[i+1:end], r)
			i = end
		} else {
			term = e.acl(w, r)
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
var predefined = map[string]tristate{"TRUE": yes, "FALSE": no, "HTTP": yes, "HTTP_URL_SLASH": yes, "HTTP_URL_STAR": no, "RDP_COOKIE": no}

func (e *evaluator) acl(name string, r request) tristate {
	definitions, ok := e.acls[name]
	if !ok {
		if t, ok := predefined[name]; ok {
			return t
		}
		if method, ok := strings.CutPrefix(name, "METH_"); ok {
			return tristateOf(method == r.method || method == "GET" && r.method == "HEAD")
		}
		return maybe
	}
	result := no
	for _, d := range definitions {
		result = or(result, e.expression(d, r))
	}
	return result
}

// expression judges "fetch[,converters] [flags] [patterns]".
func (e *evaluator) expression(words []Word, r request) tristate {
	if len(words) == 0 {
		return maybe
	}
	fetch := words[0].Text
	low := strings.ToLower(fetch)
	e.sources = e.sources || low == "src" || strings.HasPrefix(low, "src_") || strings.HasPrefix(low, "src,")
	for _, w := range words[1:] {
		e.acme = e.acme || strings.Contains(w.Text, ".well-known")
	}
	v, known := e.sample(fetch, r)
	e.hosts = e.hosts || v.host
	p := patternsOf(words[1:])
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

// patterns are the words of an expression behind the fetch.
type patterns struct {
	method string // "beg", "str", "found", ...
	fold   bool   // -i
	list   bool   // a file or a variable, which are not read
	texts  []string
}

func patternsOf(words []Word) patterns {
	var p patterns
	flags := true
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
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

func (e *evaluator) match(v value, p patterns) tristate {
	switch {
	case p.method == "found":
		return tristateOf(v.found)
	case v.kind == boolean && len(p.texts) == 0:
		return tristateOf(v.number != 0)
	case !v.found:
		return no // what is not there matches nothing
	case p.method == "len":
		return value{kind: numeric, number: len(v.text)}.inRange(p.texts)
	case v.kind == numeric || p.method == "int":
		return v.inRange(p.texts)
	}
	result := no
	for _, text := range p.texts {
		result = or(result, e.matchText(v, p, text))
	}
	return result
}

// matchText compares a text with a pattern. Host names have no case.
func (e *evaluator) matchText(v value, p patterns, pattern string) tristate {
	text := v.text
	if p.method == "reg" {
		if p.fold || v.host {
			pattern = "(?i)" + pattern
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return maybe
		}
		return tristateOf(re.MatchString(text))
	}
	if p.fold || v.host {
		text, pattern = strings.ToLower(text), strings.ToLower(pattern)
	}
	switch p.method {
	case "", "str":
		same := text == pattern || v.host && text == strings.TrimSuffix(pattern, ":443")
		e.named = e.named || same && v.host
		return tristateOf(same)
	case "beg":
		return tristateOf(strings.HasPrefix(text, pattern))
	case "end":
		return tristateOf(strings.HasSuffix(text, pattern))
	case "sub":
		return tristateOf(strings.Contains(text, pattern))
	case "dir":
		return tristateOf(hasPart(text, pattern, "/?"))
	case "dom":
		return tristateOf(hasPart(text, pattern, "/?.:"))
	}
	return maybe
}

// hasPart reports whether a pattern stands in a text between delimiters or ends.
func hasPart(text, pattern, delimiters string) bool {
	pattern = strings.Trim(pattern, delimiters)
	if pattern == "" {
		return false
	}
	for at := 0; ; at++ {
		i := strings.Index(text[at:], pattern)
		if i < 0 {
			return false
		}
		at += i
		end := at + len(pattern)
		if (at == 0 || strings.IndexByte(delimiters, text[at-1]) >= 0) && (end == len(text) || strings.IndexByte(delimiters, text[end]) >= 0) {
			return true
		}
	}
}

// inRange compares a number with "80", "80:90" and "gt 80" (manual, 7.1.2).
func (v value) inRange(texts []string) tristate {
	n := v.number
	if v.kind == textual {
		var err error
		if n, err = strconv.Atoi(v.text); err != nil {
			return maybe
		}
	}
	result, operator := no, "eq"
	for _, t := range texts {
		if slices.Contains([]string{"eq", "ge", "gt", "le", "lt"}, t) {
			operator = t
			continue
		}
		from, to, span := strings.Cut(t, ":")
		lo, err := strconv.Atoi(from)
		hi := lo
		if err == nil && span {
			hi, err = strconv.Atoi(to)
		}
		if err != nil {
			return maybe
		}
		in := map[string]bool{"eq": n >= lo && n <= hi, "ge": n >= lo, "gt": n > lo, "le": n <= lo, "lt": n < lo}[operator]
		result = or(result, tristateOf(in))
	}
	return result
}
