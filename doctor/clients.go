package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"bitgate/haproxy/rehearsal"
	"bitgate/internal/problem"
)

// What browsers, git, LFS and scripts send, in harmless form: nobody is signed in, and
// nothing is read or changed.
var clientChecks = []check{
	{
		id: "xsrf", title: "Forms and REST calls of browsers", https: true,
		why:  "a browser says where a form comes from (Origin); Bitbucket refuses it with \"XSRF check failed\" where it believes to have another address",
		do:   "set scheme, secure, proxyName and proxyPort of the connector to the public URL and restart Bitbucket",
		look: lookXSRF,
	}, {
		id: "push", title: "Large pushes", https: true,
		why:  "a push is one request as large as the data",
		do:   "let no hop in front of Bitbucket limit bodies (nginx: client_max_body_size 0), nor take or refuse the field Expect",
		look: lookLargePush,
	}, {
		id: "push.chunked", title: "Pushes of unknown length", https: true,
		why:  "git sends a push larger than http.postBuffer (1 MiB) in chunks",
		do:   "let every hop in front of Bitbucket speak HTTP/1.1 and pass chunked bodies on",
		look: lookChunkedPush,
	}, {
		id: "header", title: "Large header fields", https: true,
		why:  "cookies of single sign-on and Kerberos tickets are that large",
		do:   "let every hop take header fields of 8 KiB at least (HAProxy: tune.bufsize, nginx: large_client_header_buffers)",
		look: lookLargeHeader,
	}, {
		id: "auth", title: "Sign-in by header field", https: true,
		why:  "git, CI servers and REST clients sign in with the field Authorization",
		do:   "let no hop in front of Bitbucket take the field away or ask for a password of its own",
		look: lookAuthorization,
	}, {
		id: "paths", title: "Special characters in paths", https: true,
		why:  "files and branches with such names are answered 400 or 404",
		do:   "let no hop decode, normalize or rewrite the path",
		when: func(t Target) bool { return t.Direct != "" },
		look: lookPaths,
	}, {
		id: "clients", title: "What browsers, Git and LFS ask", https: true,
		why:  "a rule of the front may look at the path, the method or the name of the client",
		do:   "look among the front's rules for one that meets what is named",
		when: func(t Target) bool { return t.Direct != "" },
		look: lookClients,
	}, {
		id: "lfs", title: "LFS addresses", https: true,
		why:  "git-lfs uploads to the address that Bitbucket names",
		do:   "set scheme, secure, proxyName and proxyPort of the connector to the public URL and restart Bitbucket",
		when: func(t Target) bool { return t.Repo != "" && t.GitUser != "" },
		look: lookLFS,
	},
}

func (p *probe) request(ctx context.Context, method, path string, body io.Reader, fields ...string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.t.URL.BaseURL()+path, body)
	for i := 0; err == nil && i+1 < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	return req, err
}

// anonymous is a resource that everybody may read, and nobody change.
const anonymous = "/rest/api/1.0/application-properties"

func lookXSRF(ctx context.Context, p *probe) verdict {
	a, err := p.do(p.request(ctx, http.MethodPost, anonymous, strings.NewReader("bitgate=1"),
		"Origin", p.t.URL.Origin(), "Content-Type", "application/x-www-form-urlencoded", "Accept", "application/json"))
	if v, down := unavailable(a, err); down {
		return v
	}
	if a.status == http.StatusForbidden && strings.Contains(string(a.body), "XSRF check failed") {
		return fail("a request from " + p.t.URL.Origin() + " is answered XSRF check failed")
	}
	return ok("a request from " + p.t.URL.Origin() + " is not refused for that")
}

// unavailable is for checks that fail where there is no answer, and say nothing where
// Bitbucket does not answer, which another check reports.
func unavailable(a answer, err error) (verdict, bool) {
	switch {
	case err != nil:
		return fail(err.Error()), true
	case a.withoutServer():
		return note("not checked, because the front answers " + a.line()), true
	}
	return verdict{}, false
}

// plain asks by HTTP/1.1 on a connection of its own.
func (p *probe) plain(req *http.Request, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	c := *p.http(req.Context())
	if t, is := c.Transport.(*http.Transport); is {
		t = t.Clone()
		t.ForceAttemptHTTP2, t.DisableKeepAlives, t.ExpectContinueTimeout = false, true, p.hurry
		t.TLSClientConfig.NextProtos = []string{"http/1.1"}
		defer t.CloseIdleConnections()
		c.Transport = t
	}
	return ask(&c, req)
}

// lookLargeHeader sends what a Tomcat takes without further settings (8 KiB), and
// tells what becomes of more.
func lookLargeHeader(ctx context.Context, p *probe) verdict {
	try := func(size int) (answer, error) {
		return p.plain(p.request(ctx, http.MethodGet, "/status", nil, "X-Bitgate-Check", strings.Repeat("x", size)))
	}
	a, err := try(6 << 10)
	if err != nil {
		return fail("a header field of 6 KiB: " + err.Error())
	}
	if v, down := unavailable(a, nil); down {
		return v
	}
	if a.status == http.StatusBadRequest || a.status == http.StatusRequestHeaderFieldsTooLarge {
		return fail("a header field of 6 KiB is answered " + a.line())
	}
	seen := "6 KiB get through"
	if b, err := try(12 << 10); err == nil {
		seen += "; 12 KiB are answered " + b.line()
	}
	return ok(seen)
}

// lookAuthorization sends a token that is none: it must be refused. A user's name
// would be counted as a failed sign-in.
func lookAuthorization(ctx context.Context, p *probe) verdict {
	a, err := p.do(p.request(ctx, http.MethodGet, anonymous, nil, "Authorization", "Bearer bitgate-check-this-is-no-token"))
	if v, down := unavailable(a, err); down {
		return v
	}
	open, err := p.get(ctx, p.t.URL.BaseURL()+anonymous)
	if err != nil {
		return fail(err.Error())
	}
	var is struct {
		Version string `json:"version"`
	}
	known := json.Unmarshal(open.body, &is) == nil && is.Version != ""
	switch {
	case open.status == http.StatusUnauthorized && open.header.Get("WWW-Authenticate") != "" && !known:
		return fail("a page that is open to everybody is answered " + open.line() + ": the front asks for a password of its own")
	case !known:
		return note("not checked, because Bitbucket does not tell its version here: " + open.line())
	case !tokens(is.Version):
		return ok("Bitbucket " + is.Version + " knows no access tokens")
	case a.status == http.StatusOK:
		return fail("a wrong token is answered " + a.line() + ", as if there were none: the field does not get to Bitbucket")
	}
	return ok("a wrong token is answered " + a.line())
}

// tokens: HTTP access tokens came with Bitbucket 5.5.
func tokens(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, err := strconv.Atoi(major)
	b, _ := strconv.Atoi(minor)
	return err == nil && (a > 5 || a == 5 && b >= 5)
}

// lookPaths asks Bitbucket the same through the front and past it.
func lookPaths(ctx context.Context, p *probe) verdict {
	for _, path := range []string{
		"/projects/BITGATE/repos/check/browse/a%20b%2Bc%C3%A4%5B1%5D?at=refs%2Fheads%2Fmain", "/projects/BITGATE/repos/check/browse/a//b", "/projects/BITGATE/repos/a%2Fb",
	} {
		through, err := p.get(ctx, p.t.URL.BaseURL()+path)
		if v, down := unavailable(through, err); down {
			return v
		}
		direct, err := p.direct(ctx, http.MethodGet, p.t.URL.TomcatPath()+path)
		if err != nil {
			return note("not checked: " + err.Error())
		}
		if through.status != direct.status || below(through) != below(direct) {
			return fail(fmt.Sprintf("%s is answered %s through the front, and %s by Bitbucket itself", path, through.line(), direct.line()))
		}
	}
	return ok("they get to Bitbucket as they were sent")
}

// below is where an answer leads, without scheme and host.
func below(a answer) string {
	if l := a.location(); l != nil {
		return l.RequestURI()
	}
	return ""
}

// direct asks Bitbucket past the front, as the front does.
func (p *probe) direct(ctx context.Context, method, target string, header ...rehearsal.Field) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.t.Direct+target, nil)
	if err != nil {
		return answer{}, err
	}
	req.Host = p.t.URL.Authority()
	for _, f := range header {
		req.Header.Set(f.Name, f.Value)
	}
	return ask(pastFront, req)
}

var pastFront = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// lookClients compares what the front answers with what Bitbucket does, for all that
// the rehearsal asks and that changes nothing.
func lookClients(ctx context.Context, p *probe) verdict {
	var differ []string
	all := rehearsal.Bitbucket{URL: p.t.URL}.Harmless()
	for _, r := range all {
		req, err := http.NewRequestWithContext(ctx, r.Method, p.t.URL.Origin()+r.Target, nil)
		if err != nil {
			return note("not checked: " + err.Error())
		}
		for _, f := range r.Header {
			req.Header.Set(f.Name, f.Value)
		}
		through, err := p.do(req, nil)
		if err != nil {
			return note("not checked: " + err.Error())
		}
		if v, down := unavailable(through, nil); down {
			return v
		}
		direct, err := p.direct(ctx, r.Method, r.Target, r.Header...)
		if err != nil {
			return note("not checked: " + err.Error())
		}
		if through.status != direct.status || below(through) != below(direct) {
			differ = append(differ, fmt.Sprintf("%s is answered %s through the front, and %s by Bitbucket itself", r.Name, through.line(), direct.line()))
		}
	}
	if len(differ) > 0 {
		text := strings.Join(differ[:min(len(differ), 3)], "; ")
		if len(differ) > 3 {
			text += fmt.Sprintf("; and %d more", len(differ)-3)
		}
		return fail(text).doing(fmt.Sprintf("look among the front's rules for one that meets what is named; on HAProxy's machine \"bitgate rehearse --url %s\" finds its line", p.t.URL.BaseURL()))
	}
	return ok(fmt.Sprintf("%d requests are answered as Bitbucket itself answers them", len(all)))
}

// lookLFS asks where an object would be uploaded to (git-lfs, "Batch API"); none is.
func lookLFS(ctx context.Context, p *probe) verdict {
	if !p.handshake(ctx).trusted() {
		return note("not checked, because the password is not sent over a connection that cannot be trusted")
	}
	path := strings.TrimSuffix(p.pushPath(), "/git-receive-pack") + "/info/lfs/objects/batch"
	body := `{"operation":"upload","transfers":["basic"],"objects":[{"oid":"` + strings.Repeat("b1", 32) + `","size":1}]}`
	const kind = "application/vnd.git-lfs+json"
	req, err := p.request(ctx, http.MethodPost, path, strings.NewReader(body), "Content-Type", kind, "Accept", kind)
	if err != nil {
		return fail(err.Error())
	}
	req.SetBasicAuth(p.t.GitUser, string(p.t.GitPassword.Reveal()))
	a, err := p.do(req, nil)
	if err != nil {
		return fail(err.Error())
	}
	var batch struct {
		Objects []struct {
			Actions map[string]struct {
				Href string `json:"href"`
			} `json:"actions"`
		} `json:"objects"`
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &batch) != nil {
		return note("not checked: the LFS resource answers " + a.line())
	}
	for _, o := range batch.Objects {
		for _, action := range o.Actions {
			if u, err := url.Parse(action.Href); err != nil || !p.isPublic(u) {
				return fail("objects would be sent to " + problem.Mask(action.Href) + ", which is not under " + p.t.URL.BaseURL())
			}
		}
	}
	return ok("objects go to " + p.t.URL.BaseURL())
}
