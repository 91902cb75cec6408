package rehearsal

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"bitgate/internal/hostport"
	"bitgate/internal/publicurl"
)

// Bitbucket is what its users need from the front.
type Bitbucket struct {
	URL         publicurl.URL
	Upstreams   []string // addresses of its HTTP connectors
	Listen      []string // addresses that lead to it; empty: whatever listens on the URL's port
	Thumbprint  string   // that authorities are answered with for its name, "" for none
	Renewer     string   // who else answers them while it renews the certificate (host:port), "" for nobody
	OldPath     string   // former context path that is redirected, "" for none ("/" means root)
	SSHListen   string   // "" when SSH is not forwarded
	SSHUpstream []string
	Names       []string // other host names that are its own
	ClientCA    string   // of the certificates that its clients need, and no rehearsal has
	Plain       []string // addresses that send plain HTTP on to its URL
}

// Agents are what clients call themselves.
const (
	browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
	chrome  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
	git     = "git/2.47.1"
	jgit    = "JGit/6.10.0.202406032230-r"
	lfs     = "git-lfs/3.5.1 (GitHub; linux amd64; go 1.22.1)"
	java    = "Apache-HttpClient/4.5.14 (Java/17.0.13)"
	curl    = "curl/7.88.1"
)

// bodies, in bytes: of a form, of what HAProxy's buffer holds twice, and of a push.
const (
	small = 120
	large = 40 << 10
	push  = 700 << 10
)

// Paths below the context path.
const (
	repository = "/scm/proj/repo.git"
	refs       = repository + "/info/refs?service="
	objects    = "/rest/git-lfs/storage/PROJ/repo/2e6e0f0c4f8a4d7d0e1f3c5b7a9d8e6f4c2b1a0908f7e6d5c4b3a29180706050"
	rest       = "/rest/api/1.0/projects/PROJ/repos"
	signIn     = "/j_atl_security_check"
	absent     = "/repos/absent"
	deep       = "/projects/PROJ/repos/repo/browse/src/main/java/com/example/application/configuration/VeryOrdinaryConfigurationOfAnApplicationFactoryBean.java"
)

// SentOfMore is how much is sent of what is announced and not sent whole, in bytes.
const SentOfMore = large

// gigabytes is the length of a push of a large repository, or of an LFS object; 32
// bits hold it.
const gigabytes = 2_000_000_000

// isGit reports whether a target is one of Git's or Git LFS's.
func isGit(target string) bool { return strings.Contains(target, ".git/") }

// Body is what a request with n bytes sends.
func Body(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef"[i%16]
	}
	return b
}

var (
	basic   = Field{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("user:rehearsal"))}
	bearer  = Field{"Authorization", "Bearer cmVoZWFyc2FsOg"}
	session = Field{"Cookie", "BITBUCKETSESSIONID=6F1ED002AB5595859014EBF0951522D9; _atl_bitbucket_remember_me=rehearsal"}
	json    = Field{"Content-Type", "application/json"}
)

// asked is a request in short: a client, what it does, and what else it sends.
func asked(name, agent, method, target string, body int, header ...Field) Request {
	return Request{Name: name, Method: method, Target: target, Body: body, Header: append([]Field{{"User-Agent", agent}, {"Accept", "*/*"}}, header...)}
}

// catalogue is what Bitbucket's users send, below its context path.
func catalogue() []Request {
	chunked := func(r Request) Request { r.Chunked = true; return r }
	form := Field{"Content-Type", "application/x-www-form-urlencoded"}
	lfsJSON := Field{"Content-Type", "application/vnd.git-lfs+json"}
	pack := func(service, kind string) Field {
		return Field{"Content-Type", "application/x-git-" + service + "-" + kind}
	}
	all := []Request{
		asked("page", browser, "GET", "/", 0, session),
		asked("page", chrome, "GET", "/dashboard", 0, session, Field{"Accept-Language", "de-DE,de;q=0.9,en;q=0.8"}),
		asked("status", java, "GET", "/status", 0),
		asked("status", curl, "HEAD", "/status", 0),
		asked("login page", browser, "GET", "/login?next=/dashboard", 0),
		asked("login", browser, "POST", signIn, small, form, Field{"Origin", "https://rehearsal"}),
		asked("script", browser, "GET", "/s/d41d8cd98f00b204e9800998ecf8427e-CDN/1/_/download/contextbatch/js/_super/batch.js?locale=en-US", 0, session),
		asked("file with blanks", browser, "GET", "/projects/PROJ/repos/repo/raw/a%20b%2Fc.php?at=refs%2Fheads%2Fmaster", 0, session),
		asked("upload", chrome, "POST", "/projects/PROJ/repos/repo/attachments", large, session, Field{"Content-Type", "multipart/form-data; boundary=x"}, Field{"X-Atlassian-Token", "no-check"}),
		asked("WebSocket", chrome, "GET", "/rest/rehearsal/1.0/socket", 0, session, Field{"Connection", "Upgrade"}, Field{"Upgrade", "websocket"}, Field{"Sec-WebSocket-Version", "13"}, Field{"Sec-WebSocket-Key", "cmVoZWFyc2FsLi4uLi4uLg=="}),
		asked("Kerberos sign-in", browser, "GET", "/plugins/servlet/sso", 0, Field{"Authorization", "Negotiate " + strings.Repeat("YIIH", 1500)}),
		asked("long query", browser, "GET", "/rest/api/latest/search?q="+strings.Repeat("word+", 400), 0, session),
		asked("administration", browser, "GET", "/admin/server-settings", 0, session),
		asked("REST", curl, "GET", rest+"?limit=1000", 0, bearer),
		asked("REST POST", java, "POST", rest, small, bearer, json),
		asked("REST PUT", java, "PUT", rest+"/repo", small, bearer, json),
		asked("REST DELETE", java, "DELETE", rest+"/repo", 0, bearer),
		asked("REST by a script", "python-requests/2.32.3", "GET", rest+"/repo/commits?until=refs%2Fheads%2Fmain", 0, bearer),
		asked("REST, what is not there", java, "GET", "/rest/api/1.0/projects/PROJ"+absent, 0, bearer),
		asked("file in deep folders", browser, "GET", deep+"?at=refs%2Fheads%2Ffeature%2FPROJ-1234-a-branch-with-a-long-name", 0, session),
		asked("clone of a personal repository", git, "GET", "/scm/~ada/repo.git/info/refs?service=git-upload-pack", 0, basic),
		asked("build status", curl, "POST", "/rest/build-status/1.0/commits/9e1d6a2f", small, basic, json),
	}
	for _, agent := range []string{git, jgit} {
		name := map[string]string{git: "git", jgit: "JGit"}[agent]
		all = append(all,
			asked(name+" clone, not signed in", agent, "GET", refs+"git-upload-pack", 0, Field{"Git-Protocol", "version=2"}),
			asked(name+" clone", agent, "GET", refs+"git-upload-pack", 0, basic, Field{"Git-Protocol", "version=2"}),
			asked(name+" clone (POST)", agent, "POST", repository+"/git-upload-pack", small, basic, pack("upload-pack", "request")),
			asked(name+" fetch, compressed", agent, "POST", repository+"/git-upload-pack", small, basic, pack("upload-pack", "request"), Field{"Content-Encoding", "gzip"}),
			chunked(asked(name+" fetch of many", agent, "POST", repository+"/git-upload-pack", large, basic, pack("upload-pack", "request"))),
			asked(name+" push, not signed in", agent, "GET", refs+"git-receive-pack", 0),
			asked(name+" push", agent, "GET", refs+"git-receive-pack", 0, basic),
			asked(name+" push (POST)", agent, "POST", repository+"/git-receive-pack", large, basic, pack("receive-pack", "request")),
			chunked(asked(name+" push of much", agent, "POST", repository+"/git-receive-pack", push, basic, pack("receive-pack", "request"))),
		)
	}
	huge := asked("LFS upload of gigabytes", lfs, "PUT", objects, SentOfMore, basic, Field{"Content-Type", "application/octet-stream"})
	huge.Said = gigabytes
	return append(all, huge,
		asked("LFS batch", lfs, "POST", repository+"/info/lfs/objects/batch", small, basic, lfsJSON),
		asked("LFS locks", lfs, "POST", repository+"/info/lfs/locks/verify", small, basic, lfsJSON),
		asked("LFS upload", lfs, "PUT", objects, push, basic, Field{"Content-Type", "application/octet-stream"}),
		asked("LFS download", lfs, "GET", objects, 0, basic, Field{"Range", "bytes=0-99"}),
	)
}

// http2 is what clients ask that could speak HTTP/2.
func http2() []Request {
	all := []Request{
		asked("page over HTTP/2", browser, "GET", "/", 0, session),
		asked("git clone over HTTP/2", git, "GET", refs+"git-upload-pack", 0, basic),
		asked("git push over HTTP/2", git, "POST", repository+"/git-receive-pack", push, basic, Field{"Content-Type", "application/x-git-receive-pack-request"}),
	}
	for i := range all {
		all[i].ALPN = []string{"h2", "http/1.1"}
	}
	return all
}

// Harmless are requests of Bitbucket's users that change nothing, asked by nobody:
// without a session or a password, so that not even a failed sign-in is counted.
func (b Bitbucket) Harmless() []Request {
	var out []Request
	for _, r := range catalogue() {
		if r.Method != "GET" && r.Method != "HEAD" || field(r.Header, "Upgrade") != "" {
			continue
		}
		r.Header = slices.DeleteFunc(slices.Clone(r.Header), func(f Field) bool { return f.Name == "Authorization" || f.Name == "Cookie" })
		r.Host, r.Target = b.URL.Authority(), b.context()+r.Target
		if !slices.ContainsFunc(out, func(o Request) bool { return o.Target == r.Target && slices.Equal(o.Header, r.Header) }) {
			out = append(out, r)
		}
	}
	return out
}

// Requests asks a listener for all that Bitbucket's users need.
func (b Bitbucket) Requests(doors []Door) []Request {
	var out []Request
	for i, d := range doors {
		for n, r := range catalogue() {
			out = append(out, b.at(d, i, n, r))
		}
		for n, r := range http2() {
			out = append(out, b.at(d, i, 100+n, r))
		}
		out = append(out, b.old(d, i)...)
	}
	return out
}

// Bursts ask a listener for what one client asks at once, which a limit of rates or
// connections may take for an attack: a page brings 40 requests over a browser's six
// connections, Git LFS asks for a hundred objects over eight
// (lfs.concurrenttransfers), and from a build server each fetch has its own.
func (b Bitbucket) Bursts(doors []Door) []Request {
	page := asked("a page with all that it loads (40 requests)", browser, "GET", "/s/d41d8cd98f00b204e9800998ecf8427e-CDN/1/_/download/contextbatch/js/_super/batch.js", 0, session)
	page.Burst = &Burst{Times: 40, Connections: 6}
	build := asked("ten git fetches at once (40 requests)", git, "GET", refs+"git-upload-pack", 0, basic, Field{"Git-Protocol", "version=2"})
	build.Burst = &Burst{Times: 40, Connections: 10}
	objects := asked("LFS download of 100 files", lfs, "GET", objects, 0, basic)
	objects.Burst = &Burst{Times: 100, Connections: 8}
	var out []Request
	for i, d := range doors {
		for n, r := range []Request{page, build, objects} {
			out = append(out, b.at(d, i, 251+n, r)) // from addresses that ask nothing else
		}
	}
	return out
}

// Preflights ask a listener what a browser asks before a page of another site may use
// Bitbucket's REST interface (CORS). Bitbucket itself says no unless its allow list has
// that site, so that a section which answers for it costs few people anything.
func (b Bitbucket) Preflights(doors []Door) []Request {
	r := asked("OPTIONS (CORS preflight)", chrome, "OPTIONS", rest, 0, Field{"Origin", "https://rehearsal"}, Field{"Access-Control-Request-Method", "GET"})
	var out []Request
	for i, d := range doors {
		out = append(out, b.at(d, i, 140, r))
	}
	return out
}

// singled is how many addresses that a file singles out are asked for.
const singled = 40

// Singled ask a listener what few clients ask: for addresses of Bitbucket's that a line of
// the files mentions, and for its name with the port written out.
func (b Bitbucket) Singled(s *Stage, lists Lists) []Request {
	var targets []string
	all := catalogue()
	for _, path := range s.find(lists).paths {
		if strings.HasPrefix(path, "/x.") || strings.HasPrefix(path, "/x/") { // made for what may be anywhere in a path
			path = b.context() + path
		}
		target, ours := strings.CutPrefix(path, b.context())
		sentOn := b.OldPath != "" && b.OldPath != "/" && under(path, b.OldPath)
		tried := slices.ContainsFunc(all, func(r Request) bool {
			return r.Target == target || strings.HasSuffix(target, "/") && strings.HasPrefix(r.Target, target)
		})
		if ours && strings.HasPrefix(target, "/") && !tried && !sentOn && !strings.Contains(path, "/.well-known/") {
			targets = append(targets, target)
		}
	}
	slices.Sort(targets)
	targets = Thin(slices.Compact(targets), singled)
	var out []Request
	for i, d := range b.Doors(s.Doors) {
		for n, target := range targets {
			out = append(out, b.at(d, i, 150+n, asked("GET "+b.context()+target, browser, "GET", target, 0, session)))
		}
		port := b.at(d, i, 110, asked("clone with the port written out", git, "GET", refs+"git-upload-pack", 0, basic))
		port.Host = hostport.Addr{Host: b.URL.Host(), Port: b.URL.Port()}.String()
		out = append(out, port)
	}
	return out
}

// old asks for what is below the former context path. Of the root others may
// have a part, so that nothing is certain there.
func (b Bitbucket) old(d Door, door int) []Request {
	if b.OldPath == "" || b.OldPath == "/" {
		return nil
	}
	var out []Request
	for n, r := range []Request{
		asked("clone under the old path", git, "GET", refs+"git-upload-pack", 0),
		asked("page under the old path", browser, "GET", "/projects/PROJ", 0),
	} {
		target := strings.TrimSuffix(b.OldPath, "/") + r.Target
		if b.context() != "" && under(target, b.context()) {
			continue
		}
		r = b.at(d, door, 120+n, r)
		r.Kind, r.Target = OldAddress, target
		out = append(out, r)
	}
	return out
}

// PlainRequests ask the listeners for plain HTTP, which send on to the public URL.
func (b Bitbucket) PlainRequests() []Request {
	var out []Request
	for i, listen := range b.Plain {
		at, ok := parseAddress(listen)
		if !ok {
			continue
		}
		d := Door{Address: at.dial(at.port)}
		for n, r := range []Request{
			asked("page over plain HTTP", browser, "GET", "/projects/PROJ", 0),
			asked("clone over plain HTTP", git, "GET", refs+"git-upload-pack", 0),
		} {
			r = b.at(d, i, 130+n, r)
			r.Kind, r.Host, r.TLS, r.SNI, r.ALPN = OldAddress, hostport.Bracket(b.URL.Host()), false, "", nil
			out = append(out, r)
		}
	}
	return out
}

// SSHRequests ask the listener for SSH.
func (b Bitbucket) SSHRequests(doors []Door) []Request {
	want, ok := parseAddress(b.SSHListen)
	if !ok || b.SSHListen == "" {
		return nil
	}
	var out []Request
	for i, d := range doors {
		if at, _ := parseAddress(d.Bind); want.port >= at.port && want.port <= at.last {
			out = append(out, Request{Name: "SSH", Kind: SSH, Door: i, Address: d.Address, PROXY: d.PROXY, Banner: true, Source: source(d, 0)})
		}
	}
	if len(out) == 0 {
		out = append(out, Request{Name: "SSH", Kind: SSH, Door: -1, Address: want.dial(want.port), Banner: true})
	}
	return out
}

func (b Bitbucket) at(d Door, door, n int, r Request) Request {
	r.Kind, r.Door, r.Address, r.PROXY = ForBitbucket, door, d.Address, d.PROXY
	r.Source = source(d, n)
	r.TLS, r.SNI = true, sni(b.URL.Host())
	if r.ALPN == nil {
		r.ALPN = []string{"http/1.1"}
	}
	r.Host = b.URL.Authority()
	r.Target = b.context() + r.Target
	return r
}

func (b Bitbucket) context() string { return b.URL.TomcatPath() }

// Doors are the listeners that lead to Bitbucket.
func (b Bitbucket) Doors(all []Door) []Door {
	var out []Door
	for _, d := range all {
		at, _ := parseAddress(d.Bind)
		port := at.port
		wanted := slices.ContainsFunc(b.Listen, func(l string) bool {
			want, ok := parseAddress(l)
			return ok && want.port >= port && want.port <= at.last && (want.any() || at.any() || want.addr == at.addr)
		})
		if wanted || len(b.Listen) == 0 && port <= b.URL.Port() && b.URL.Port() <= at.last {
			if !slices.ContainsFunc(out, func(o Door) bool { return o.Address == d.Address }) {
				out = append(out, d)
			}
		}
	}
	return out
}

// sni is the name that a client sends in the handshake: none for an address.
func sni(host string) string {
	if isAddress(strings.Trim(host, "[]")) {
		return ""
	}
	return host
}

// source is a client's address: many, because a front may count what each asks
// for. They are of a range for documentation (RFC 5737), as is public6.
func source(d Door, n int) string {
	if strings.Contains(d.Address, "[") {
		return fmt.Sprintf("2001:db8:1::%x", 1+n%60000)
	}
	return fmt.Sprintf("203.0.113.%d", 1+n%254)
}
