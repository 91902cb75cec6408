package local

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"bitgate/nginx"
)

// readNginx finds the server block of the name and the location that serves
// Bitbucket's path. What a block does not say it has from the block around it.
func readNginx(w Where, h holder, s *Site) {
	s.Start, s.Reload = unitOf(w.Root, h.pid, "nginx")
	s.Config = cmp.Or(w.NginxConf, option(h.args, "-c"), "/etc/nginx/nginx.conf")
	path := s.Config
	if !filepath.IsAbs(path) {
		path = filepath.Join(option(h.args, "-p"), path)
	} else if h.pid == 0 && w.NginxConf == "" {
		path = filepath.Join(w.Root, path)
	}
	if s.Start == "" {
		s.Start, s.Reload = "nginx -c "+path, "nginx -c "+path+" -s reload"
	}
	conf, err := loadNginx(w.Root, path)
	if err != nil {
		s.Doubt = err.Error()
		return
	}
	http, _ := nginx.Last(conf, "http")
	c := nginxConfig{w: w, http: http}
	if stream, ok := nginx.Last(conf, "stream"); ok {
		c.readStream(stream, s)
	}
	server, doubt := c.server()
	if doubt != "" {
		s.Doubt = path + ": " + doubt
		return
	}
	locations, _, err := c.location(server, w.page())
	if err != nil {
		s.Doubt = path + ": " + err.Error()
		return
	}
	c.read(append([]nginx.Directive{http, server}, locations...), s)
}

func loadNginx(root, path string) ([]nginx.Directive, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return nginx.Load(nginx.Source{Path: path, Data: data}, func(pattern string) []nginx.Source {
		var out []nginx.Source
		for _, name := range glob(root, filepath.Dir(path), pattern) {
			if data, err := readFile(name); err == nil {
				out = append(out, nginx.Source{Path: name, Data: data})
			}
		}
		return out
	})
}

type nginxConfig struct {
	w    Where
	http nginx.Directive
}

func nginxSetting(d nginx.Directive, value string) Setting {
	return Setting{Place: Place{d.File, d.Line}, Text: nginxText(d), Value: value}
}

// nginxText is a directive on one line again.
func nginxText(d nginx.Directive) string {
	text := d.Name
	for _, a := range d.Args {
		if a == "" || strings.ContainsAny(a, " \t;{}\"'#") {
			a = `"` + strings.ReplaceAll(a, `"`, `\"`) + `"`
		}
		text += " " + a
	}
	if d.Block != nil {
		return text + " {"
	}
	return text + ";"
}

// effective is the directive that counts in the innermost block.
func effective(around []nginx.Directive, name string) (nginx.Directive, bool) {
	for _, b := range slices.Backward(around) {
		if d, ok := nginx.Last(b.Block, name); ok {
			return d, true
		}
	}
	return nginx.Directive{}, false
}

// fields are the proxy_set_header lines that count: those of the innermost block
// that has any (ngx_http_proxy_module, "inherited only if there are none").
func fields(around []nginx.Directive) map[string]Setting {
	for _, b := range slices.Backward(around) {
		all := nginx.All(b.Block, "proxy_set_header")
		if len(all) == 0 {
			continue
		}
		out := map[string]Setting{}
		for _, d := range all {
			out[strings.ToLower(d.Arg(0))] = nginxSetting(d, d.Arg(1))
		}
		return out
	}
	return nil
}

func (c nginxConfig) read(around []nginx.Directive, s *Site) {
	inner := around[len(around)-1]
	here := Place{inner.File, inner.Line}
	pass, ok := effective(around[2:], "proxy_pass")
	if !ok {
		s.Doubt = fmt.Sprintf("the server for %s (%s) passes nothing on for %s/", c.w.URL.Host(), Place{around[1].File, around[1].Line}, c.w.URL.TomcatPath())
		return
	}
	c.servers(pass, s)
	add := func(text string) Cure { return Cure{Add(here, "        "+text)} }
	s.Missing["Read"], s.Missing["Body"] = add("proxy_read_timeout 1h;"), add("client_max_body_size 0;")
	s.Missing["From"], s.Missing["Host"] = add("proxy_set_header X-Forwarded-For $remote_addr;"), add("proxy_set_header Host $http_host;")
	s.Read = nginxTime(around, "proxy_read_timeout", time.Minute)
	s.Client = nginxTime(around, "client_body_timeout", time.Minute)
	s.Body = Setting{Value: "1048576"}
	if d, ok := effective(around, "client_max_body_size"); ok {
		s.Body = nginxSetting(d, strconv.FormatInt(size(d.Arg(0)), 10))
	}
	s.Header = Setting{}
	if d, ok := effective(around, "large_client_header_buffers"); ok {
		s.Header = nginxSetting(d, strconv.FormatInt(size(d.Arg(1)), 10))
	}
	set := fields(around)
	s.Host = Setting{Value: "$proxy_host"}
	if f, ok := set["host"]; ok {
		s.Host = f
		if slices.Contains([]string{"$host", "$http_host", "$server_name", c.w.URL.ProxyName(), c.w.URL.Authority()}, f.Value) || strings.HasPrefix(f.Value, "$host:") {
			s.Host.Value = ""
		}
	}
	if f, ok := set["x-forwarded-for"]; ok {
		s.From = f
		s.From.Value = "set"
		if strings.Contains(f.Value, "proxy_add_x_forwarded_for") || strings.Contains(f.Value, "http_x_forwarded_for") {
			s.From.Value = "appended"
			s.Missing["Spoofable"] = Cure{Write(f.Place, "proxy_set_header X-Forwarded-For $remote_addr;")}
		}
	}
	if f, ok := set["authorization"]; ok && f.Value != "$http_authorization" {
		s.Auth = append(s.Auth, f)
	}
	if d, ok := effective(around, "auth_basic"); ok && d.Arg(0) != "off" {
		s.Auth = append(s.Auth, nginxSetting(d, "auth_basic"))
	}
	for name, into := range map[string]*[]Setting{"limit_rate": &s.Slow, "proxy_limit_rate": &s.Slow, "proxy_cache": &s.Caches} {
		if d, ok := effective(around, name); ok && d.Arg(0) != "0" && d.Arg(0) != "off" {
			*into = append(*into, nginxSetting(d, d.Arg(0)))
		}
	}
	if d, ok := effective(around, "gzip"); ok && d.Arg(0) == "on" {
		if p, ok := effective(around, "gzip_proxied"); ok && p.Arg(0) != "off" {
			s.Compress = append(s.Compress, nginxSetting(d, "gzip"))
		}
	}
	c.rewrites(around, s)
}

// rewrites looks for lines that change the path, and for conditions that refuse.
func (c nginxConfig) rewrites(around []nginx.Directive, s *Site) {
	for _, b := range around[1:] {
		for _, d := range b.Block {
			switch {
			case d.Name == "rewrite" && (d.Arg(2) == "break" || d.Arg(2) == "last"):
				s.Rewrites = append(s.Rewrites, nginxSetting(d, d.Arg(1)))
			case d.Name != "if":
			case strings.Contains(d.Arg(0), "$http_transfer_encoding"):
				s.Chunked = append(s.Chunked, nginxBlock(d, "if"))
			case strings.Contains(d.Arg(0), "$http_expect"):
				s.Expect = append(s.Expect, nginxBlock(d, "if"))
			}
		}
	}
}

// nginxBlock is a block that stands on its line as a whole; of a longer one only
// the place is known.
func nginxBlock(d nginx.Directive, value string) Setting {
	out := nginxSetting(d, value)
	if len(d.Block) > 0 && d.Block[len(d.Block)-1].Line != d.Line {
		out.Value = "long"
	}
	return out
}

// servers are where proxy_pass leads, through an upstream block too. A path behind
// the address replaces that of the location, and is sent decoded.
func (c nginxConfig) servers(pass nginx.Directive, s *Site) {
	scheme, rest, ok := strings.Cut(pass.Arg(0), "://")
	if !ok {
		return
	}
	name := rest
	if i := strings.IndexAny(rest, "/$"); i >= 0 {
		name = rest[:i]
		if rest[i] == '/' {
			s.Decodes = append(s.Decodes, nginxSetting(pass, rest[i:]))
		}
	}
	if name == "" {
		return // in a variable
	}
	for _, u := range nginx.All(c.http.Block, "upstream") {
		if u.Arg(0) != name {
			continue
		}
		for _, d := range u.Block {
			switch d.Name {
			case "server":
				if !slices.Contains(d.Args, "backup") && !slices.Contains(d.Args, "down") {
					s.Servers = append(s.Servers, serverAt(nginxSetting(d, ""), d.Arg(0), scheme))
				}
			case "ip_hash", "sticky", "hash":
				s.Sticky = true
			}
		}
		s.Missing["Sticky"] = Cure{Add(Place{u.File, u.Line}, "        ip_hash;")}
		return
	}
	s.Servers = append(s.Servers, serverAt(nginxSetting(pass, ""), name, scheme))
}

// nginxTime is a timeout: seconds without a unit (syntax, "Configuration file
// measurement units").
func nginxTime(around []nginx.Directive, name string, otherwise time.Duration) Setting {
	d, ok := effective(around, name)
	if !ok {
		return Setting{Value: otherwise.String()}
	}
	t, ok := period(d.Arg(0), time.Second)
	if !ok {
		return Setting{}
	}
	return nginxSetting(d, t.String())
}

// size is a number of bytes with k, m or g behind it; one that is none is 0.
func size(text string) int64 {
	factor := int64(1)
	if n := len(text); n > 0 {
		switch text[n-1] {
		case 'k', 'K':
			factor, text = 1<<10, text[:n-1]
		case 'm', 'M':
			factor, text = 1<<20, text[:n-1]
		case 'g', 'G':
			factor, text = 1<<30, text[:n-1]
		}
	}
	n, _ := strconv.ParseInt(text, 10, 64)
	return n * factor
}

// readStream finds the server that forwards bytes to Bitbucket's SSH port.
func (c nginxConfig) readStream(stream nginx.Directive, s *Site) {
	for _, server := range nginx.All(stream.Block, "server") {
		listen, _ := nginx.Last(server.Block, "listen")
		pass, ok := nginx.Last(server.Block, "proxy_pass")
		if !ok || listen.Arg(0) == strconv.Itoa(c.w.URL.Port()) {
			continue
		}
		s.SSH = SSH{Server: nginxSetting(pass, pass.Arg(0))}
		s.SSH.Idle = nginxTime([]nginx.Directive{stream, server}, "proxy_timeout", 10*time.Minute)
		s.SSH.Missing = Cure{Add(Place{server.File, server.Line}, "        proxy_timeout 1h;")}
		return
	}
}
