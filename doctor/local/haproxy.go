package local

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/internal/hostport"
)

// haSection is one section with its lines, those of bitgate's among them, and the
// defaults it inherits from.
type haSection struct {
	keyword, name string
	lines         []haLine
	defaults      *haSection
	place         Place // of its own line
}

type haLine struct {
	Place
	text  string
	words []string
}

func (l haLine) word(i int) string {
	if i < len(l.words) {
		return l.words[i]
	}
	return ""
}

func (l haLine) setting(value string) Setting {
	return Setting{Place: l.Place, Text: l.text, Value: value}
}

// starts reports whether the line begins with these words.
func (l haLine) starts(words ...string) bool {
	return len(l.words) >= len(words) && slices.Equal(l.words[:len(words)], words)
}

// readHAProxy finds the files of the process, or the installed ones, and in them
// the frontend on the public port and the backend that the name leads to.
func readHAProxy(ctx context.Context, w Where, h holder, s *Site) {
	s.Start, s.Reload = unitOf(w.Root, h.pid, "haproxy")
	files := haFiles(ctx, w, h)
	if len(files) == 0 {
		s.Doubt = "its configuration was not found; name it with --haproxy-cfg FILE"
		return
	}
	s.Config = files[0]
	if s.Start == "" {
		s.Start = "haproxy -W -D -f " + s.Config
		if h.pid > 0 {
			s.Reload = haReload(w.Proc, h.pid)
		}
	}
	var sections []*haSection
	for _, path := range files {
		data, err := readFile(path)
		if err != nil {
			s.Doubt = err.Error()
			return
		}
		sections = append(sections, haSections(path, data)...)
	}
	inherit(sections)
	c := haConfig{sections: sections, w: w}
	front := c.frontend()
	if front == nil {
		s.Doubt = fmt.Sprintf("%s binds nothing on port %d", s.Config, w.URL.Port())
		return
	}
	backs := c.backends(front)
	if len(backs) == 0 {
		s.Doubt = fmt.Sprintf("where %s sends requests for %s was not found", front.place, w.URL.Host())
		return
	}
	c.read(front, backs, s)
	c.readSSH(s)
}

// haReload asks the master process, which is the parent of the worker that listens.
func haReload(proc string, pid int) string {
	args := arguments(proc, pid)
	if !slices.ContainsFunc(args, func(a string) bool { return a == "-W" || a == "-Ws" || a == "-sd" }) {
		return ""
	}
	if up := parent(proc, pid); up > 1 && comm(proc, up) == comm(proc, pid) {
		pid = up
	}
	return "kill -USR2 " + strconv.Itoa(pid)
}

func haFiles(ctx context.Context, w Where, h holder) []string {
	if w.HAProxyCfg != "" && h.program != "haproxy" {
		return cfgFiles("", w.HAProxyCfg)
	}
	var out []string
	for i := 1; i < len(h.args); i++ {
		if h.args[i] == "--" { // files follow
			for _, f := range h.args[i+1:] {
				out = append(out, cfgFiles(h.dir, f)...)
			}
			break
		}
		if h.args[i] == "-f" && i+1 < len(h.args) {
			out = append(out, cfgFiles(h.dir, h.args[i+1])...)
			i++
		}
	}
	if len(out) > 0 {
		return out
	}
	in, _ := live.Detect(ctx, live.Search{Cfg: w.HAProxyCfg, Root: w.Root}) // also without a program there are files
	return in.Files
}

// cfgFiles are the files of one -f: of a folder those that end in .cfg (manual, 3).
func cfgFiles(dir, path string) []string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if in, _ := filepath.Glob(filepath.Join(path, "*.cfg")); len(in) > 0 {
		slices.Sort(in)
		return in
	}
	return []string{path}
}

func haSections(path string, data []byte) []*haSection {
	f := haproxy.Parse(data)
	first := map[int]haproxy.Section{}
	for _, s := range f.Sections {
		first[s.First] = s
	}
	var out []*haSection
	for i, l := range f.Lines {
		if len(l.Words) == 0 {
			continue
		}
		line := haLine{Place: Place{path, i + 1}, text: strings.TrimSpace(string(l.Raw))}
		for _, word := range l.Words {
			line.words = append(line.words, word.Text)
		}
		if s, is := first[i]; is {
			out = append(out, &haSection{keyword: s.Keyword, name: s.Name, place: line.Place})
		}
		if len(out) > 0 {
			last := out[len(out)-1]
			last.lines = append(last.lines, line)
		}
	}
	return out
}

// inherit gives each proxy the defaults before it, or those it names ("from").
func inherit(sections []*haSection) {
	var last *haSection
	named := map[string]*haSection{}
	for _, s := range sections {
		if s.keyword == "defaults" {
			last = s
			named[s.name] = s
			continue
		}
		s.defaults = last
		own := s.lines[0].words
		if i := slices.Index(own, "from"); i >= 0 && i+1 < len(own) {
			s.defaults = named[own[i+1]]
		}
	}
}

// last is the last line that begins with the words, of the section or of what it
// inherits.
func (s *haSection) last(words ...string) (haLine, bool) {
	for _, from := range []*haSection{s, s.defaults} {
		if from == nil {
			continue
		}
		for _, l := range slices.Backward(from.lines) {
			if l.starts(words...) {
				return l, true
			}
			if l.starts(append([]string{"no"}, words...)...) {
				return haLine{}, false
			}
		}
	}
	return haLine{}, false
}

type haConfig struct {
	sections []*haSection
	w        Where
}

// frontend is the section that listens on the public port: one of bitgate's, else
// one that speaks of the name, else the first.
func (c haConfig) frontend() *haSection {
	var found *haSection
	ports := []int{c.w.URL.Port()}
	for _, l := range c.w.Listen {
		if at, err := hostport.Parse(l); err == nil {
			ports = append(ports, at.Port)
		}
	}
	for _, s := range c.sections {
		if !s.binds(ports) {
			continue
		}
		if strings.HasPrefix(s.name, "bitgate_") {
			return s
		}
		if found == nil || c.names(s) && !c.names(found) {
			found = s
		}
	}
	return found
}

func (s *haSection) binds(ports []int) bool {
	for _, l := range s.lines {
		if !l.starts("bind") {
			continue
		}
		for address := range strings.SplitSeq(l.word(1), ",") {
			if at, err := hostport.Parse(address); err == nil && slices.Contains(ports, at.Port) {
				return true
			}
		}
	}
	return false
}

// names reports whether a line of the section has the host name as a word.
func (c haConfig) names(s *haSection) bool {
	return slices.ContainsFunc(s.lines, func(l haLine) bool {
		return slices.ContainsFunc(l.words, func(word string) bool { return strings.EqualFold(word, c.w.URL.Host()) })
	})
}

// backends are where the frontend may send requests for the URL: a "listen" itself,
// else the backends whose condition speaks of the name or the path, else the default.
func (c haConfig) backends(front *haSection) []*haSection {
	var out []*haSection
	acls := map[string]bool{} // that speak of the name, or of the path
	for _, l := range front.lines {
		if l.starts("acl") && c.speaks(l.words[1:]) {
			acls[l.word(1)] = true
		}
	}
	for _, l := range front.lines {
		if !l.starts("use_backend") {
			continue
		}
		if slices.ContainsFunc(l.words[2:], func(word string) bool { return acls[word] }) || c.speaks(l.words[2:]) {
			if b := c.backend(l.word(1)); b != nil && !slices.Contains(out, b) {
				out = append(out, b)
			}
		}
	}
	if front.keyword == "listen" {
		out = append(out, front)
	}
	if len(out) > 0 {
		return out
	}
	if l, ok := front.last("default_backend"); ok {
		if b := c.backend(l.word(1)); b != nil {
			return []*haSection{b}
		}
	}
	return nil
}

func (c haConfig) speaks(words []string) bool {
	path := c.w.URL.TomcatPath()
	return slices.ContainsFunc(words, func(word string) bool {
		return strings.EqualFold(word, c.w.URL.Host()) || path != "" && (word == path || word == path+"/")
	})
}

func (c haConfig) backend(name string) *haSection {
	for _, s := range c.sections {
		if s.name == name && (s.keyword == "backend" || s.keyword == "listen") {
			return s
		}
	}
	return nil
}

// haTime is a time as HAProxy reads it: milliseconds without a unit.
func haTime(text string) (time.Duration, bool) {
	if n, err := strconv.Atoi(text); err == nil {
		return time.Duration(n) * time.Millisecond, true
	}
	if n, ok := strings.CutSuffix(text, "d"); ok {
		days, err := strconv.Atoi(n)
		return time.Duration(days) * 24 * time.Hour, err == nil
	}
	d, err := time.ParseDuration(text)
	return d, err == nil
}

func (s *haSection) timeout(name string) Setting {
	l, ok := s.last("timeout", name)
	if !ok {
		return Setting{}
	}
	d, ok := haTime(l.word(2))
	if !ok {
		return Setting{}
	}
	return l.setting(d.String())
}

// read takes what the frontend and the backends say. Of several backends the first
// that has something to say counts: each of them is the administrator's for Bitbucket.
func (c haConfig) read(front *haSection, backs []*haSection, s *Site) {
	back := backs[0]
	s.Client, s.Read = front.timeout("client"), back.timeout("server")
	s.Missing["Client"] = Cure{Add(front.place, "    timeout client 1h")}
	s.Missing["Read"] = Cure{Add(back.place, "    timeout server 1h")}
	s.Missing["Sticky"] = c.sticky(back)
	s.Missing["From"] = Cure{Add(front.place, "    option forwardfor"), Add(front.place, "    http-request del-header X-Forwarded-For")}
	for _, l := range back.lines {
		switch {
		case l.starts("server") && !slices.Contains(l.words, "backup"):
			s.Servers = append(s.Servers, haServer(l))
		case l.starts("cookie"), l.starts("stick"), l.starts("balance", "source"), l.starts("balance", "hdr(cookie)"):
			s.Sticky = true
		case l.starts("http-check", "send") && slices.Contains(l.words, "uri"):
			s.Health = l.setting(l.word(slices.Index(l.words, "uri") + 1))
		case l.starts("option", "httpchk") && !s.Health.Set():
			s.Health = l.setting(checkPath(l.words[2:]))
		}
	}
	if l, ok := back.last("option", "httpchk"); ok && !s.Health.Set() {
		s.Health = l.setting(checkPath(l.words[2:]))
	}
	if !checked(back) {
		s.Health = Setting{}
	}
	for _, section := range []*haSection{front, back} {
		c.rules(section, s)
	}
	c.forwarded(front, back, s)
	for _, g := range c.sections {
		if g.keyword != "global" {
			continue
		}
		for _, l := range g.lines {
			if l.starts("tune.bufsize") {
				s.Header = l.setting(l.word(1))
			}
		}
	}
}

// sticky adds a cookie of the front's own, and a name to each server.
func (c haConfig) sticky(back *haSection) Cure {
	cure := Cure{Add(back.place, "    cookie node insert indirect nocache httponly secure")}
	for _, l := range back.lines {
		if l.starts("server") {
			cure = append(cure, Write(l.Place, l.text+" cookie "+l.word(1)))
		}
	}
	slices.Reverse(cure) // from below, so that the numbers of lines stay right
	return cure
}

// checked reports whether a server of the backend is asked how it is.
func checked(back *haSection) bool {
	if l, ok := back.last("default-server"); ok && slices.Contains(l.words, "check") {
		return true
	}
	return slices.ContainsFunc(back.lines, func(l haLine) bool { return l.starts("server") && slices.Contains(l.words, "check") })
}

// checkPath is the path of "option httpchk [METHOD] URI [VERSION]"; without one
// HAProxy asks OPTIONS /.
func checkPath(words []string) string {
	switch len(words) {
	case 0:
		return "/"
	case 1:
		return words[0]
	}
	return words[1]
}

func haServer(l haLine) Server {
	out := Server{Setting: l.setting(l.word(2)), Scheme: "http"}
	if slices.Contains(l.words, "ssl") {
		out.Scheme = "https"
	}
	if at, err := hostport.Parse(l.word(2)); err == nil {
		out.Local = at.Host == "localhost"
	}
	return out
}

// rules looks at what a section does to a request and its answer. A rule that
// concerns the name of another site is none of ours, and one that bitgate writes is no
// cause of anything.
func (c haConfig) rules(section *haSection, s *Site) {
	for _, from := range []*haSection{section.defaults, section} {
		if from == nil {
			continue
		}
		for _, l := range from.lines {
			if !haproxy.Rendered(l.text) {
				c.rule(l, s)
			}
		}
	}
}

func (c haConfig) rule(l haLine, s *Site) {
	action := strings.ToLower(l.word(1))
	all := strings.ToLower(strings.Join(l.words, " "))
	switch {
	case l.starts("compression", "algo"):
		s.Compress = append(s.Compress, l.setting(l.word(2)))
	case l.word(0) == "filter" && strings.HasPrefix(action, "bwlim-"):
		s.Slow = append(s.Slow, l.setting(action))
	case l.starts("option", "http-buffer-request"):
		s.Chunked = append(s.Chunked, l.setting(action))
	case l.starts("http-request", "cache-use"):
		s.Caches = append(s.Caches, l.setting(action))
	case l.word(0) != "http-request":
	case action == "normalize-uri" || strings.Contains(all, "url_dec"):
		s.Decodes = append(s.Decodes, l.setting(action))
	case action == "set-path" || action == "replace-path" || action == "set-uri" || action == "replace-uri" || action == "set-pathq" || action == "replace-pathq":
		s.Rewrites = append(s.Rewrites, l.setting(action))
	case action == "del-header" && l.deletes("Authorization"):
		s.Auth = append(s.Auth, l.setting(action))
	case action == "auth":
		s.Auth = append(s.Auth, l.setting(action))
	case action == "set-header" && strings.EqualFold(l.word(2), "host"):
		s.Host = l.setting(l.word(3))
	case action == "del-header" && l.deletes("Expect"):
		s.Expect = append(s.Expect, l.setting(action))
	case action == "deny" || action == "tarpit" || action == "reject" || action == "return":
		c.denial(l, all, s)
	}
}

// denial sorts a rule that refuses by what it looks at.
func (c haConfig) denial(l haLine, all string, s *Site) {
	switch {
	case strings.Contains(all, "transfer-encoding") && strings.Contains(all, "chunked") && strings.Contains(all, "!"):
		// refuses others than chunked ones
	case strings.Contains(all, "transfer-encoding"):
		s.Chunked = append(s.Chunked, l.setting(l.word(1)))
	case strings.Contains(all, "(expect)"):
		s.Expect = append(s.Expect, l.setting(l.word(1)))
	case strings.Contains(all, "content-length") || strings.Contains(all, "req.body_size"):
		for _, word := range l.words {
			if n, err := strconv.ParseInt(word, 10, 64); err == nil && n > 999 {
				s.Body = l.setting(strconv.FormatInt(n, 10))
			}
		}
	}
}

// forwarded judges X-Forwarded-For: HAProxy appends a second field to what the
// client sends, unless that is taken away first.
func (c haConfig) forwarded(front, back *haSection, s *Site) {
	removed := false
	for _, section := range []*haSection{front, back} {
		for _, l := range section.lines {
			switch {
			case l.starts("http-request", "del-header") && l.deletes("X-Forwarded-For"):
				removed = true
			case l.starts("http-request", "set-header") && strings.EqualFold(l.word(2), "x-forwarded-for"):
				s.From = l.setting("set")
				return
			}
		}
	}
	for _, section := range []*haSection{front, back} {
		l, ok := section.last("option", "forwardfor")
		if !ok {
			continue
		}
		s.From = l.setting("appended")
		if removed {
			s.From.Value = "set"
		}
		s.Missing["Spoofable"] = Cure{Add(front.place, "    http-request del-header X-Forwarded-For")}
		return
	}
}

// deletes reports whether a del-header takes the field: "NAME [-m str|beg|end|sub|reg]".
func (l haLine) deletes(field string) bool {
	name, how := strings.ToLower(l.word(2)), "str"
	field = strings.ToLower(field)
	if i := slices.Index(l.words, "-m"); i > 0 {
		how = l.word(i + 1)
	}
	switch how {
	case "beg":
		return strings.HasPrefix(field, name)
	case "end":
		return strings.HasSuffix(field, name)
	case "sub":
		return strings.Contains(field, name)
	case "reg":
		re, err := regexp.Compile("(?i)" + l.word(2))
		return err == nil && re.MatchString(field)
	}
	return name == field
}

// readSSH finds the section that forwards bytes to port 7999, or that is named so.
func (c haConfig) readSSH(s *Site) {
	for _, front := range c.sections {
		if front.keyword != "frontend" && front.keyword != "listen" || !strings.Contains(strings.ToLower(front.name), "ssh") {
			continue
		}
		if l, ok := front.last("mode"); ok && l.word(1) == "http" {
			continue
		}
		back := front
		if l, ok := front.last("default_backend"); ok {
			if b := c.backend(l.word(1)); b != nil {
				back = b
			}
		}
		for _, l := range front.lines {
			if l.starts("bind") {
				s.SSH.Listen = l.setting(l.word(1))
			}
		}
		for _, l := range back.lines {
			if l.starts("server") {
				s.SSH.Server = l.setting(l.word(2))
			}
		}
		client, server := front.timeout("client"), back.timeout("server")
		s.SSH.Idle = client
		if server.Set() && (!client.Set() || server.Duration() < client.Duration()) {
			s.SSH.Idle = server
		}
		s.SSH.Missing = Cure{Add(back.place, "    timeout server 1h"), Add(front.place, "    timeout client 1h")}
		return
	}
}
