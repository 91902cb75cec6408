package rehearsal

import (
	"iter"
	"net/netip"
	"path"
	"regexp/syntax"
	"slices"
	"strings"

	"bitgate/haproxy"
	"bitgate/internal/pattern"
)

// mentions are values that the files tell requests apart by.
type mentions struct {
	hosts, paths, methods, sources, queries []string
	headers                                 []Field
}

// Lists are the contents of files that conditions and maps read, by path.
type Lists map[string][]byte

// Sources are addresses of clients that the files mention, of networks one.
func (s *Stage) Sources(lists Lists) []string { return append(s.find(lists).sources, s.sources...) }

// ListFiles names the files that conditions, maps and binds of the stage read.
func (s *Stage) ListFiles() []string {
	var out []string
	s.config.each(func(_ section, _ haproxy.Section, l line) {
		for i, word := range l.texts {
			if i > 0 && (l.texts[i-1] == "-f" || l.texts[i-1] == "-M" || l.texts[i-1] == "crt-list") {
				out = append(out, s.config.expand(word))
			}
			for _, m := range mapFile().FindAllStringSubmatch(word, -1) {
				out = append(out, s.config.expand(m[1]))
			}
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}

var mapFile = pattern.Lazy(`map[a-z_]*\(([^,)]+)`)

// find collects what the lines and lists mention.
func (s *Stage) find(lists Lists) mentions {
	var m mentions
	s.config.each(func(_ section, sec haproxy.Section, l line) {
		switch {
		case sec.Keyword == "global" || sec.Keyword == "peers" || sec.Keyword == "program" || sec.Keyword == "userlist":
		case l.texts[0] == "acl" && len(l.texts) > 2:
			m.expression(s.expandAll(l.texts[2:]), lists)
		case (l.texts[0] == "monitor-uri" || l.texts[0] == "stats" && len(l.texts) > 2 && l.texts[1] == "uri"):
			m.paths = append(m.paths, s.config.expand(l.texts[len(l.texts)-1]))
		default:
			m.rule(s.expandAll(l.texts), lists)
		}
	})
	m.clean()
	return m
}

func (s *Stage) expandAll(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = s.config.expand(w)
	}
	return out
}

// rule reads the conditions of a line, and the URLs, maps and names beside them.
func (m *mentions) rule(words []string, lists Lists) {
	for i, w := range words {
		if strings.TrimLeft(w, "!") == "{" {
			end := i + 1
			for end < len(words) && words[end] != "}" {
				end++
			}
			m.expression(words[i+1:end], lists)
		}
		for _, found := range mapFile().FindAllStringSubmatch(w, -1) {
			m.list(lists[found[1]], kindOf(w), "")
		}
		if rest, ok := strings.CutPrefix(strings.TrimPrefix(w, "http"), "s://"); ok || strings.HasPrefix(w, "http://") {
			host, target, _ := strings.Cut(strings.TrimPrefix(rest, "://"), "/")
			m.hosts, m.paths = append(m.hosts, host), append(m.paths, "/"+target)
		}
		if i > 0 && words[i-1] == "crt-list" {
			m.list(lists[w], "host", "")
		}
	}
}

// kindOf says what a fetch or converter chain looks at: "host", "path", ...
func kindOf(fetch string) string {
	f := strings.ToLower(fetch)
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(f, p) })
	}
	switch {
	case has("(host", "ssl_fc_sni", "req.ssl_sni", "req_ssl_sni", "hdr_dom", "var("):
		return "host"
	case has("base"):
		return "base"
	case has("path", "url_beg", "url_end", "url_sub", "url_dir", "url_reg", "capture.req.uri"), f == "url":
		return "path"
	case strings.HasPrefix(f, "method"):
		return "method"
	case f == "src" || strings.HasPrefix(f, "src,"):
		return "src"
	case has("url_param", "urlp", "query"):
		return "query"
	case has("hdr", "cook"):
		return "header"
	}
	return ""
}

// matches how values are compared, by the end of a fetch's name or "-m".
var matches = []string{"beg", "end", "sub", "reg", "dir", "dom", "str"}

// expression reads "hdr_beg(host) -i www. blog.".
func (m *mentions) expression(words []string, lists Lists) {
	if len(words) == 0 {
		return
	}
	fetch := strings.TrimLeft(words[0], "!")
	kind, match := kindOf(fetch), "str"
	name, argument, _ := strings.Cut(strings.SplitN(fetch, ",", 2)[0], "(")
	argument = strings.ToLower(strings.SplitN(strings.TrimSuffix(argument, ")"), ",", 2)[0])
	for _, suffix := range matches {
		if strings.HasSuffix(name, "_"+suffix) {
			match = suffix
		}
	}
	for _, found := range mapFile().FindAllStringSubmatch(fetch, -1) {
		m.list(lists[found[1]], kind, argument)
	}
	for i := 1; i < len(words); i++ {
		switch w := words[i]; {
		case w == "-m" && i+1 < len(words):
			match = words[i+1]
			i++
		case (w == "-f" || w == "-M") && i+1 < len(words):
			m.list(lists[words[i+1]], kind+"/"+match, argument)
			i++
		case w == "--" || strings.HasPrefix(w, "-") && len(w) == 2:
		default:
			m.value(kind, match, argument, w)
		}
	}
}

// Listed is how many values of one file are asked for.
const Listed = 200

// Values counts what a list has.
func Values(data []byte) int {
	n := 0
	for range values(data) {
		n++
	}
	return n
}

// values are the words of each line of a list that is no comment.
func values(data []byte) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for l := range strings.Lines(string(data)) {
			if f := strings.Fields(l); len(f) > 0 && !strings.HasPrefix(f[0], "#") && !yield(f) {
				return
			}
		}
	}
}

// list adds values of a list, evenly spread where there are many.
func (m *mentions) list(data []byte, kind, argument string) {
	kind, match, _ := strings.Cut(kind, "/")
	step, n := max((Values(data)+Listed-1)/Listed, 1), -1
	for f := range values(data) {
		if n++; n%step != 0 {
			continue
		}
		for _, w := range f { // of a crt-list, names stand behind the file
			if !strings.HasPrefix(w, "/") || kind == "path" {
				m.value(kind, match, argument, w)
			}
			if kind == "path" || kind == "base" {
				break
			}
		}
	}
}

// value adds a value, made into one that would be sent.
func (m *mentions) value(kind, match, argument, w string) {
	if match == "reg" {
		var ok bool
		if w, ok = example(w); !ok {
			return
		}
	}
	switch kind {
	case "host":
		m.hosts = append(m.hosts, hostLike(match, w))
	case "base":
		host, rest, _ := strings.Cut(w, "/")
		m.hosts, m.paths = append(m.hosts, host), append(m.paths, "/"+rest)
	case "path":
		m.paths = append(m.paths, pathLike(match, w))
	case "method":
		m.methods = append(m.methods, w)
	case "src":
		m.sources = append(m.sources, client(w))
	case "query":
		m.queries = append(m.queries, argument+"="+w)
	case "header":
		m.headers = append(m.headers, Field{argument, headerLike(match, w)})
	}
}

// client is an address of a network: the first behind that of the network itself.
func client(network string) string {
	if p, err := netip.ParsePrefix(network); err == nil && !p.IsSingleIP() {
		return p.Masked().Addr().Next().String()
	}
	address, _, _ := strings.Cut(network, "/")
	return address
}

func hostLike(match, w string) string {
	switch {
	case match == "beg" && strings.HasSuffix(w, "."):
		return w + "example.net"
	case match == "end" && strings.HasPrefix(w, "."):
		return "x" + w
	case match == "sub":
		return "x" + strings.Trim(w, ".") + "x.example.net"
	}
	return strings.TrimPrefix(strings.Replace(w, "*.", "x.", 1), ".")
}

func pathLike(match, w string) string {
	if match == "end" || match == "sub" || match == "dir" || match == "dom" {
		return "/x" + pathJoin(w)
	}
	return w
}

func pathJoin(w string) string {
	if strings.HasPrefix(w, ".") || strings.HasPrefix(w, "/") {
		return w
	}
	return "/" + w + "/x"
}

func headerLike(match, w string) string {
	if match == "sub" {
		return "x" + w + "x"
	}
	return w
}

// example is a text that matches a regular expression.
func example(expression string) (string, bool) {
	re, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return "", false
	}
	return sample(re.Simplify()), true
}

func sample(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		return string(re.Rune)
	case syntax.OpCharClass:
		if len(re.Rune) == 0 {
			return ""
		}
		for i := 0; i+1 < len(re.Rune); i += 2 { // a letter where there is one
			if re.Rune[i] <= 'x' && 'x' <= re.Rune[i+1] {
				return "x"
			}
		}
		return string(re.Rune[0])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "x"
	case syntax.OpCapture, syntax.OpPlus, syntax.OpAlternate:
		return sample(re.Sub[0])
	case syntax.OpConcat:
		var out strings.Builder
		for _, sub := range re.Sub {
			out.WriteString(sample(sub))
		}
		return out.String()
	}
	return ""
}

var (
	hostName = pattern.Lazy(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?(:[0-9]+)?$|^\[[0-9a-fA-F:.]+\](:[0-9]+)?$`)
	token    = pattern.Lazy("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
)

// clean leaves out what is not what it was taken for, and repetitions.
func (m *mentions) clean() {
	distinct := func(list []string, ok func(string) bool) []string {
		var out []string
		for _, v := range list {
			if ok(v) && !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
		return out
	}
	printable := func(v string) bool {
		return !strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`%"<>\^{}|`, r) })
	}
	m.hosts = distinct(m.hosts, func(v string) bool { return len(v) < 200 && hostName().MatchString(v) })
	m.paths = distinct(m.paths, func(v string) bool { return strings.HasPrefix(v, "/") && printable(v) && path.Clean(v) != "/" })
	m.methods = distinct(m.methods, func(v string) bool {
		return token().MatchString(v) && !slices.Contains([]string{"CONNECT", "GET", "HEAD"}, v)
	})
	m.sources = distinct(m.sources, isAddress)
	m.queries = distinct(m.queries, func(v string) bool { return printable(v) && !strings.HasPrefix(v, "=") })
	m.headers = slices.DeleteFunc(m.headers, func(f Field) bool {
		return !token().MatchString(f.Name) || strings.ContainsAny(f.Value, "\r\n\x00") || slices.Contains([]string{"host", "content-length", "transfer-encoding", "connection"}, f.Name)
	})
}
