package interview

import (
	"slices"
	"testing"

	"bitgate/internal/publicurl"
	"bitgate/setup"
)

// setUp is the interview of a machine that was set up with answers, when others are said
// beside them.
func setUp(t *testing.T, old setup.Answers, f setup.Facts, said func(*setup.Answers, setup.Sources)) *Interview {
	t.Helper()
	now, src := old, setup.Sources{}
	var answered []string
	for _, q := range questions {
		answered = append(answered, q.ID)
		if q.Get(old) != "" && !q.Virtual {
			src[q.ID] = setup.Source{From: setup.Detected, Why: "run 1"}
		}
	}
	said(&now, src)
	iv := New(Machine{Resolve: setup.Resolve, SignsIn: true}, now, src, answered)
	iv.Recall(old)
	iv.Found(f)
	return iv
}

// asked are the questions of an interview to its end, each answered as it is prefilled.
func asked(t *testing.T, iv *Interview) (ids []string) {
	t.Helper()
	for q, ok := iv.Resume(); ok; q, ok = iv.Resume() {
		if ids = append(ids, q.ID); len(ids) > len(questions) {
			t.Fatalf("it asks without end: %v", ids)
		}
		text := iv.Prefill(q)
		if q.ID == "acme-terms" {
			text = "yes"
		}
		if err := iv.Answer(q, text); err != nil {
			t.Fatalf("%s: %v", q.ID, err)
		}
		iv.Found(iv.Facts)
	}
	return ids
}

func parsed(t *testing.T, text string) publicurl.URL {
	t.Helper()
	u, err := publicurl.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestFollowUpsAreAsked: where everything was answered by the last run, a changed answer
// asks what only it makes a question, and nothing else does.
func TestFollowUpsAreAsked(t *testing.T) {
	old := setup.Answers{URL: parsed(t, "https://git.example.com/bitbucket"), Front: setup.FrontBuiltin, Cert: "/c.pem", Key: "/k.pem", BaseURLMethod: setup.Manual}
	facts := setup.Facts{ContextPath: setup.Known{Value: "/bitbucket", Set: true}}
	facts.Bitbucket.Home, facts.Bitbucket.Version = "/home/bb", "9.4.16"
	facts.Authority.Terms = "https://ca.example.com/terms"
	for _, c := range []struct {
		name, id, text string
		said           func(*setup.Answers, setup.Sources)
		want           []string
	}{
		{name: "nothing new", want: nil},
		{name: "another path", id: "url", text: "https://git.example.com/git", want: []string{"path", "redirect-old-path"}},
		{name: "another path by flag", said: func(a *setup.Answers, src setup.Sources) {
			a.URL, src["url"] = parsed(t, "https://git.example.com/git"), setup.Source{From: setup.FromFlag}
		}, want: []string{"redirect-old-path"}},
		{name: "another certificate by flag", said: func(a *setup.Answers, src setup.Sources) {
			a.Cert, src["cert"] = "/d.pem", setup.Source{From: setup.FromFlag}
		}, want: []string{"key"}},
		{name: "SSH", id: "ssh", text: "yes", want: []string{"ssh-listen", "ssh-upstream"}},
		{name: "an order", id: "cert", text: "-", want: []string{"acme-ca", "acme-terms", "acme-challenge"}},
		{name: "another certificate", id: "cert", text: "/d.pem", want: []string{"key"}},
		{name: "the same certificate", id: "cert", text: "/c.pem", want: nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.said == nil {
				c.said = func(*setup.Answers, setup.Sources) {}
			}
			iv := setUp(t, old, facts, c.said)
			if c.id != "" {
				q, _ := Find(c.id)
				if err := iv.Answer(q, c.text); err != nil {
					t.Fatal(err)
				}
			}
			if got := asked(t, iv); !slices.Equal(got, c.want) {
				t.Errorf("asked %v, want %v", got, c.want)
			}
		})
	}
}

// TestFlagsAnswerTheirOwnQuestions: a flag leaves out what it answers, and not what is
// asked of something else that the same answer may change.
func TestFlagsAnswerTheirOwnQuestions(t *testing.T) {
	for _, c := range []struct {
		flag, text   string
		asked, given []string
	}{
		{"skip", "context-path", []string{"ssh", "cert", "admin-user"}, nil},
		{"base-url-method", "form", []string{"admin-user"}, nil},
		{"base-url-method", setup.Manual, nil, []string{"admin-user"}},
		{"admin-user", "root", []string{PasswordID}, []string{"admin-user"}},
		{"cert", "/c.pem", []string{"key"}, []string{"cert"}},
		{"key", "/k.pem", []string{"cert"}, []string{"key"}},
		{"chain", "/i.pem", []string{"cert", "key"}, nil},
		{"pem", "/all.pem", nil, []string{"cert", "key"}},
		{"acme-ca", "letsencrypt", []string{"acme-challenge"}, []string{"cert", "key", "acme-ca"}},
		{"redirect-old-path", "/stash", []string{"front"}, nil},
		{"no-ssh", "yes", nil, []string{"ssh"}},
		{"ssh-listen", ":7998", []string{"ssh-upstream"}, []string{"ssh", "ssh-listen"}},
		{"url", "https://git.example.com/git", nil, []string{"url", "path"}},
	} {
		input := setup.Answers{URL: parsed(t, "https://git.example.com")}
		q, _ := Find(c.flag)
		if err := q.Set(&input, c.text); err != nil {
			t.Fatal(err)
		}
		iv := New(Machine{Resolve: setup.Resolve, SignsIn: true}, input, setup.Sources{c.flag: {From: setup.FromFlag}}, nil)
		iv.Found(setup.Facts{ContextPath: setup.Known{Set: true}})
		open := iv.standing().open
		for _, id := range c.asked {
			if !open[id] {
				t.Errorf("--%s %s: %s is not asked", c.flag, c.text, id)
			}
		}
		for _, id := range c.given {
			if open[id] {
				t.Errorf("--%s %s: %s is asked", c.flag, c.text, id)
			}
		}
	}
}

// TestOldPathOfAPathThatStays: what was to be redirected is not where the path was changed
// back or never changed; a redirect of before stays.
func TestOldPathOfAPathThatStays(t *testing.T) {
	q, _ := Find("redirect-old-path")
	start := func(input setup.Answers, now string) *Interview {
		iv := New(Machine{Resolve: setup.Resolve}, input, nil, nil)
		iv.Found(setup.Facts{ContextPath: setup.Known{Value: now, Set: true}})
		return iv
	}
	answer := func(iv *Interview, id, text string) {
		t.Helper()
		q, _ := Find(id)
		if err := iv.Answer(q, text); err != nil {
			t.Fatal(err)
		}
	}
	iv := start(setup.Answers{URL: parsed(t, "https://git.example.com/bitbucket")}, "")
	answer(iv, "redirect-old-path", iv.Prefill(q))
	if got := iv.Answers.RedirectOldPath; got != "/" {
		t.Fatalf("the old path is %q", got)
	}
	answer(iv, "path", "/")
	if got := iv.Answers.RedirectOldPath; got != "" || iv.Open(q) || iv.Prefill(q) != "no" {
		t.Errorf("changed back, the old path is %q, asked %v, prefilled %q", got, iv.Open(q), iv.Prefill(q))
	}
	answer(iv, "redirect-old-path", iv.Prefill(q)) // from the list of answers
	if err := iv.Answer(q, "yes"); err == nil || iv.Answers.RedirectOldPath != "" {
		t.Errorf("the path that stays is redirected: %q", iv.Answers.RedirectOldPath)
	}
	iv = start(setup.Answers{URL: parsed(t, "https://git.example.com/bitbucket"), RedirectOldPath: "/"}, "/bitbucket")
	answer(iv, "redirect-old-path", iv.Prefill(q))
	if got := iv.Answers.RedirectOldPath; got != "/" {
		t.Errorf("the redirect of before has become %q", got)
	}
}
