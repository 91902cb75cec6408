package local

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"bitgate/haproxy"
	"bitgate/internal/atomicfile"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/internal/sockets"
)

// Site is what the front does with requests for the public URL, in terms that
// hold for every program.
type Site struct {
	Program string // "haproxy", "nginx", "apache", "bitgate", another's name; "" where nothing was found
	PID     int    // of who listens; 0: nobody does
	Config  string // main configuration file
	Doubt   string // why the configuration could not be read, or says nothing of the name

	Start, Reload string // commands

	Servers  []Server  // where requests go
	Sticky   bool      // a client stays with its server
	Read     Setting   // longest silence of Bitbucket; Value is a duration ("1m0s")
	Client   Setting   // longest silence of the client
	Body     Setting   // largest body in bytes, "0" for none
	Header   Setting   // largest header line in bytes
	Rewrites []Setting // lines that change the path
	Decodes  []Setting // lines that decode or normalize what is encoded in it
	Chunked  []Setting // lines that refuse bodies without a length
	Expect   []Setting // lines that refuse or drop Expect
	Auth     []Setting // lines that take the Authorization field
	Slow     []Setting // lines that limit how fast answers go
	Compress []Setting // lines that compress
	Host     Setting   // Host sent on; Value "" where it is the client's
	From     Setting   // X-Forwarded-For: Value "", "appended", "set"
	Health   Setting   // path that decides whether Bitbucket is used; "" without one
	Caches   []Setting // lines that keep answers
	SSH      SSH

	Told []problem.Finding // what no request shows

	Missing map[string]Cure // what to add for a setting that no file says, by the name of the field
}

// Server is one place that requests go to.
type Server struct {
	Setting        // Value is host:port
	Scheme  string // "http" or "https"
	Local   bool   // written as localhost
}

// SSH is where git's SSH connections go through the front.
type SSH struct {
	Server  Setting // Value is the address
	Idle    Setting // longest silence
	Missing Cure
}

// serverAt is the server at an address, with the usual port of its scheme where none is
// written.
func serverAt(is Setting, address, scheme string) Server {
	host, port, ok := hostport.Cut(address)
	if !ok {
		host, port = address, map[string]string{"http": "80", "https": "443"}[scheme]
	}
	is.Value = hostport.Bracket(host) + ":" + port
	return Server{Setting: is, Scheme: scheme, Local: host == "localhost"}
}

// line is a line of a configuration, in words.
type line struct {
	Place
	text  string
	words []string
}

func (l line) word(i int) string {
	if i < len(l.words) {
		return l.words[i]
	}
	return ""
}

func (l line) setting(value string) Setting {
	return Setting{Place: l.Place, Text: l.text, Value: value}
}

// period is a time as it stands in a configuration; a number alone is so many units.
func period(text string, unit time.Duration) (time.Duration, bool) {
	if n, err := strconv.Atoi(text); err == nil {
		return time.Duration(n) * unit, true
	}
	if n, ok := strings.CutSuffix(text, "d"); ok {
		days, err := strconv.Atoi(n)
		return time.Duration(days) * 24 * time.Hour, err == nil
	}
	d, err := time.ParseDuration(text)
	return d, err == nil
}

// headerWords are how many words of the lines that set a header name it.
var headerWords = map[string]int{"proxy_set_header": 2, "add_header": 2, "header": 3, "requestheader": 3}

// Shown is the line of a setting as others than the administrator may see it: what a
// header is set to may be a credential.
func (s Site) Shown(l Setting) string {
	if s.Program == "haproxy" {
		return strings.TrimSpace(haproxy.Shown(l.Text))
	}
	words := strings.Fields(l.Text)
	if len(words) > 0 {
		if keep := headerWords[strings.ToLower(words[0])]; keep > 0 && len(words) > keep {
			return strings.Join(words[:keep], " ") + " " + problem.Hidden
		}
	}
	return problem.Mask(l.Text)
}

// Rewrite is the step that makes the line of a setting another one. Of a line that may
// not be shown as a whole, or that ends in a comment, words say what is to be done there.
func (s Site) Rewrite(l Setting, text, words string) Step {
	if s.Shown(l) != l.Text {
		return Step{Place: l.Place, Words: words + " in " + l.String()}
	}
	return Write(l.Place, text)
}

// Instead is the step that puts what a line should say in the place of what it says.
func (s Site) Instead(l Setting, is, want string) Step {
	return s.Rewrite(l, strings.Replace(l.Text, is, want, 1), fmt.Sprintf("write `%s` instead of `%s`", want, is))
}

// More is the step that puts more words on a line.
func (s Site) More(l Setting, words string) Step {
	return s.Rewrite(l, l.Text+" "+words, fmt.Sprintf("add `%s`", words))
}

// Duration is the value of a timeout, 0 for none.
func (s Setting) Duration() time.Duration {
	d, _ := time.ParseDuration(s.Value) // made by this package
	return d
}

// Number is the value of a size, 0 for none.
func (s Setting) Number() int64 {
	n, _ := strconv.ParseInt(s.Value, 10, 64) // made by this package
	return n
}

// findSite finds the program and reads its configuration.
func findSite(ctx context.Context, w Where) Site {
	s := Site{Missing: map[string]Cure{}}
	h := listener(w)
	s.PID, s.Program = h.pid, h.program
	if w.Front == "tomcat" {
		s.Program = w.Front // whose process is Bitbucket's
	}
	if s.Program == "" || w.HAProxyCfg != "" || w.NginxConf != "" || w.Apache != "" {
		s.Program = named(w, s.Program)
	}
	if s.read(ctx, w, h) {
		s.Start, s.Reload = cmp.Or(w.StartFront, s.Start), cmp.Or(w.ReloadFront, s.Reload)
	}
	return s
}

// read reads the configuration of the program; false for one that is not known here.
func (s *Site) read(ctx context.Context, w Where, h holder) bool {
	switch s.Program {
	case "haproxy":
		readHAProxy(ctx, w, h, s)
	case "nginx":
		readNginx(w, h, s)
	case "apache":
		readApache(w, h, s)
	default:
		return s.Program == "bitgate" || s.Program == "tomcat"
	}
	return true
}

// named is the program whose configuration is known, or lies where it usually does
// and speaks of the name.
func named(w Where, running string) string {
	switch {
	case w.HAProxyCfg != "":
		return "haproxy"
	case w.NginxConf != "":
		return "nginx"
	case w.Apache != "":
		return "apache"
	case w.Front != "":
		return w.Front
	case running != "":
		return running
	}
	for _, usual := range []struct{ program, path string }{
		{"haproxy", "/etc/haproxy/haproxy.cfg"}, {"nginx", "/etc/nginx/nginx.conf"}, {"apache", "/etc/apache2/apache2.conf"}, {"apache", "/etc/httpd/conf/httpd.conf"},
	} {
		trial := Site{Program: usual.program, Missing: map[string]Cure{}}
		if exists(filepath.Join(w.Root, usual.path)) && trial.read(context.Background(), w, holder{}) && len(trial.Servers) > 0 && trial.Doubt == "" {
			return usual.program
		}
	}
	return ""
}

// holder is who listens on the public port.
type holder struct {
	program string
	pid     int
	args    []string
	dir     string
}

// listener looks who listens on the port of the public URL, or of the addresses of
// a run, here.
func listener(w Where) holder {
	all, err := sockets.Listening(w.Proc, uint16(w.URL.Port()))
	if err != nil {
		return holder{}
	}
	var inodes []string
	for _, s := range all {
		inodes = append(inodes, s.Inode)
	}
	for _, held := range sockets.Holders(w.Proc, inodes...) {
		p := held[len(held)-1]
		h := holder{program: programOf(p.Name), pid: p.PID}
		h.args = arguments(w.Proc, p.PID)
		h.dir, _ = os.Readlink(filepath.Join(w.Proc, strconv.Itoa(p.PID), "cwd"))
		return h
	}
	if len(all) > 0 {
		return holder{program: "", pid: -1} // somebody, who may not be seen
	}
	return holder{}
}

func programOf(name string) string {
	switch name {
	case "apache2", "httpd":
		return "apache"
	}
	return name
}

// arguments are the words a process was started with. nginx writes over its own:
// "nginx: master process /usr/sbin/nginx -c FILE", whose worker has none.
func arguments(proc string, pid int) []string {
	read := func(pid int) string {
		data, _ := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "cmdline")) // a process may have ended
		return string(data)
	}
	line := read(pid)
	if strings.HasPrefix(line, "nginx: worker") {
		line = read(parent(proc, pid))
	}
	if rest, ok := strings.CutPrefix(line, "nginx: master process "); ok {
		return strings.Fields(strings.ReplaceAll(rest, "\x00", " "))
	}
	return strings.FieldsFunc(line, func(r rune) bool { return r == 0 })
}

// parent is the id of the parent of a process (proc_pid_status(5)).
func parent(proc string, pid int) int {
	data, _ := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "status"))
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "PPid:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(rest))
			return n
		}
	}
	return 0
}

// comm is what a process calls itself.
func comm(proc string, pid int) string {
	data, _ := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "comm")) // it may have ended
	return strings.TrimSpace(string(data))
}

// option is the value of a process's option, -f FILE or -fFILE; "" without it.
func option(args []string, name string) string {
	for i, a := range args {
		if a == name && i+1 < len(args) {
			return args[i+1]
		}
		if rest, ok := strings.CutPrefix(a, name); ok && len(name) == 2 && rest != "" && i > 0 {
			return strings.TrimPrefix(rest, "=")
		}
	}
	return ""
}

func readFile(path string) ([]byte, error) {
	f, err := atomicfile.Read(path)
	if err != nil {
		return nil, err
	}
	return f.Data, nil
}

// glob are the files a pattern names, in order; hidden ones only where it says so.
func glob(root, dir, pattern string) []string {
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(dir, pattern)
	} else {
		pattern = filepath.Join(root, pattern)
	}
	found, _ := filepath.Glob(pattern) // a pattern that is none names nothing
	return found
}

// unitOf is the systemd unit that started a process or that there is for a
// program, as commands to start and reload it.
func unitOf(root string, pid int, names ...string) (start, reload string) {
	// A shell that started the program by hand has a unit as well.
	ofProgram := func(unit string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(unit, n) })
	}
	if c, ok := service.UnitOf(root, pid); ok && pid > 0 && c.How == service.Systemd && ofProgram(c.Name) {
		return "systemctl start " + c.Name, "systemctl reload " + c.Name
	}
	if !service.HasSystemd(root) {
		return "", ""
	}
	for _, n := range names {
		for _, dir := range []string{"/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"} {
			if exists(filepath.Join(root, dir, n+".service")) {
				return "systemctl start " + n, "systemctl reload " + n
			}
		}
	}
	return "", ""
}
