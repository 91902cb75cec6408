package local

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"bitgate/internal/hostport"
)

// apLine is one directive of Apache's configuration: a line, with those that a
// backslash joins to it (configuring.html, "Syntax"). File and Line are where it begins.
type apLine struct {
	line
	name string // lower case, no word of the line
	host int    // index of the VirtualHost it stands in, -1 for none
}

// apache collects lines over includes.
type apache struct {
	root, dir string
	lines     []apLine
	hosts     []apLine // their opening lines
	files     int
	in        int
}

// readApache finds the VirtualHost of the name on the public port. What it does not
// say it has from the server.
func readApache(w Where, h holder, s *Site) {
	s.Start, s.Reload = unitOf(w.Root, h.pid, "apache2", "httpd")
	s.Config = cmp.Or(w.Apache, option(h.args, "-f"))
	for _, usual := range []string{"/etc/apache2/apache2.conf", "/etc/httpd/conf/httpd.conf"} {
		if path := filepath.Join(w.Root, usual); s.Config == "" && exists(path) {
			s.Config = path
		}
	}
	if s.Start == "" {
		s.Start, s.Reload = "apachectl start", "apachectl graceful"
		if byHand := cmp.Or(w.Apache, option(h.args, "-f")); byHand != "" {
			s.Start = apacheProgram(w.Root, h.args) + " -f " + byHand
			s.Reload = s.Start + " -k graceful"
		}
	}
	a := &apache{root: w.Root, dir: filepath.Dir(s.Config), in: -1}
	if filepath.Base(a.dir) == "conf" { // httpd.conf names files from the folder above
		a.dir = filepath.Dir(a.dir)
	}
	if err := a.read(s.Config); err != nil {
		s.Doubt = err.Error()
		return
	}
	host := a.host(w)
	if host < 0 {
		s.Doubt = fmt.Sprintf("%s has no VirtualHost for %s on port %d", s.Config, w.URL.Host(), w.URL.Port())
		return
	}
	a.site(w, host, s)
}

// apacheProgram is what it is called here: apache2 (Debian) or httpd.
func apacheProgram(root string, args []string) string {
	switch {
	case len(args) > 0:
		return filepath.Base(args[0])
	case exists(filepath.Join(root, "/usr/sbin/httpd")):
		return "httpd"
	}
	return "apache2"
}

func (a *apache) read(path string) error {
	if a.files++; a.files > 1000 {
		return fmt.Errorf("%s: too many includes", path)
	}
	data, err := readFile(path)
	if err != nil {
		return err
	}
	text, begin := "", 0
	for i, line := range strings.Split(string(data), "\n") {
		if text == "" {
			begin = i + 1
		}
		if rest, more := strings.CutSuffix(strings.TrimRight(line, "\r"), "\\"); more {
			text += rest + " "
			continue
		}
		text += line
		if err := a.directive(Place{path, begin}, strings.TrimSpace(text)); err != nil {
			return err
		}
		text = ""
	}
	return nil
}

func (a *apache) directive(at Place, text string) error {
	words := apWords(text)
	if len(words) == 0 || strings.HasPrefix(text, "#") {
		return nil
	}
	l := apLine{line: line{at, text, words[1:]}, name: strings.ToLower(words[0]), host: a.in}
	switch l.name {
	case "<virtualhost":
		a.in = len(a.hosts)
		a.hosts = append(a.hosts, l)
	case "</virtualhost>":
		a.in = -1
	case "include", "includeoptional":
		for _, path := range glob(a.root, a.dir, l.word(0)) {
			if err := a.read(path); err != nil {
				return err
			}
		}
	default:
		a.lines = append(a.lines, l)
	}
	return nil
}

// apWords splits at white space outside quotes; the bracket at the end of a section's
// line goes.
func apWords(text string) []string {
	var out []string
	text = strings.TrimSuffix(strings.TrimSpace(text), ">")
	for text != "" {
		text = strings.TrimLeft(text, " \t")
		if text == "" {
			break
		}
		end := strings.IndexAny(text, " \t")
		if q := text[0]; q == '"' || q == '\'' {
			if i := strings.IndexByte(text[1:], q); i >= 0 {
				out = append(out, text[1:i+1])
				text = text[i+2:]
				continue
			}
		}
		if end < 0 {
			end = len(text)
		}
		out = append(out, text[:end])
		text = text[end:]
	}
	if len(out) == 1 && strings.HasPrefix(out[0], "</") {
		out[0] += ">"
	}
	return out
}

// host is the VirtualHost that takes the name on the port: by name, else the first.
func (a *apache) host(w Where) int {
	found := -1
	for i, h := range a.hosts {
		if !slices.ContainsFunc(h.words, func(address string) bool {
			_, port, ok := hostport.Cut(address)
			return !ok || port == "*" || port == strconv.Itoa(w.URL.Port())
		}) {
			continue
		}
		if found < 0 {
			found = i
		}
		for _, l := range a.lines {
			if l.host == i && (l.name == "servername" || l.name == "serveralias") && slices.ContainsFunc(l.words, func(n string) bool {
				name, _, _ := strings.Cut(n, ":")
				fits, _ := path.Match(strings.ToLower(name), w.URL.Host()) // * and ? of ServerAlias
				return fits || strings.EqualFold(name, w.URL.Host())
			}) {
				return i
			}
		}
	}
	return found
}

// last is the last such directive of the host, else of the server.
func (a *apache) last(host int, name string) (apLine, bool) {
	for _, in := range []int{host, -1} {
		for _, l := range slices.Backward(a.lines) {
			if l.host == in && l.name == name {
				return l, true
			}
		}
	}
	return apLine{}, false
}

func (a *apache) site(w Where, host int, s *Site) {
	open := a.hosts[host].Place
	add := func(text string) Cure { return Cure{Add(open, "    "+text)} }
	s.Missing["Read"], s.Missing["Body"], s.Missing["Host"] = add("ProxyTimeout 3600"), add("LimitRequestBody 0"), add("ProxyPreserveHost On")
	s.From = Setting{Value: "appended"} // mod_proxy_http does so by itself
	s.Missing["Spoofable"] = add("RequestHeader unset X-Forwarded-For early")
	s.Read = Setting{Value: "1m0s"}
	for _, name := range []string{"timeout", "proxytimeout"} {
		if l, ok := a.last(host, name); ok {
			if d, ok := period(l.word(0), time.Second); ok {
				s.Read = l.setting(d.String())
			}
		}
	}
	if l, ok := a.last(host, "limitrequestbody"); ok {
		s.Body = l.setting(l.word(0))
	}
	if l, ok := a.last(host, "limitrequestfieldsize"); ok {
		s.Header = l.setting(l.word(0))
	}
	s.Host = Setting{Value: "that of ProxyPass"}
	if l, ok := a.last(host, "proxypreservehost"); ok && strings.EqualFold(l.word(0), "on") {
		s.Host = l.setting("")
	}
	for _, l := range a.lines {
		if l.host != host {
			continue
		}
		switch {
		case l.name == "proxypass" && strings.HasPrefix(w.URL.TomcatPath()+"/", l.word(0)) && len(s.Servers) == 0:
			a.pass(l, s)
		case l.name == "requestheader" && strings.EqualFold(l.word(0), "unset") && strings.EqualFold(l.word(1), "authorization"):
			s.Auth = append(s.Auth, l.setting("unset"))
		case l.name == "requestheader" && strings.EqualFold(l.word(0), "unset") && strings.EqualFold(l.word(1), "x-forwarded-for"):
			s.From = l.setting("set")
		case l.name == "authtype" && !strings.EqualFold(l.word(0), "none"):
			s.Auth = append(s.Auth, l.setting("AuthType"))
		case l.name == "setoutputfilter" && strings.Contains(strings.ToUpper(l.text), "DEFLATE"):
			s.Compress = append(s.Compress, l.setting("DEFLATE"))
		}
	}
	if len(s.Servers) == 0 {
		s.Doubt = fmt.Sprintf("the VirtualHost in %s passes nothing on for %s/", open, w.URL.TomcatPath())
	}
}

// pass reads "ProxyPass PATH URL [timeout=N] [nocanon]". Without nocanon mod_proxy
// decodes the path and encodes it anew.
func (a *apache) pass(l apLine, s *Site) {
	scheme, rest, ok := strings.Cut(l.word(1), "://")
	if !ok || scheme == "balancer" {
		return
	}
	address, _, _ := strings.Cut(rest, "/")
	s.Servers = append(s.Servers, serverAt(l.setting(""), address, scheme))
	if s.From.Value == "appended" {
		s.From = l.setting("appended")
	}
	for _, word := range l.words[2:] {
		if text, ok := strings.CutPrefix(strings.ToLower(word), "timeout="); ok {
			if n, err := strconv.Atoi(text); err == nil {
				s.Read = l.setting((time.Duration(n) * time.Second).String())
			}
		}
	}
	if !slices.Contains(l.words, "nocanon") {
		s.Decodes = append(s.Decodes, l.setting("canon"))
	}
}
