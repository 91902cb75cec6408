package haproxy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/internal/splice"
)

const thumb = "5tmkb192oHoGsukptaXs6w6G6ApfJmZh5FLx1Yofg1I"

func acmeSite(t testing.TB, edit func(*Site)) Site {
	t.Helper()
	return site(t, func(s *Site) {
		s.Thumbprint, s.Challenges, s.RedirectListen = thumb, []string{":80"}, []string{":80"}
		if edit != nil {
			edit(s)
		}
	})
}

// rulesOf are the http-request rules of a section, in order.
func rulesOf(t *testing.T, text, section string) []string {
	t.Helper()
	_, after, found := strings.Cut(text, "\n"+section+"\n")
	if !found {
		_, after, found = strings.Cut("\n"+text, "\n"+section+"\n")
	}
	if !found {
		t.Fatalf("no %q in\n%s", section, text)
	}
	var out []string
	for line := range strings.Lines(after) {
		if line[0] != ' ' && line[0] != '\t' && line[0] != '\n' && line[0] != '#' {
			break
		}
		if f := strings.Fields(line); len(f) > 1 && f[0] == "http-request" {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

// TestChallengeIsTheFirstRule: of the frontends of ours, with and without a redirect.
func TestChallengeIsTheFirstRule(t *testing.T) {
	for what, c := range map[string]struct {
		edit     func(*Site)
		sections []string
	}{
		"redirect":    {nil, []string{"frontend " + prefix + "_https", "frontend " + prefix + "_redirect"}},
		"no redirect": {func(s *Site) { s.RedirectListen = nil }, []string{"frontend " + prefix + "_https", "frontend " + prefix + "_acme"}},
	} {
		for name, text := range fixtures {
			s := acmeSite(t, c.edit)
			m, err := merge(t, text, s)
			if err != nil {
				t.Errorf("%s, %s: %v", what, name, err)
				continue
			}
			reversible(t, []byte(text), m, s)
			for _, section := range c.sections {
				plain := strings.ReplaceAll(string(m.After), "\r\n", "\n")
				if !strings.Contains(plain, section+"\n") {
					continue // the fixture has the port itself
				}
				if rules := rulesOf(t, plain, section); len(rules) == 0 || !strings.Contains(rules[0], "."+thumb+`"`) {
					t.Errorf("%s, %s, %s: %q", what, name, section, rules)
				}
			}
		}
	}
}

const sharedPlain = `defaults
    mode http
frontend www
    bind :80
    acl x path /x
    http-request set-header X-A b
    http-request redirect scheme https code 301
    redirect prefix https://www.example.com if x
    default_backend www
frontend tls
    bind :443 ssl crt /etc/ssl/a.pem
    redirect location /there if { path /here }
    http-request deny if { path /secret }
    use_backend other if { path_beg /.well-known/ }
    default_backend www
backend www
backend other
`

// TestChallengeInSharedSections: before the first rule that may end a request, for our
// name alone, marked, and out again without a trace.
func TestChallengeInSharedSections(t *testing.T) {
	for _, redirect := range [][]string{{":80"}, nil} {
		s := acmeSite(t, func(s *Site) { s.RedirectListen = redirect })
		m, err := merge(t, sharedPlain, s)
		if err != nil {
			t.Fatal(err)
		}
		reversible(t, []byte(sharedPlain), m, s)
		for _, section := range []string{"frontend www", "frontend tls"} {
			rules := rulesOf(t, string(m.After), section)
			if len(rules) == 0 || !strings.Contains(rules[0], thumb) || !strings.Contains(rules[0], "{ req.fhdr(Host) -i git.example.com git.example.com:80 git.example.com:443 }") || !strings.HasSuffix(rules[0], lineMark) {
				t.Errorf("%s: %q", section, rules)
			}
		}
		if strings.Index(string(m.After), thumb) > strings.Index(string(m.After), "redirect scheme https") {
			t.Error("behind the redirect")
		}
		if strings.Contains(string(m.After), prefix+"_acme") {
			t.Error("a frontend of ours binds the port too")
		}
	}
}

// TestChallengeOnce: a section that has both ports has one rule, and one note.
func TestChallengeOnce(t *testing.T) {
	text := "defaults\n  mode http\nfrontend x\n  bind :80\n  bind :443 ssl crt /a.pem\n  default_backend y\nbackend y\n"
	for _, redirect := range [][]string{{":80"}, nil} {
		s := acmeSite(t, func(s *Site) { s.RedirectListen = redirect })
		m, err := merge(t, text, s)
		if err != nil {
			t.Fatal(err)
		}
		reversible(t, []byte(text), m, s)
		_, section, _ := strings.Cut(string(m.After), "\nfrontend x\n")
		if notes := strings.Join(m.Notes, "\n"); strings.Count(section, thumb) != 1 || strings.Count(notes, "are answered from here") != 1 {
			t.Errorf("got\n%s\n%s", section, notes)
		}
	}
}

// TestChallengeAlone: before a certificate is there, port 80 gets the rule and nothing
// else changes; what Merge makes of that later is what it makes of the original.
func TestChallengeAlone(t *testing.T) {
	s := acmeSite(t, nil)
	early := func(text string) (string, int) {
		t.Helper()
		all, err := ParseSet([]Source{{Path: cfg, Data: []byte(text)}}).MergeChallenge(s)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, m := range all {
			for _, e := range m.Splices {
				if e.Old != "" {
					t.Errorf("takes %q out", e.Old)
				}
			}
			after, err := splice.Apply([]byte(text), m.Splices)
			if err != nil || string(after) != string(m.After) {
				t.Error("the splices do not make the file", err)
			}
			text, n = string(m.After), n+len(m.Splices)
		}
		return text, n
	}
	withFront, err := merge(t, "defaults\n  mode http\n", site(t, func(s *Site) { s.RedirectListen = []string{":80"} }))
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		text, section string
		rules         int
	}{
		"the administrator's":  {sharedPlain, "frontend www", 1},
		"ours, without a rule": {string(withFront.After), "frontend " + prefix + "_redirect", 1},
		"nobody's":             {"defaults\n  mode http\nfrontend x\n  bind :8080\n", "", 0},
	} {
		after, n := early(c.text)
		if n != c.rules {
			t.Errorf("%s: %d rules, want %d\n%s", what, n, c.rules, after)
		}
		if c.section != "" {
			if rules := rulesOf(t, after, c.section); len(rules) == 0 || !strings.Contains(rules[0], thumb) {
				t.Errorf("%s: %q", what, rules)
			}
		}
		if again, n := early(after); n != 0 || again != after {
			t.Errorf("%s: a second time changes it", what)
		}
		one, err1 := merge(t, c.text, s)
		two, err2 := merge(t, after, s)
		if err1 != nil || err2 != nil || string(one.After) != string(two.After) {
			t.Errorf("%s: merged later it gives another file: %v, %v\n%s", what, err1, err2, two.After)
		}
	}
}

// TestChallengeRefused: by what cannot answer, with the way out.
func TestChallengeRefused(t *testing.T) {
	for what, c := range map[string]struct {
		text string
		edit func(*Site)
		do   string
	}{
		"old HAProxy": {"", func(s *Site) { s.Version = Version{Major: 2} }, "--acme-challenge dns-01"},
		"mode tcp":    {"frontend x\n    mode tcp\n    bind :80\n", func(s *Site) { s.RedirectListen = nil }, "--acme-challenge dns-01"},
		"TLS on 80":   {"frontend x\n    mode http\n    bind :80 ssl crt /a.pem\n", func(s *Site) { s.RedirectListen = nil }, "--acme-challenge dns-01"},
		"no key":      {"", func(s *Site) { s.Thumbprint = `a" if TRUE` }, ""},
	} {
		s := acmeSite(t, c.edit)
		_, err := merge(t, c.text, s)
		_, early := ParseSet([]Source{{Path: cfg, Data: []byte(c.text)}}).MergeChallenge(s)
		for _, err := range []error{err, early} {
			if err == nil || !strings.Contains(strings.Join(problem.Explain(err).Do, " "), c.do) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}

// TestRenewerAnswers: what authorities ask at port 80 goes to the program that renews
// the certificate, in a section of ours and in an administrator's, and is redirected
// in neither; where a rule of the administrator's serves authorities, that stays.
func TestRenewerAnswers(t *testing.T) {
	const head = "defaults\n    mode http\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n\n"
	const www = "frontend www\n    bind :80\n"
	for what, c := range map[string]struct {
		text     string
		redirect []string // of our section or theirs
		leads    string   // the line that leads to the renewer
	}{
		"ours": {head, []string{"!{ path_beg " + ChallengePath + " }", "unless { path_beg " + ChallengePath + " }"}, "    default_backend " + prefix + "_renewer\n"},
		"theirs": {
			head + www + "    use_backend site if { path_beg /x }\n    default_backend site\n\nbackend site\n    server a 127.0.0.1:9000\n",
			[]string{"!{ path_beg " + ChallengePath + " }"},
			"    use_backend " + prefix + "_renewer if { req.fhdr(Host) -i git.example.com git.example.com:80 git.example.com:443 } { path_beg " + ChallengePath + " } " + lineMark + "\n",
		},
		"theirs, which serves authorities": {
			head + www + "    use_backend site if { path_beg " + ChallengePath + " }\n    default_backend site\n\nbackend site\n    server a 127.0.0.1:9000\n",
			[]string{"!{ path_beg " + ChallengePath + " }"},
			"",
		},
		"theirs, which redirects": {head + www + "    http-request redirect scheme https\n    default_backend site\n\nbackend site\n    server a 127.0.0.1:9000\n", nil, ""},
		"theirs, which redirects all but challenges": {
			head + www + "    redirect scheme https unless { path_beg " + ChallengePath + " }\n    default_backend site\n\nbackend site\n    server a 127.0.0.1:9000\n",
			nil,
			"    use_backend " + prefix + "_renewer if { req.fhdr(Host) -i git.example.com git.example.com:80 git.example.com:443 } { path_beg " + ChallengePath + " } " + lineMark + "\n",
		},
	} {
		s := site(t, func(s *Site) { s.RedirectListen, s.Renewer = []string{":80"}, "127.0.0.1:8888" })
		m, err := merge(t, c.text, s)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		text := string(m.After)
		for line := range strings.Lines(text) {
			if strings.Contains(line, "http-request redirect code 30") && strings.Contains(line, "prefix https://git.example.com") &&
				!strings.Contains(line, " /bitbucket") && !strings.Contains(line, "req.fhdr(Host),field(1,:)") && !slices.ContainsFunc(c.redirect, func(r string) bool { return strings.Contains(line, r) }) {
				t.Errorf("%s: redirects authorities: %s", what, line)
			}
		}
		_, plain, _ := strings.Cut(text, ":80\n")
		plain, _, _ = strings.Cut(plain, "\n\n")
		if got := strings.Contains(plain, prefix+"_renewer"); got != (c.leads != "") || !strings.Contains(plain+"\n", c.leads) {
			t.Errorf("%s: no %q in\n%s", what, c.leads, plain)
		}
		if strings.Count(text, "server renewer 127.0.0.1:8888") != 1 {
			t.Errorf("%s: no backend\n%s", what, text)
		}
	}
}

// TestRenewerBehindARedirect: an authority that a section sends on to https reaches the
// program that renews the certificate from there, before all that is Bitbucket's and past
// what refuses names; where it cannot, that is said.
func TestRenewerBehindARedirect(t *testing.T) {
	const (
		asked   = "{ req.fhdr(Host) -i git.example.com git.example.com:80 git.example.com:443 } { path_beg " + ChallengePath + " } " + lineMark + "\n"
		leads   = "    use_backend " + prefix + "_renewer if " + asked
		tls     = "frontend tls\n    bind :443 ssl crt /a.pem\n"
		site443 = "    default_backend site\n"
		rest    = "backend site\n    server a 127.0.0.1:9000\n"
		plain   = "defaults\n    mode http\nfrontend www\n    bind :80\n"
		sends   = "    http-request redirect scheme https\n"
	)
	for what, c := range map[string]struct {
		text   string
		url    string
		rules  int // that lead to the renewer
		has    string
		warned bool
	}{
		"sent on":                     {plain + sends + site443 + tls + site443 + rest, "https://git.example.com/bitbucket", 1, leads, false},
		"sent on, the root":           {plain + sends + site443 + tls + site443 + rest, "https://git.example.com", 1, leads + "    use_backend " + prefix + "_http_backend", false},
		"names are refused":           {plain + sends + site443 + tls + "    http-request deny unless { hdr(host) -i a.example.com }\n" + site443 + rest, "https://git.example.com/bitbucket", 1, "    http-request allow if " + asked + "    http-request deny", false},
		"others serve them":           {plain + sends + site443 + tls + "    use_backend site if { path_beg /.well-known/ }\n" + site443 + rest, "https://git.example.com/bitbucket", 0, "", false},
		"both ports":                  {strings.Replace(plain, ":80\n", ":80\n    bind :443 ssl crt /a.pem\n", 1) + strings.Replace(sends, "https", "https unless { ssl_fc }", 1) + site443 + rest, "https://git.example.com/bitbucket", 1, leads, false},
		"both ports, no redirect":     {strings.Replace(plain, ":80\n", ":80\n    bind :443 ssl crt /a.pem\n", 1) + site443 + rest, "https://git.example.com/bitbucket", 1, leads, false},
		"refused":                     {plain + "    http-request deny\n" + site443 + tls + site443 + rest, "https://git.example.com/bitbucket", 1, leads, true},
		"sent to a port that is none": {plain + "    http-request redirect prefix https://git.example.com:8443\n" + site443 + strings.Replace(tls, ":443", ":8443", 1) + site443 + rest, "https://git.example.com:8443/bitbucket", 1, prefix + "_renewer if", true},
	} {
		u, err := publicurl.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		s := site(t, func(s *Site) {
			s.URL, s.RedirectListen, s.Renewer = u, []string{":80"}, "127.0.0.1:8888"
			s.Listen = []string{fmt.Sprintf(":%d", u.Port())}
		})
		m, err := merge(t, c.text, s)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		reversible(t, []byte(c.text), m, s)
		text := string(m.After)
		if strings.Count(text, "use_backend "+prefix+"_renewer if") != c.rules || !strings.Contains(text, c.has) {
			t.Errorf("%s: no %q, or not %d rules in\n%s", what, c.has, c.rules, text)
		}
		if warned := len(m.Warnings) > 0; warned != c.warned || warned && !strings.Contains(m.Warnings[0].Found, "line 5: http-request ") {
			t.Errorf("%s: %+v", what, m.Warnings)
		}
	}
}

// TestRenewerWithoutARedirect: where nobody is redirected for Bitbucket, a section that has
// port 80 still leads authorities on, and none of ours takes the port.
func TestRenewerWithoutARedirect(t *testing.T) {
	const tls = "frontend tls\n    mode http\n    bind :443 ssl crt /a.pem\n    default_backend site\nbackend site\n    mode http\n    server a 127.0.0.1:9000\n"
	for what, c := range map[string]struct {
		plain, want, warned string
	}{
		"a section of theirs": {"frontend www\n    mode http\n    bind :80\n    default_backend site\n", "    default_backend site\n    use_backend " + prefix + "_renewer if { req.fhdr(Host) -i git.example.com", ""},
		"mode tcp":            {"frontend www\n    mode tcp\n    bind :80\n    default_backend site\n", "", `"frontend www" already binds :80`},
		"nobody's":            {"", "", ""},
	} {
		s := site(t, func(s *Site) { s.Challenges, s.Renewer = []string{":80"}, "127.0.0.1:8888" })
		m, err := merge(t, c.plain+tls, s)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		reversible(t, []byte(c.plain+tls), m, s)
		text := string(m.After)
		before, _, _ := strings.Cut(text, "frontend tls\n")
		if !strings.Contains(text, c.want) || strings.Contains(before, "redirect") || strings.Count(text, ":80\n") != strings.Count(c.plain, ":80\n") {
			t.Errorf("%s:\n%s", what, text)
		}
		if (len(m.Warnings) > 0) != (c.warned != "") || c.warned != "" && !strings.Contains(m.Warnings[0].Found, c.warned) {
			t.Errorf("%s: %+v", what, m.Warnings)
		}
	}
}
