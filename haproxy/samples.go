package haproxy

import (
	"regexp"
	"slices"
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
	method := ""
	for _, m := range matchers {
		if rest, ok := strings.CutSuffix(name, m); ok {
			name, method = rest, m[1:]
		}
	}
	v := value{found: true, method: method}
	if e.anyPath && slices.Contains([]string{"path", "pathq", "url", "query", "base", "baseq"}, name) {
		return v, false
	}
	switch name {
	case "hdr", "req.hdr", "fhdr", "req.fhdr":
		return e.header(v, strings.ToLower(splitArgs(args)[0]), r)
	case "hdr_val", "req.hdr_val", "hdr_cnt", "req.hdr_cnt", "req.fhdr_cnt":
		h, ok := e.header(v, strings.ToLower(splitArgs(args)[0]), r)
		h.kind, h.host = numeric, false
		if strings.HasSuffix(name, "_cnt") {
			if h.number = 0; h.found {
				h.number = 1
			}
			h.found = true
		} else {
			h.number, _ = strconv.Atoi(h.text)
		}
		return h, ok
	case "path":
		v.text = r.path
	case "pathq", "url":
		v.text = r.uri()
	case "query":
		v.text = r.query
	case "base":
		v.text = e.host + r.path
	case "baseq":
		v.text = e.host + r.uri()
	case "method":
		v.text = r.method
	case "ssl_fc_sni", "req.ssl_sni", "req_ssl_sni":
		v.text, v.found, v.host = hostOnly(e.host), e.tls, true
	case "ssl_fc":
		v.kind, v.number = boolean, 0
		if e.tls {
			v.number = 1
		}
	case "always_true":
		v.kind, v.number = boolean, 1
	case "always_false":
		v.kind = boolean
	case "dst_port":
		v.kind, v.number = numeric, e.port
	case "req.body_size", "req.body_len":
		v.kind, v.number = numeric, r.size
	case "str":
		v.text = args
	case "var":
		if expr := e.vars[splitArgs(args)[0]]; expr != "" && !strings.Contains(expr, "var(") {
			return e.sample(expr, r)
		}
		return v, false
	default:
		return v, false
	}
	return v, true
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

// convert applies one converter (manual, 7.3.1).
func convert(v value, expr string) (value, bool) {
	name, args := call(expr)
	list := splitArgs(args)
	switch {
	case name == "lower":
		v.text = strings.ToLower(v.text)
	case name == "upper":
		v.text = strings.ToUpper(v.text)
	case name == "host_only":
		v.text = hostOnly(v.text)
	case (name == "field" || name == "word") && len(list) > 1 && len(list[1]) == 1:
		n, err := strconv.Atoi(list[0])
		parts := strings.Split(v.text, list[1])
		if err != nil || n < 1 || n > len(parts) {
			return v, false
		}
		v.text = parts[n-1]
	case name == "regsub" && len(list) > 1 && !strings.Contains(args, `\`):
		re, err := regexp.Compile(list[0])
		if err != nil {
			return v, false
		}
		if re.MatchString(v.text) {
			if !strings.Contains(strings.Join(list[2:], ""), "g") && len(re.FindAllString(v.text, 2)) > 1 {
				return v, false
			}
			v.text = re.ReplaceAllLiteralString(v.text, list[1])
		}
	case name == "url_dec":
	case name == "map" || strings.HasPrefix(name, "map_"):
		v.list = true
		return v, v.host
	default:
		return v, false
	}
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
