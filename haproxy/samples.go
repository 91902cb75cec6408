package haproxy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// value is what a sample expression gives for our requests.
type value struct {
	text   string
	found  bool   // it is there at all
	host   bool   // made of the host name that the client asks for
	number bool   // a port
	list   bool   // looked up in a map
	method string // how the fetch's own name wants patterns matched: hdr_beg
}

// sample evaluates "fetch(args),converter(args),..."; false when a part of it is
// not known here.
func (e *evaluator) sample(expr string) (value, bool) {
	parts := splitArgs(expr)
	v, ok := e.fetch(parts[0])
	for _, c := range parts[1:] {
		if !ok {
			break
		}
		v, ok = e.convert(v, c)
	}
	return v, ok
}

// call takes "hdr_beg(host)" apart.
func call(expr string) (name, args string) {
	name, args, _ = strings.Cut(expr, "(")
	return name, strings.TrimSuffix(args, ")")
}

// matchers end the names of fetches that say how they are matched.
var matchers = []string{"_beg", "_end", "_sub", "_dom", "_dir", "_reg"}

// fetch knows what tells sites apart: the name that is asked for, and the port.
func (e *evaluator) fetch(expr string) (value, bool) {
	name, args := call(expr)
	name = strings.ToLower(name)
	v := value{found: true}
	for _, m := range matchers {
		if rest, ok := strings.CutSuffix(name, m); ok {
			name, v.method = rest, m[1:]
		}
	}
	if e.page != "" {
		if text, ok := e.ordinary(name, args); ok {
			v.text, v.found = text, text != ""
			return v, true
		}
	}
	switch name {
	case "hdr", "req.hdr", "fhdr", "req.fhdr":
		v.text, v.host = e.host, true
		return v, strings.EqualFold(splitArgs(args)[0], "host")
	case "ssl_fc_sni", "req.ssl_sni", "req_ssl_sni":
		v.text, v.found, v.host = hostOnly(e.host), e.tls, true
	case "dst_port":
		v.text, v.number = strconv.Itoa(e.port), true
	case "var": // what the section put into it, once and for all requests
		if expr := e.vars[splitArgs(args)[0]]; expr != "" && !strings.Contains(expr, "var(") {
			return e.sample(expr)
		}
		return v, false
	default:
		return v, false
	}
	return v, true
}

// ordinary is what a browser's request for a page has besides the name: "" for what is not
// there, false for what differs from one to another.
func (e *evaluator) ordinary(fetch, args string) (text string, ok bool) {
	switch fetch {
	case "path", "pathq", "url":
		return e.page, true
	case "base", "baseq":
		return e.host + e.page, true
	case "method":
		return "GET", true
	case "hdr", "req.hdr", "fhdr", "req.fhdr":
		field := strings.ToLower(splitArgs(args)[0])
		return "", field == "upgrade" || strings.HasPrefix(field, "sec-websocket-")
	}
	return "", false
}

// convert applies one converter (manual, 7.3.1); false for those that are not
// known here.
func (e *evaluator) convert(v value, expr string) (value, bool) {
	name, args := call(expr)
	if how, is := strings.CutPrefix(name, "map"); is && e.read != nil {
		return e.lookUp(v, strings.TrimPrefix(how, "_"), splitArgs(args))
	}
	switch name {
	case "lower":
		v.text = strings.ToLower(v.text)
	case "host_only":
		v.text = hostOnly(v.text)
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

// lookUp is map[_HOW](file[,default]): the value of the first key that fits, of beginnings
// the longest.
func (e *evaluator) lookUp(v value, how string, args []string) (value, bool) {
	lines, err := e.lines(args[0])
	if err != nil || !slices.Contains([]string{"", "str", "beg", "end", "sub", "dom", "dir", "reg"}, how) {
		v.list = true
		return v, v.host
	}
	out := value{found: len(args) > 1}
	if out.found {
		out.text = args[1]
	}
	longest := -1
	for _, line := range lines {
		key, text := line, ""
		if i := strings.IndexAny(line, " \t"); i >= 0 {
			key, text = line[:i], strings.TrimSpace(line[i:])
		}
		switch e.matchText(value{text: v.text}, patterns{method: how}, key) {
		case maybe:
			return out, false // an expression of PCRE
		case yes:
			if len(key) > longest {
				out.text, out.found, longest = text, true, len(key)
			}
			if how != "beg" {
				return out, true
			}
		}
	}
	return out, true
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
