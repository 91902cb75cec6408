package rehearsal

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"bitgate/haproxy"
)

// Fronts that are rehearsed, as people know them.
const (
	HAProxy = "HAProxy"
	Builtin = "the built-in proxy"
)

// Stage is a configuration rewritten for a rehearsal.
type Stage struct {
	Front   string
	Files   []haproxy.Source
	Servers []Server
	Doors   []Door
	Names   []string // host names that the files want to have resolved
	Paths   []string // absolute paths that the files mention
	Said    []string // what is not rehearsed, for people
	Out     []Cut    // the lines of that
	Limits  string   // a file to load first
	Asked   string   // address of the name server that answers for all others

	config  *config
	used    bool     // Bitbucket's name is mentioned
	sources []string // addresses of clients that the built-in proxy's file mentions
}

// Server is a server line.
type Server struct {
	Section  string
	Address  string // as the file has it
	Recorder string // where the recorder listens in its place
}

// Door is an address that a section listens on.
type Door struct {
	File, Section string
	Line          int    // from 1
	Address       string // to connect to
	Bind          string // as written
	TLS, PROXY    bool
	Mode          string // "http" or "tcp"
	at            section
}

// Surroundings are what a configuration refers to besides itself.
type Surroundings struct {
	Env   map[string]string // the environment of the service
	Local []string          // addresses of this machine
	Drop  []Cut             // lines and words that are left out

	ClientCA string // Bitbucket.ClientCA
}

// Place is a line of a file, from 1.
type Place struct {
	File string
	Line int
}

// Cut is a line, or some words of it, to be left out.
type Cut struct {
	Place
	Word, Count int // both 0: the whole line
}

// NewStage rewrites a set of files.
func NewStage(set []haproxy.Source, around Surroundings) *Stage {
	s := &Stage{Front: HAProxy, config: parse(set, around.Env)}
	w := writer{Stage: s, around: around, edits: make([][]edit, len(set))}
	w.findDoors()
	w.port = w.freePort(7)
	s.Asked = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 91, 0, 53}), uint16(w.port)).String()
	s.config.each(w.rewrite)
	s.Limits = limits(s.config)
	for i, src := range set {
		s.Files = append(s.Files, haproxy.Source{Path: src.Path, Data: apply(src.Data, w.edits[i])})
	}
	return s
}

// ofMachine are lines of the global section that reach into the machine, or want
// more of it than a rehearsal is given.
var ofMachine = []string{
	"daemon", "pidfile", "master-worker", "mworker-max-reloads", "nbproc", "ulimit-n", "cpu-map", "cpu-policy",
	"unix-bind", "external-check", "insecure-fork-wanted", "set-dumpable", "server-state-file", "server-state-base",
	"log", "log-send-hostname", "fd-hard-limit", "tune.ssl.cachesize", "tune.ssl.ssl-ctx-cache-size", "expose-experimental-directives-to-agents",
}

func (w *writer) rewrite(_ section, s haproxy.Section, l line) {
	t := l.texts
	w.Paths = append(w.Paths, paths(t)...)
	switch {
	case w.dropped(l), s.Keyword == "program":
		w.blank(l)
	case strings.HasPrefix(t[0], "lua-"):
		w.skip(l, "Lua could do anything")
	case slices.ContainsFunc(t, func(word string) bool { return strings.Contains(word, "lua.") }):
		w.skip(l, "it asks a Lua script")
	case s.Keyword == "global":
		w.global(l)
	case t[0] == "filter" && len(t) > 1 && (t[1] == "spoe" || t[1] == "opentracing"):
		w.skip(l, "it asks an agent ("+t[1]+")")
	case slices.Contains(t, "send-spoe-group"):
		w.skip(l, "it asks an agent (SPOE)")
	case t[0] == "log" && len(t) > 1 && t[1] != "global", t[0] == "load-server-state-from-file", t[0] == "external-check",
		t[0] == "option" && len(t) > 1 && t[1] == "external-check", s.Keyword == "ring" && t[0] == "backing-file", t[0] == "use-fcgi-app":
		w.blank(l)
	case t[0] == "bind" && len(t) > 1:
		w.bind(l)
	case s.Keyword == "resolvers":
		w.resolvers(l)
	case s.Keyword == "peers" || s.Keyword == "mailers":
		w.names(t[1:]...)
	case t[0] == "server" && len(t) > 2:
		w.server(s, l, 2)
	case t[0] == "server-template" && len(t) > 3:
		w.server(s, l, 3)
	case t[0] == "dispatch" && len(t) > 1:
		w.server(s, l, 1)
	case t[0] == "default-server":
		w.serverWords(l, 1)
	}
}

// resolvers leads questions for names to the stage's own name server.
func (w *writer) resolvers(l line) {
	switch {
	case l.texts[0] == "parse-resolv-conf":
		w.replace(l, 0, "nameserver resolv.conf "+w.Asked)
	case l.texts[0] == "nameserver" && len(l.texts) > 2:
		to := w.Asked
		if strings.HasPrefix(l.texts[2], "tcp") {
			to = "tcp4@" + to
		}
		w.replace(l, 2, to)
	}
}

func (w *writer) global(l line) {
	t := l.texts
	switch {
	case slices.Contains(ofMachine, t[0]), t[0] == "stats" && len(t) > 1 && t[1] == "socket":
		w.blank(l)
	case t[0] == "chroot" && len(t) > 1:
		w.replace(l, 1, Chroot)
	case t[0] == "maxconn" && len(t) > 1:
		if n, err := strconv.Atoi(t[1]); err != nil || n > maxConn {
			w.replace(l, 1, strconv.Itoa(maxConn))
		}
	}
}

// limits are what HAProxy is told where the files say nothing of it: else it has
// a thread for each processor, and tables for as many files as it may open.
func limits(c *config) string {
	text := "global\n"
	if c.global("nbthread") == "" {
		text += "    nbthread 1\n"
	}
	if c.global("maxconn") == "" {
		text += fmt.Sprintf("    maxconn %d\n", maxConn)
	}
	return text
}

// Chroot is the directory that takes the place of any other: it is empty, and with
// the paths of UNIX sockets gone that is all that matters of it.
const Chroot = "/chroot"

// maxConn is how many connections a rehearsed HAProxy gets files for.
const maxConn = 400

// bind keeps the address, which the stage has, and takes out what it has not.
func (w *writer) bind(l line) {
	var addresses []string
	changed := false
	for a := range strings.SplitSeq(l.texts[1], ",") {
		expanded := w.config.expand(a)
		if strings.HasPrefix(expanded, "fd@") || strings.HasPrefix(expanded, "sockpair@") {
			w.skip(l, "it listens on a socket that the service is started with")
			return
		}
		if path, ok := unixPath(expanded); ok {
			a, changed = w.abstract(path), true
		}
		addresses = append(addresses, a)
	}
	if changed {
		w.replace(l, 1, strings.Join(addresses, ","))
	}
	for _, word := range []string{"interface", "namespace"} {
		if at := haproxy.BindKeyword(l.Words, word); at > 0 {
			w.cut(l, at, 2)
		}
	}
	if at := haproxy.BindKeyword(l.Words, "ca-file"); w.around.ClientCA != "" && at > 0 && at+1 < len(l.texts) && l.texts[at+1] == w.around.ClientCA {
		if verify := haproxy.BindKeyword(l.Words, "verify"); verify > 0 && verify+1 < len(l.texts) && l.texts[verify+1] == "required" {
			w.replace(l, verify+1, "optional")
			w.Said = append(w.Said, fmt.Sprintf("%s, line %d: that clients have certificates is not rehearsed", w.config.files[l.file].path, l.index+1))
		}
	}
}

// abstract is the address of a UNIX socket on the stage: one without a path is
// private to a network namespace, and the same inside of a chroot.
func (w *writer) abstract(path string) string {
	return fmt.Sprintf("abns@bitgate-%d", slices.Index(w.unix, path))
}

// unixPath reads the address of a UNIX socket.
func unixPath(address string) (string, bool) {
	for _, family := range []string{"unix@", "uxst@", "abns@", "abnsz@"} {
		if path, ok := strings.CutPrefix(address, family); ok {
			return path, true
		}
	}
	return address, strings.HasPrefix(address, "/")
}

// server leads a server line to a recorder, unless it leads to a section of this
// very HAProxy.
func (w *writer) server(s haproxy.Section, l line, word int) {
	w.serverWords(l, word+1)
	if end := l.Words[len(l.Words)-1].End; l.texts[0] != "dispatch" {
		w.edits[l.file] = append(w.edits[l.file], edit{end, end, " verify none"})
	}
	address := w.config.expand(l.texts[word])
	if to, ok := w.ownAddress(address); ok {
		if to != "" {
			w.replace(l, word, to)
		}
		return
	}
	n := len(w.Servers)
	recorder := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 90, byte(n >> 8), byte(n)}), uint16(w.port)).String()
	w.Servers = append(w.Servers, Server{Section: s.Title(), Address: address, Recorder: recorder})
	w.replace(l, word, recorder)
}

// ownAddress reports whether an address is one that the files themselves bind,
// and how it is spelled on the stage ("" as it stands).
func (w *writer) ownAddress(address string) (string, bool) {
	if path, ok := unixPath(address); ok {
		for _, bound := range w.unix {
			if bound == path || bound == strings.TrimSuffix(w.config.global("chroot"), "/")+path {
				return w.abstract(bound), true
			}
		}
		return "", false
	}
	to, ok := parseAddress(address)
	if !ok || to.port == 0 {
		return "", false
	}
	local := to.addr.IsLoopback() || to.host == "localhost" || to.addr.IsValid() && slices.Contains(w.around.Local, to.addr.String())
	for _, bound := range w.boundAt(to.port) {
		if bound.addr.IsValid() && bound.addr == to.addr || local && bound.any() {
			return "", true
		}
	}
	return "", false
}

// serverWords takes out what makes HAProxy look after a server, of the words from one
// on: on the stage all of them are well.
func (w *writer) serverWords(l line, from int) {
	for i := from; i < len(l.texts); i++ {
		switch l.texts[i] {
		case "check", "agent-check":
			w.cut(l, i, 1)
		case "track", "namespace", "interface":
			w.cut(l, i, 2)
		case "proto":
			if i+1 < len(l.texts) && l.texts[i+1] == "fcgi" {
				w.cut(l, i, 2)
			}
		}
	}
}

// names remembers host names that the stage is to resolve.
func (w *writer) names(words ...string) {
	for _, word := range words {
		if a, ok := parseAddress(w.config.expand(word)); ok && a.host != "" && !a.addr.IsValid() && a.port > 0 {
			w.Names = append(w.Names, a.host)
		}
	}
}

// freePort is one from some on that no file listens on, as long as there is one.
func (w *writer) freePort(from int) int {
	for port := from; port < 1<<16; port++ {
		if !slices.ContainsFunc(w.Doors, func(d Door) bool {
			a, _ := parseAddress(d.Bind)
			return port >= a.port && port <= a.last
		}) {
			return port
		}
	}
	return from
}

// paths picks the absolute paths out of words.
func paths(words []string) []string {
	var out []string
	for _, word := range words {
		for _, part := range strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune(`,()"'[]{}=@ `, r) }) {
			if strings.HasPrefix(part, "/") && len(part) > 1 {
				out = append(out, part)
			}
		}
	}
	return out
}
