package interview

import (
	"slices"
	"testing"

	"bitgate/internal/atomicfile"
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

// TestAnswersMakeRoom: one goes back and answers otherwise, and what was said before stands
// in nobody's way.
func TestAnswersMakeRoom(t *testing.T) {
	facts := setup.Facts{ContextPath: setup.Known{Value: "/stash", Set: true}}
	facts.Bitbucket.Home, facts.Bitbucket.Version = "/home/bb", "9.4.16"
	begin := func() *Interview {
		iv := New(Machine{Resolve: setup.Resolve}, setup.Answers{URL: parsed(t, "https://git.example.com"), BaseURLMethod: setup.Manual, CertSource: setup.SourceFile}, nil, nil)
		iv.Found(facts)
		return iv
	}
	answer := func(t *testing.T, iv *Interview, id, text string) {
		t.Helper()
		q, _ := Find(id)
		if err := iv.Answer(q, text); err != nil {
			t.Fatalf("%s %q: %v", id, text, err)
		}
	}
	store := func(iv *Interview, aliases ...setup.CertificateAlias) {
		f := facts
		f.Scope = &setup.Scope{Cert: setup.CertPaths(iv.Answers)}
		f.Certificate.Given, f.Certificate.WithKey, f.Certificate.Aliases = true, true, aliases
		iv.Found(f)
	}
	t.Run("another key store", func(t *testing.T) {
		iv := begin()
		answer(t, iv, "cert", "/a.p12")
		store(iv, setup.CertificateAlias{Alias: "one"}, setup.CertificateAlias{Alias: "two"})
		answer(t, iv, "cert-alias", "two")
		store(iv)
		answer(t, iv, "cert", "/b.p12")
		store(iv)
		if iv.Answers.CertAlias != "" || iv.Answers.Cert != "/b.p12" {
			t.Errorf("%s is to be read as %q", iv.Answers.Cert, iv.Answers.CertAlias)
		}
		answer(t, iv, "cert-alias", "") // from the list of answers
	})
	t.Run("another challenge", func(t *testing.T) {
		iv := begin()
		answer(t, iv, "cert", "-")
		answer(t, iv, "acme-challenge", setup.DNS01)
		answer(t, iv, "acme-dns-hook", "/hook")
		answer(t, iv, "acme-challenge", setup.Auto)
		if iv.Answers.ACMEHook != "/hook" {
			t.Error("auto has forgotten the program")
		}
		for _, challenge := range []string{setup.HTTP01, setup.TLSALPN01, setup.DNSPersist01} {
			answer(t, iv, "acme-challenge", setup.DNS01)
			answer(t, iv, "acme-dns-hook", "/hook")
			answer(t, iv, "acme-challenge", challenge)
			if iv.Answers.ACMEHook != "" {
				t.Errorf("%s with %s", challenge, iv.Answers.ACMEHook)
			}
		}
		answer(t, iv, "acme-dns-hook", "") // from the list
		answer(t, iv, "front", setup.FrontHAProxy)
		if q, _ := Find("acme-challenge"); iv.Answer(q, setup.TLSALPN01) == nil {
			t.Error("HAProxy is to answer an authority in the handshake")
		}
		answer(t, iv, "acme-challenge", setup.DNS01)
		if q, _ := Find("acme-dns-hook"); iv.Answer(q, "") == nil || !iv.Open(q) || iv.Done(q.ID) {
			t.Error("dns-01 goes without a program")
		}
	})
	t.Run("no front", func(t *testing.T) {
		iv := begin()
		answer(t, iv, "front", setup.FrontBuiltin)
		answer(t, iv, "redirect-old-path", "yes")
		answer(t, iv, "cert", "-")
		answer(t, iv, "ssh", "yes")
		answer(t, iv, "ssh-listen", ":7998")
		answer(t, iv, "front", setup.FrontTomcat)
		if a := iv.Answers; a.SSHListen+a.SSHUpstream+a.RedirectOldPath+a.ACME != "" || a.Front != setup.FrontTomcat {
			t.Errorf("without a front: SSH at %q and %q, old path %q, order from %q", a.SSHListen, a.SSHUpstream, a.RedirectOldPath, a.ACME)
		}
		if iv.Done("cert") {
			t.Error("no certificate is asked for")
		}
	})
	t.Run("no front any more", func(t *testing.T) {
		iv := begin()
		f := facts
		f.ProxyConfig = atomicfile.File{Path: "/proxy.yaml", Data: []byte("url: https://git.example.com\nlisten: [\":443\"]\nupstream: http://127.0.0.1:7990\npem: /b.pem\nssh-listen: :7998\nssh-upstream: 127.0.0.1:7999\n")}
		iv.Found(f)
		if answer(t, iv, "front", setup.FrontTomcat); iv.Answers.SSHListen != "" || !iv.Answers.NoSSH {
			t.Errorf("SSH goes on at %q", iv.Answers.SSHListen)
		}
		front, _ := Find("front")
		if err := iv.Answer(front, "apache"); err == nil {
			t.Error("a word that is none of the choices is an answer")
		}
		answer(t, iv, "front", setup.FrontBuiltin)
		q, _ := Find("ssh")
		if answer(t, iv, q.ID, iv.Prefill(q)); iv.Answers.SSHListen != ":7998" || iv.Answers.NoSSH {
			t.Errorf("with a front again SSH is at %q, stopped: %v", iv.Answers.SSHListen, iv.Answers.NoSSH)
		}
	})
	t.Run("another source", func(t *testing.T) {
		iv := begin()
		answer(t, iv, "cert", "/c.pem")
		answer(t, iv, "key", "/k.pem")
		answer(t, iv, "chain", "/i.pem")
		answer(t, iv, "cert-source", setup.SourceRequest)
		if a := iv.Answers; a.Cert+a.Key+a.Chain != "" {
			t.Errorf("%s, %s, %s", a.Cert, a.Key, a.Chain)
		}
	})
}

// TestAnotherAuthority: what was agreed with one authority, and who one is there, is asked
// again at another, once that has said what it wants.
func TestAnotherAuthority(t *testing.T) {
	old := setup.Answers{
		URL: parsed(t, "https://git.example.com"), Front: setup.FrontBuiltin, BaseURLMethod: setup.Manual, NoSSH: true,
		ACME: "zerossl", ACMETerms: "https://zerossl.example.com/terms", ACMEBindingID: "id", ACMEBindingFile: "/key",
	}
	says := func(terms string, a setup.Answers) setup.Facts {
		f := setup.Facts{ContextPath: setup.Known{Set: true}}
		f.Bitbucket.Home, f.Bitbucket.Version = "/home/bb", "9.4.16"
		f.Authority = setup.Authority{Asked: true, Terms: terms, Bound: true}
		scope := setup.ScopeOf(a, f.HAProxy)
		f.Scope = &scope
		return f
	}
	iv := setUp(t, old, says(old.ACMETerms, old), func(*setup.Answers, setup.Sources) {})
	if q, asks := iv.Resume(); asks {
		t.Fatalf("%s is asked of a machine that is set up", q.ID)
	}
	ca, _ := Find("acme-ca")
	if err := iv.Answer(ca, "google"); err != nil {
		t.Fatal(err)
	}
	if a := iv.Answers; a.ACMETerms+a.ACMEBindingID+a.ACMEBindingFile != "" {
		t.Errorf("google is told %q, %q, %q", a.ACMETerms, a.ACMEBindingID, a.ACMEBindingFile)
	}
	if q, asks := iv.Resume(); asks {
		t.Errorf("%s is asked in the words of the authority of before", q.ID)
	}
	iv.Found(says("https://google.example.com/terms", iv.Answers))
	var ids []string
	for q, asks := iv.Resume(); asks; q, asks = iv.Resume() {
		ids = append(ids, q.ID)
		if err := iv.Answer(q, map[string]string{"acme-terms": "yes", "acme-eab-id": "other", "acme-eab-file": "/other"}[q.ID]); err != nil {
			t.Fatal(q.ID, err)
		}
	}
	if want := []string{"acme-terms", "acme-eab-id", "acme-eab-file"}; !slices.Equal(ids, want) || iv.Answers.ACMETerms != "https://google.example.com/terms" {
		t.Errorf("asked %v, want %v; agreed to %q", ids, want, iv.Answers.ACMETerms)
	}
}

// TestPasswordAfterAFile: a file takes the place of the password that was typed; without
// it that is asked for again.
func TestPasswordAfterAFile(t *testing.T) {
	iv := New(Machine{Resolve: setup.Resolve, SignsIn: true}, setup.Answers{URL: parsed(t, "https://git.example.com"), AdminUser: "admin"}, nil, nil)
	iv.Found(setup.Facts{ContextPath: setup.Known{Set: true}})
	iv.SignIn("admin")
	password, _ := Find(PasswordID)
	file, _ := Find("admin-password-file")
	for _, c := range []struct {
		text string
		asks bool
	}{{"/password", false}, {"", true}} {
		if err := iv.Answer(file, c.text); err != nil || iv.Open(password) != c.asks || iv.Done(PasswordID) {
			t.Errorf("%q: %v, the password is asked for: %v", c.text, err, iv.Open(password))
		}
	}
}
