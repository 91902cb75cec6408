package haproxy

import (
	"regexp"
	"strconv"
	"strings"
)

// value is what a sample expression gives for a request.
type value struct {
	kind   kind
	text   string
	number int
	found  bool   // it is there at all
	host   bool   // made of the host name that the client asks for
	list   bool   // looked up in a map
	method string // how the fetch's own name wants patterns matched: hdr_beg
}

type kind uint8

const (
	textual kind = iota
	numeric
	boolean
)

// sample evaluates "fetch(args),converter(args),..."; false when a part of it is
// not known here.
func (e *evaluator) sample(expr string, r request) (value, bool) {
	parts := splitArgs(expr)
	v, ok := e.fetch(parts[0], r)
	for _, c := range parts[1:] {
		if !ok {
			break
		}
		v, ok = convert(v, c)
	}
	return v, ok
}

// splitArgs parts a list at its commas, but not at those in parentheses.
func splitArgs(list string) []string {
	var out []string
	depth, start := 0, 0
	for i := range len(list) {
		switch list[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, list[start:i])
				start = i + 1
			}
		}
	}
	return append(out, list[start:])
}

// call takes "hdr_beg(host)" apart.
func call(expr string) (name, args string) {
	name, args, _ = strings.Cut(expr, "(")
	return name, strings.TrimSuffix(args, ")")
}

// matchers end the names of fetches that say how they are matched.
var matchers = []string{"_beg", "_end", "_sub", "_dom", "_dir", "_reg", "_len"}

func (e *evaluator) fetch(expr string, r request) (value, bool) {
	name, args := call(expr)
	name = strings.ToLower(name)
	v := value{found: true}
	for _, m := range matchers {
		if rest, ok := strings.CutSuffix(name, m); ok {
			name, v.method = rest, m[1:]
		}
	}
	known, ok := fetches[name]
	if !ok || e.anyPath && known.path {
		return v, false
	}
	return known.get(e, v, args, r)
}

// fetch is one that is known.
type fetch struct {
	path bool // made of the path
	get  func(e *evaluator, v value, args string, r request) (value, bool)
}

// fetches are all of them, by their names without a matcher.
var fetches = map[string]fetch{}

func init() { // not above: a variable may hold an expression, which fetches again
	type get = func(e *evaluator, v value, args string, r request) (value, bool)
	add := func(path bool, g get, names ...string) {
		for _, n := range names {
			fetches[n] = fetch{path, g}
		}
	}
	texts := func(of func(*evaluator, request) string) get {
		return func(e *evaluator, v value, _ string, r request) (value, bool) {
			v.text = of(e, r)
			return v, true
		}
	}
	numbers := func(k kind, of func(*evaluator, request) int) get {
		return func(e *evaluator, v value, _ string, r request) (value, bool) {
			v.kind, v.number = k, of(e, r)
			return v, true
		}
	}
	add(true, texts(func(_ *evaluator, r request) string { return r.path }), "path")
	add(true, texts(func(_ *evaluator, r request) string { return r.uri() }), "pathq", "url")
	add(true, texts(func(_ *evaluator, r request) string { return r.query }), "query")
	add(true, texts(func(e *evaluator, r request) string { return e.host + r.path }), "base")
	add(true, texts(func(e *evaluator, r request) string { return e.host + r.uri() }), "baseq")
	add(false, texts(func(_ *evaluator, r request) string { return r.method }), "method")
	add(false, numbers(boolean, func(*evaluator, request) int { return 1 }), "always_true")
	add(false, numbers(boolean, func(*evaluator, request) int { return 0 }), "always_false")
	add(false, numbers(numeric, func(e *evaluator, _ request) int { return e.port }), "dst_port")
	add(false, numbers(numeric, func(_ *evaluator, r request) int { return r.size }), "req.body_size", "req.body_len")
	add(false, numbers(boolean, func(e *evaluator, _ request) int {
		if e.tls {
			return 1
		}
		return 0
	}), "ssl_fc")
	add(false, (*evaluator).fetchName, "ssl_fc_sni", "req.ssl_sni", "req_ssl_sni")
	add(false, (*evaluator).fetchHeader, "hdr", "req.hdr", "fhdr", "req.fhdr")
	add(false, (*evaluator).fetchNumber, "hdr_val", "req.hdr_val")
	add(false, (*evaluator).fetchCount, "hdr_cnt", "req.hdr_cnt", "req.fhdr_cnt")
	add(false, (*evaluator).fetchVariable, "var")
	add(false, func(_ *evaluator, v value, args string, _ request) (value, bool) {
		v.text = args
		return v, true
	}, "str")
}

// fetchName is the name in the TLS handshake.
func (e *evaluator) fetchName(v value, _ string, _ request) (value, bool) {
	v.text, v.found, v.host = hostOnly(e.host), e.tls, true
	return v, true
}

func (e *evaluator) fetchHeader(v value, args string, r request) (value, bool) {
	return e.header(v, strings.ToLower(splitArgs(args)[0]), r)
}

func (e *evaluator) fetchNumber(v value, args string, r request) (value, bool) {
	v, ok := e.fetchHeader(v, args, r)
	v.kind, v.host = numeric, false
	v.number, _ = strconv.Atoi(v.text)
	return v, ok
}

func (e *evaluator) fetchCount(v value, args string, r request) (value, bool) {
	v, ok := e.fetchHeader(v, args, r)
	v.kind, v.host, v.number = numeric, false, 0
	if v.found {
		v.number = 1
	}
	v.found = true
	return v, ok
}

// fetchVariable is what the section put into a variable, once and for all requests.
func (e *evaluator) fetchVariable(v value, args string, r request) (value, bool) {
	if expr := e.vars[splitArgs(args)[0]]; expr != "" && !strings.Contains(expr, "var(") {
		return e.sample(expr, r)
	}
	return v, false
}

// header is a header field of the request, as far as it is known.
func (e *evaluator) header(v value, name string, r request) (value, bool) {
	switch name {
	case "host":
		v.text, v.host = e.host, true
	case "user-agent":
		v.text = r.agent
	case "authorization":
		v.text, v.found = r.auth, r.auth != ""
	case "content-length":
		if v.found = r.size > 0; v.found {
			v.text = strconv.Itoa(r.size)
		}
	default:
		return v, false
	}
	return v, true
}

// convert applies one converter (manual, 7.3.1); false for those that are not
// known here.
func convert(v value, expr string) (value, bool) {
	name, args := call(expr)
	switch name {
	case "lower":
		v.text = strings.ToLower(v.text)
	case "upper":
		v.text = strings.ToUpper(v.text)
	case "host_only":
		v.text = hostOnly(v.text)
	case "url_dec":
	case "field", "word":
		return v.part(splitArgs(args))
	case "regsub":
		return v.substitute(splitArgs(args))
	default:
		v.list = name == "map" || strings.HasPrefix(name, "map_")
		return v, v.list && v.host
	}
	return v, true
}

// part is field(n,separator), or word(n,separator) where no separators stand
// beside each other.
func (v value) part(args []string) (value, bool) {
	if len(args) != 2 || len(args[1]) != 1 {
		return v, false
	}
	n, err := strconv.Atoi(args[0])
	parts := strings.Split(v.text, args[1])
	if err != nil || n < 1 || n > len(parts) {
		return v, false
	}
	v.text = parts[n-1]
	return v, true
}

// substitute is regsub(regex,text[,flags]) without references to groups; without
// the flag g the first match alone is replaced.
func (v value) substitute(args []string) (value, bool) {
	if len(args) < 2 || strings.Contains(args[1], `\`) {
		return v, false
	}
	re, err := regexp.Compile(args[0])
	if err != nil {
		return v, false
	}
	all := strings.Contains(strings.Join(args[2:], ""), "g")
	done := false
	v.text = re.ReplaceAllStringFunc(v.text, func(match string) string {
		if done && !all {
			return match
		}
		done = true
		return args[1]
	})
	return v, true
}

// hostOnly is a host name without its port.
func hostOnly(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		return host[:i]
	}
	return host
}

// format evaluates a log-format string with at most one "%[expression]"; false
// where it is not known what it gives.
func (e *evaluator) format(text string, r request) (string, bool) {
	before, rest, found := strings.Cut(text, "%[")
	if !found {
		return text, !strings.Contains(text, "%")
	}
	end := strings.LastIndexByte(rest, ']')
	if end < 0 || strings.Contains(before+rest, "%") {
		return "", false
	}
	v, ok := e.sample(rest[:end], r)
	return before + v.text + rest[end+1:], ok && v.kind != boolean && !v.list
}
