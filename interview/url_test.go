package interview

import (
	"strings"
	"testing"

	"bitgate/setup"
)

// What is copied from a browser's line, and what other machines cannot reach, is said at
// the question.
func TestURLsOfNow(t *testing.T) {
	q, _ := Find("url")
	iv := New(Machine{Resolve: setup.Resolve}, setup.Answers{Upstream: "http://127.0.0.1:7990"}, nil, nil)
	for typed, want := range map[string]string{
		"http://git.example.com:7990":       "https://git.example.com",
		"http://git.example.com:7990/stash": "https://git.example.com",
		"https://git.example.com:7990":      "7990 is Bitbucket's own port",
		"git.example.com:7990":              "7990 is Bitbucket's own port",
		"git.example.com:7991":              "",
		"git.example.com":                   "",
	} {
		err := q.refuse(iv, typed)
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", typed, err, want)
		}
	}
	for typed, warned := range map[string]bool{"localhost": true, "127.0.0.1": true, "[::1]": true, "git.example.com": false} {
		var a setup.Answers
		if err := q.enter(setup.Facts{}, &a, typed); err != nil {
			t.Fatal(err)
		}
		if got := Advice(q, setup.Facts{}, a); (len(got) > 0) != warned {
			t.Errorf("%s: %+v", typed, got)
		}
	}
}

// A URL that was copied with a password is refused without it.
func TestNoPasswordInAnswers(t *testing.T) {
	for _, id := range []string{"url", "upstream"} {
		for _, text := range []string{"https://admin:hunter2@git.example.com", "http://admin:hunter2@127.0.0.1:7990", "http://admin:hunter2@[::1", "admin:hunter2@git.example.com"} {
			q, _ := Find(id)
			if err := q.Set(&setup.Answers{}, text); err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("--%s %s: %v", id, text, err)
			}
		}
	}
}
