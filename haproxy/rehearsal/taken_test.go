package rehearsal_test

import (
	"strings"
	"testing"

	"bitgate/haproxy"
	"bitgate/haproxy/rehearsal"
	"bitgate/internal/publicurl"
)

// Who is answered otherwise after a reload has lost something, unless nothing was there,
// the front counts clients, or the answers before were not alike either.
func TestTaken(t *testing.T) {
	url, err := publicurl.Parse("https://git.example.com/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	b := rehearsal.Bitbucket{URL: url}
	s := rehearsal.NewStage([]haproxy.Source{{Path: "haproxy.cfg", Data: []byte("frontend www\n    mode http\n    bind *:80\n    acl git hdr(host) git.example.com\n")}}, rehearsal.Surroundings{})
	s.OnMachine()
	if len(s.Neighbours(b, nil)) == 0 || s.Doors[0].Address != "127.0.0.1:80" {
		t.Fatalf("nobody is asked at %+v", s.Doors)
	}
	type answers []rehearsal.Answer
	page := func(status int, fields ...string) rehearsal.Answer {
		a := rehearsal.Answer{Status: status, Body: "wiki"}
		for i := 0; i < len(fields); i += 2 {
			a.Header = append(a.Header, rehearsal.Field{Name: fields[i], Value: fields[i+1]})
		}
		return a
	}
	silent, other := rehearsal.Answer{Failed: "refused"}, page(200)
	other.Body = "jira"
	wiki, git := page(200), page(200)
	wiki.Cert, wiki.Covers, wiki.Names = "1", true, []string{"wiki.example.com"}
	git.Cert, git.Names = "2", []string{"git.example.com"}
	to := func(status int, where string) rehearsal.Answer { return page(status, "Location", where) }
	for _, c := range []struct {
		host string
		was  answers
		is   rehearsal.Answer
		want string // "" for nothing
	}{
		{"wiki.example.com", answers{page(200), page(200)}, page(200), ""},
		{"wiki.example.com", answers{page(200)}, page(404), "it was answered 200, and now 404"},
		{"wiki.example.com", answers{page(200)}, silent, "nobody listens there"},
		{"wiki.example.com", answers{page(200)}, to(302, "https://git.example.com/bitbucket/"), "and now 302 to https://git.example.com/bitbucket/"},
		{"wiki.example.com", answers{to(302, "/login?t=1")}, to(302, "/login?t=2"), ""},
		{"wiki.example.com", answers{silent}, to(301, "https://git.example.com/page"), "which a browser keeps"},
		{"wiki.example.com", answers{silent}, to(302, "https://git.example.com/page"), ""},
		{"wiki.example.com", answers{silent}, page(404), ""},
		{"wiki.example.com", answers{wiki}, git, "the certificate shown was for wiki.example.com, and now is for git.example.com"},
		{"wiki.example.com", answers{git}, wiki, ""},
		{"wiki.example.com", answers{page(200, "Set-Cookie", "JIRA=1; Path=/")}, page(200, "Set-Cookie", "JIRA=2; Path=/"), ""},
		{"wiki.example.com", answers{page(200, "Set-Cookie", "JIRA=1")}, page(200, "Set-Cookie", "BITBUCKETSESSIONID=1"), "Set-Cookie was"},
		{"wiki.example.com", answers{page(200, "Server", "nginx")}, page(200), "Server was \"nginx\""},
		{"wiki.example.com", answers{page(200)}, other, "page: another page"},
		{"wiki.example.com", answers{page(200), other}, page(200), ""},
		{"wiki.example.com", answers{page(200), page(503)}, page(503), ""},
		{"wiki.example.com", answers{page(503)}, page(200), ""},
		{"wiki.example.com", answers{page(200)}, page(429), ""},
		{"git.example.com", answers{page(200)}, page(404), "and now 404"},
		{"git.example.com", answers{page(404)}, to(302, "https://git.example.com/bitbucket/"), ""},
	} {
		what, alone := b.Taken(s, rehearsal.Request{Host: c.host, Target: "/page"}, c.was, c.is)
		if alone {
			what = "page: " + what
		}
		if (what == "") != (c.want == "") || !strings.Contains(what, c.want) {
			t.Errorf("%s, %+v, then %+v: %q, want %q", c.host, c.was, c.is, what, c.want)
		}
	}
}
