package rules_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"bitgate/internal/publicurl"
	"bitgate/proxy/config"
	"bitgate/proxy/rules"
)

// Every answer that the proxy gives in its own name, in each asker's language.
func TestOwnAnswers(t *testing.T) {
	url, err := publicurl.Parse("https://git.example.com/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	c := config.Config{URL: url}
	any := &rules.Request{}
	answers := []struct {
		status int
		retry  string
		a      *rules.Answer
	}{
		{400, "", rules.Malformed(400, "a line ends without CR LF")},
		{400, "", rules.BodyBroken(0, "")},
		{405, "", rules.Malformed(405, "this method is not allowed here")},
		{408, "", rules.Malformed(408, "the request did not arrive in time")},
		{408, "", rules.BodyLate()},
		{413, "", rules.BodyBroken(413, "the body is too long")},
		{421, "", rules.Route(&c, &rules.Request{Host: "evil.example", Path: "/"})},
		{429, "3", rules.TooMany(any, 2100*time.Millisecond)},
		{431, "", rules.Malformed(431, "the head is too long")},
		{502, "5", rules.ServerFailed(false)},
		{503, "5", rules.NoServer(false)},
		{503, "5", rules.QueueFull()},
		{503, "5", rules.QueueTimeout(time.Minute)},
		{504, "5", rules.ServerFailed(true)},
	}
	askers := []struct {
		name, kind string
		r          rules.Request
	}{
		{"browser", "text/html; charset=utf-8", rules.Request{Path: "/bitbucket/projects", Accept: "text/html,*/*"}},
		{"REST", "application/json;charset=UTF-8", rules.Request{Path: "/bitbucket/rest/api/1.0/projects"}},
		{"asks for JSON", "application/json;charset=UTF-8", rules.Request{Path: "/bitbucket/x", Accept: "application/json"}},
		{"git", "text/plain; charset=utf-8", rules.Request{Path: "/bitbucket/scm/p/r.git/info/refs"}},
		{"git by name", "text/plain; charset=utf-8", rules.Request{Path: "/", Agent: "git/2.47.1"}},
		{"nobody knows", "text/html; charset=utf-8", rules.Request{}},
	}
	for _, want := range answers {
		for _, asker := range askers {
			t.Run(fmt.Sprintf("%d %.20s to %s", want.status, want.a.Text, asker.name), func(t *testing.T) {
				fields, body := want.a.Write(&c, &asker.r, time.Unix(0, 0))
				got := map[string]string{}
				for _, f := range fields {
					got[string(f.Name)] = string(f.Value)
				}
				if want.a.Status != want.status || want.a.Reason() == "" || got["Content-Type"] != asker.kind || got["Retry-After"] != want.retry || got["Cache-Control"] != "no-store" {
					t.Errorf("%d %q %v", want.a.Status, want.a.Reason(), got)
				}
				checkBody(t, asker.kind, body, want.a.Text)
			})
		}
	}
}

func checkBody(t *testing.T, kind, body, text string) {
	t.Helper()
	switch kind {
	case "application/json;charset=UTF-8":
		var v struct {
			Errors []struct{ Message string }
		}
		if err := json.Unmarshal([]byte(body), &v); err != nil || len(v.Errors) != 1 || v.Errors[0].Message != text {
			t.Errorf("%s: %v", body, err)
		}
	case "text/plain; charset=utf-8":
		if body != text+"\n" {
			t.Errorf("%q", body)
		}
	default:
		if !strings.Contains(body, text) || !strings.Contains(body, "<h1>") {
			t.Errorf("%s", body)
		}
	}
}

// What a client sends may come back in a page: as text, never as markup.
func TestPageEscapes(t *testing.T) {
	a := rules.Refuse(400, `<script>alert("x")</script>`)
	if _, body := a.Write(&config.Config{}, &rules.Request{}, time.Unix(0, 0)); strings.Contains(body, "<script>") {
		t.Error(body)
	}
}
