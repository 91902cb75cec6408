package local

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/internal/atomicfile"
	"bitgate/internal/hostport"
)

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
	var set []haproxy.Source
	for _, path := range files {
		data, err := readFile(path)
		if err != nil {
			s.Doubt = err.Error()
			return
		}
		set = append(set, haproxy.Source{Path: path, Data: data})
	}
	var sections []*haSection
	config := haproxy.ParseSetFor(set, haEnvironment(w, h, files))
	s.Told = config.ACMENotes()
	for _, f := range config.Files() {
		sections = append(sections, haSections(f)...)
	}
	inherit(sections)
	c := haConfig{sections: sections, binds: config.Binds(), w: w}
	front := c.frontend()
	if front == nil {
		s.Doubt = fmt.Sprintf("%s binds nothing on port %d, as far as its ports can be read", strings.Join(files, ", "), w.URL.Port())
		return
	}
	c.readSSH(s)
	outer := []*haSection(nil)
	back, doubt := c.backend(front, config)
	for next := c.passedOn(back); next != nil && !slices.Contains(outer, next); next = c.passedOn(back) {
		outer = append(outer, front, back)
		front = next
		back, doubt = c.backend(front, config)
	}
	if doubt != "" {
		s.Doubt = doubt
		return
	}
	c.read(front, back, s)
	s.passBy(outer)
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
	var out []string
	for i := 1; h.program == "haproxy" && i < len(h.args); i++ {
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
	return slices.DeleteFunc(in.Files, func(path string) bool {             // the one of a folder that would be bitgate's
		_, err := os.Stat(path)
		return filepath.Base(path) == haproxy.OwnFile && err != nil
	})
}

// haEnvironment is what HAProxy reads variables from: the process's, else its unit's.
func haEnvironment(w Where, h holder, files []string) []string {
	if data, err := os.ReadFile(filepath.Join(w.Proc, strconv.Itoa(h.pid), "environ")); err == nil && h.pid > 0 {
		return strings.Split(string(data), "\x00")
	}
	return live.ServiceOfSet(w.Root, files).Env
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

type haConfig struct {
	sections []*haSection
	binds    []haproxy.Bind
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
	taken := map[Place]bool{}
	for _, b := range c.binds {
		taken[Place{b.File, b.Line}] = taken[Place{b.File, b.Line}] || b.Takes(ports...)
	}
	for _, s := range c.sections {
		if s.keyword == "global" || !slices.ContainsFunc(s.lines, func(l line) bool { return taken[l.Place] }) {
			continue // a "stats socket" takes no requests
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

// names reports whether a line of the section has the host name as a word.
func (c haConfig) names(s *haSection) bool {
	return slices.ContainsFunc(s.lines, func(l line) bool {
		return slices.ContainsFunc(l.words, func(word string) bool { return strings.EqualFold(word, c.w.URL.Host()) })
	})
}

// backend is where the frontend sends requests for the URL, by its rules in their order: a
// "listen" itself, where these and its default send them nowhere else. Where the files do
// not tell, doubt says which line it is.
func (c haConfig) backend(front *haSection, config haproxy.Config) (back *haSection, doubt string) {
	byDefault := ""
	if l, ok := front.last("default_backend"); ok {
		byDefault = l.word(1)
	} else if front.keyword == "listen" {
		byDefault = front.name
	}
	way := config.WayFrom(front.place.File, front.place.Line, c.w.URL, c.w.page(), byDefault, c.list)
	if len(way.Unsure) > 0 {
		at := Place{front.place.File, way.Unsure[0]}
		line := front.lines[slices.IndexFunc(front.lines, func(l line) bool { return l.Place == at })]
		return nil, fmt.Sprintf("whether `%s` in %s takes requests for %s is not known; without it they go to %s",
			strings.TrimSpace(haproxy.Shown(line.text)), at, c.w.URL.Host(), cmp.Or(way.Backend, front.name))
	}
	if way.Backend == front.name && front.keyword == "listen" {
		return front, ""
	}
	if back = c.section(way.Backend); back == nil {
		return nil, fmt.Sprintf("where %s sends requests for %s was not found", front.place, c.w.URL.Host())
	}
	return back, ""
}

// list reads a file with patterns or a map. From which folder HAProxy takes others than
// those by a full path is not followed.
func (c haConfig) list(path string) ([]byte, error) {
	if !filepath.IsAbs(path) {
		return nil, fs.ErrNotExist
	}
	f, err := atomicfile.Read(filepath.Join(c.w.Root, path))
	if err == nil && f.Absent {
		err = fs.ErrNotExist
	}
	return f.Data, err
}

func (c haConfig) section(name string) *haSection {
	for _, s := range c.sections {
		if s.name == name && (s.keyword == "backend" || s.keyword == "listen") {
			return s
		}
	}
	return nil
}

// read takes what the frontend and the backend say.
func (c haConfig) read(front, back *haSection, s *Site) {
	s.Client, s.Read = front.timeout("client"), back.timeout("server")
	s.Missing["Client"] = Cure{Add(front.place, "    timeout client 1h")}
	s.Missing["Read"] = Cure{Add(back.place, "    timeout server 1h")}
	s.Missing["Sticky"] = c.sticky(back, s)
	s.Missing["From"] = Cure{Add(front.place, "    option forwardfor"), Add(front.place, "    http-request del-header X-Forwarded-For")}
	for _, l := range back.lines {
		switch {
		case l.starts("server") && !l.serverHas("backup"):
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
	c.rules(s, front.defaults, front, back.defaults, back)
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
func (c haConfig) sticky(back *haSection, s *Site) Cure {
	cure := Cure{Add(back.place, "    cookie node insert indirect nocache httponly secure")}
	for _, l := range back.lines {
		if l.starts("server") {
			cure = append(cure, s.More(l.setting(""), "cookie "+l.word(1)))
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
	return slices.ContainsFunc(back.lines, func(l line) bool { return l.starts("server") && l.serverHas("check") })
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

func haServer(l line) Server {
	out := Server{Setting: l.setting(l.word(2)), Scheme: "http"}
	if l.serverHas("ssl") {
		out.Scheme = "https"
	}
	if at, err := hostport.Parse(l.word(2)); err == nil {
		out.Local = at.Host == "localhost"
	}
	return out
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
			if b := c.section(l.word(1)); b != nil {
				back = b
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
