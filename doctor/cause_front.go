package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bitgate/doctor/local"
	"bitgate/internal/pattern"
	"bitgate/internal/problem"
)

// patient is how long a front must bear silence: packing a large repository takes
// minutes without a byte.
const patient = 5 * time.Minute

var frontCauses = []cause{
	{"timeout", "Patience of the front", []string{"git", "status"}, lookTimeouts},
	{"slow", "Speed limit of the front", []string{"git"}, lookSlow},
	{"body", "Size of pushes", []string{"push"}, lookBody},
	{"chunked", "Pushes of unknown length", []string{"push.chunked"}, lookChunked},
	{"expect", "Expect: 100-continue", []string{"push"}, lookExpect},
	{"sticky", "Clients change their node", []string{"nodes"}, lookSticky},
	{"decode", "Special characters in paths", []string{"paths"}, lookDecode},
	{"compress", "Compression twice", nil, lookCompress},
	{"header", "Size of header fields", []string{"header"}, lookHeader},
	{"health", "Health check of the front", []string{"status"}, lookHealth},
	{"from", "Addresses of clients", nil, lookFrom},
	{"host", "Host field", connectorSymptoms, lookHost},
	{"auth", "Authorization field", []string{"auth", "git"}, lookAuth},
	{"cache", "Cache of the front", nil, lookCache},
}

func lookTimeouts(_ context.Context, s *scene) []problem.Finding {
	var out []problem.Finding
	for _, t := range []struct {
		is         local.Setting
		name, whom string
	}{{s.Site.Read, "Read", "Bitbucket"}, {s.Site.Client, "Client", "the client"}} {
		if t.is.Value == "" || t.is.Duration() == 0 || t.is.Duration() >= patient {
			continue
		}
		if t.name == "Client" && s.Site.Program != "haproxy" {
			continue // nginx's counts while a body arrives
		}
		cure := s.Site.Missing[t.name]
		if t.is.Set() {
			cure = local.Cure{hour(s.Site, t.is)}
		}
		out = append(out, at(problem.Warn, t.is.Place, fmt.Sprintf("%s waits %s for %s", frontName(s.Site.Program), t.is.Duration(), t.whom),
			"Bitbucket is silent for minutes while it packs a large repository: clones end after that time with 502, 504 or \"Communication breakdown with Bitbucket\"",
			cure.Then(s.reload())))
	}
	return out
}

var (
	apacheTimeout = pattern.Lazy(`(?i)(\btimeout=|^(?:proxy)?timeout\s+)\d+`)
	otherTimeout  = pattern.Lazy(`\s\d\S*?(;?)$`)
)

// hour sets the timeout of a line to an hour.
func hour(front local.Site, l local.Setting) local.Step {
	text := otherTimeout().ReplaceAllString(l.Text, " 1h$1")
	if front.Program == "apache" {
		text = apacheTimeout().ReplaceAllString(l.Text, "${1}3600")
	}
	return front.Rewrite(l, text, "set the timeout to an hour")
}

func lookSlow(_ context.Context, s *scene) []problem.Finding {
	return eachOf(s, s.Site.Slow, problem.Warn, "limits how fast answers go", "large clones take so long that timeouts cut them: \"aborting due to possible repository corruption\" on the server side")
}

// eachOf tells of lines that should go.
func eachOf(s *scene, lines []local.Setting, level problem.Level, what, why string) []problem.Finding {
	var out []problem.Finding
	for _, l := range lines {
		cure := local.Cure{local.Take(l.Place), s.reload()}
		if l.Value == "long" {
			cure = local.Cure{local.Step{Words: "take the block that begins in " + l.String() + " out"}, s.reload()}
		}
		out = append(out, at(level, l.Place, fmt.Sprintf("`%s` %s", s.Site.Shown(l), what), why, cure))
	}
	return out
}

func lookBody(_ context.Context, s *scene) []problem.Finding {
	b := s.Site.Body
	if b.Value == "" || b.Number() == 0 || b.Number() >= 1<<30 {
		return nil
	}
	cure, where := s.Site.Missing["Body"], " (the default)"
	if b.Set() {
		where = ""
		cure = local.Cure{local.Take(b.Place)}
		if s.Site.Program == "nginx" {
			cure = local.Cure{local.Write(b.Place, "client_max_body_size 0;")}
		} else if s.Site.Program == "apache" {
			cure = local.Cure{local.Write(b.Place, "LimitRequestBody 0")}
		}
	}
	return one(at(problem.Fail, b.Place, fmt.Sprintf("%s takes bodies up to %s%s", frontName(s.Site.Program), byteCount(b.Number()), where),
		"a larger push ends with HTTP 413 (\"RPC failed\")", cure.Then(s.reload())))
}

func byteCount(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

func lookChunked(_ context.Context, s *scene) []problem.Finding {
	var out []problem.Finding
	for _, l := range s.Site.Chunked {
		level, what := problem.Fail, "refuses bodies without a length"
		if l.Value == "http-buffer-request" {
			level, what = problem.Warn, "holds requests back until their body is there"
		}
		out = append(out, eachOf(s, []local.Setting{l}, level, what, "git sends a push larger than http.postBuffer (1 MiB) in chunks, whose length nobody knows beforehand")...)
	}
	return out
}

func lookExpect(_ context.Context, s *scene) []problem.Finding {
	return eachOf(s, s.Site.Expect, problem.Fail, "takes or refuses the field Expect", "clients that send Expect: 100-continue, as git does with Kerberos and NTLM, wait for an answer that does not come")
}

func lookSticky(_ context.Context, s *scene) []problem.Finding {
	if len(s.Site.Servers) < 2 || s.Site.Sticky {
		return nil
	}
	first := s.Site.Servers[0]
	return one(at(problem.Fail, first.Place, fmt.Sprintf("requests go to %d nodes in turn, and nothing keeps a client at one", len(s.Site.Servers)),
		"sessions live on one node: people are signed out with each click", s.Site.Missing["Sticky"].Then(s.reload())))
}

func lookDecode(_ context.Context, s *scene) []problem.Finding {
	var out []problem.Finding
	for _, l := range s.Site.Decodes {
		cure := local.Cure{local.Take(l.Place)}
		if i := strings.Index(l.Text, "://"); s.Site.Program == "nginx" && i > 0 {
			if j := strings.IndexByte(l.Text[i+3:], '/'); j > 0 {
				cure = local.Cure{s.Site.Rewrite(l, l.Text[:i+3+j]+";", "leave out what follows the server's port")}
			}
		}
		if s.Site.Program == "apache" {
			cure = local.Cure{s.Site.More(l, "nocanon")}
		}
		out = append(out, at(problem.Fail, l.Place, fmt.Sprintf("`%s` decodes or changes the path on its way", s.Site.Shown(l)),
			"files and branches with special characters in their names are answered 400 or 404", cure.Then(s.reload())))
	}
	return out
}

func lookCompress(_ context.Context, s *scene) []problem.Finding {
	if !s.Instance.Compress && s.Instance.File != "" {
		return nil
	}
	return eachOf(s, s.Site.Compress, problem.Warn, "compresses what Bitbucket compresses already", "it costs the front time, and answers lose their ETag")
}

// lookHeader: Tomcat takes 8 KiB unless told otherwise; a front should not take less.
func lookHeader(_ context.Context, s *scene) []problem.Finding {
	h := s.Site.Header
	if h.Value == "" || h.Number() == 0 || h.Number() >= 8<<10 {
		return nil
	}
	text := "tune.bufsize 16384"
	switch s.Site.Program {
	case "nginx":
		text = "large_client_header_buffers 4 16k;"
	case "apache":
		text = "LimitRequestFieldSize 16380"
	}
	return one(at(problem.Fail, h.Place, fmt.Sprintf("%s takes header fields up to %s", frontName(s.Site.Program), byteCount(h.Number())),
		"cookies of single sign-on and Kerberos tickets are larger, and are answered 400", local.Cure{local.Write(h.Place, text), s.reload()}))
}

// lookHealth: a page other than /status answers 302, 401 or 503 in maintenance, when
// Bitbucket's own backup client must get through.
func lookHealth(_ context.Context, s *scene) []problem.Finding {
	h := s.Site.Health
	want := s.URL.StatusPath()
	if h.Value == "" || h.Value == want {
		return nil
	}
	asked, query, _ := strings.Cut(h.Value, "?")
	if query != "" {
		asked += "?" + problem.Hidden
	}
	return one(at(problem.Fail, h.Place, fmt.Sprintf("the front asks %s whether Bitbucket is well; %s is made for that", asked, want),
		"in maintenance other pages answer 503, and the front cuts off the backup client (\"Connection reset\")",
		local.Cure{s.Site.Rewrite(h, strings.Replace(healthText(h), h.Value, want, 1), "ask for "+want), s.reload()}))
}

func healthText(h local.Setting) string {
	if !strings.Contains(h.Text, h.Value) || h.Value == "/" { // option httpchk alone asks OPTIONS /
		return "option httpchk GET /"
	}
	return h.Text
}

func lookFrom(_ context.Context, s *scene) []problem.Finding {
	if s.Site.Doubt != "" || len(s.Site.Servers) == 0 {
		return nil
	}
	switch s.Site.From.Value {
	case "":
		return one(at(problem.Warn, s.Site.Servers[0].Place, "the front does not send X-Forwarded-For",
			"Bitbucket's audit log, its rate limits and the list of allowed addresses see the front's address alone", s.Site.Missing["From"].Then(s.reload())))
	case "appended":
		return one(at(problem.Warn, s.Site.From.Place, "the front keeps an X-Forwarded-For that the client sends",
			"anybody can write another address into Bitbucket's audit log and pass a list of allowed addresses", s.Site.Missing["Spoofable"].Then(s.reload())))
	}
	return nil
}

// lookHost: without proxyName Bitbucket takes its name from the Host field.
func lookHost(_ context.Context, s *scene) []problem.Finding {
	h := s.Site.Host
	if h.Value == "" || h.Value == s.URL.ProxyName() || h.Value == s.URL.Authority() || s.Instance.Name.Value != "" && s.Instance.Public.Value != "" {
		return nil
	}
	cure := s.Site.Missing["Host"]
	if h.Set() {
		cure = local.Cure{local.Take(h.Place)}
		if s.Site.Program == "nginx" {
			cure = local.Cure{local.Write(h.Place, "proxy_set_header Host $http_host;")}
		}
	}
	return one(at(problem.Warn, h.Place, "the front sends Host: "+h.Value+" and not the name that clients use",
		"where proxyName is not set Bitbucket makes its addresses from it", cure.Then(s.reload())))
}

func lookAuth(_ context.Context, s *scene) []problem.Finding {
	return eachOf(s, s.Site.Auth, problem.Fail, "keeps the field Authorization from Bitbucket", "git, CI servers and REST clients sign in with it, and get 401 with the right password")
}

func lookCache(_ context.Context, s *scene) []problem.Finding {
	return eachOf(s, s.Site.Caches, problem.Warn, "keeps answers", "pages of one person may be shown to another")
}
