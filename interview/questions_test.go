package interview

import (
	"reflect"
	"strings"
	"testing"

	"bitgate/setup"
)

// Every answer has exactly one question, so that flags, help, answers file and
// docs are made from one list.
func TestEveryAnswerHasOneQuestion(t *testing.T) {
	count := map[string]int{}
	for _, q := range Questions() {
		count[q.ID]++
	}
	keys := map[string]bool{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[setup.Answers]()) {
		if field.Anonymous {
			continue
		}
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		keys[key] = true
		if count[key] != 1 {
			t.Errorf("the answer %q has %d questions", key, count[key])
		}
	}
	for _, q := range Questions() {
		if !q.Virtual && !keys[q.ID] {
			t.Errorf("the question %q belongs to no answer", q.ID)
		}
		if q.Title == "" || q.Why == "" || q.Step == "" || q.Kind == "" || q.Get == nil || q.Set == nil {
			t.Errorf("the question %q is incomplete", q.ID)
		}
		if !q.Virtual && (q.Help == "" || q.Arg == "" && q.Kind != Confirm) {
			t.Errorf("the flag --%s lacks its help or its placeholder", q.ID)
		}
		if (q.when != nil) != (q.Asked != "") {
			t.Errorf("the question %q must say when it is asked if, and only if, it is", q.ID)
		}
		if q.Kind == Choice && len(q.Options) == 0 {
			t.Errorf("the choice %q has no words", q.ID)
		}
	}
}

// samples are a good and a bad text for every question.
var samples = map[string]struct{ good, bad string }{
	"home": {"/var/bitbucket", "/a\nb"}, "install": {"/opt/bitbucket", "/a\nb"}, "bitbucket-version": {"8.19.1", ""},
	"upstream": {"http://127.0.0.1:7990", "ftp://127.0.0.1:7990"},
	"url":      {"https://git.example.com/bitbucket", "http://git.example.com"}, "path": {"/bitbucket", "/a b"},
	"redirect-old-path": {"/stash", "/a/../b"}, "base-url-method": {"form", "telepathy"}, "admin-user": {"admin", ""},
	PasswordID: {"", ""}, "admin-password-file": {"/run/secret", "/a\nb"}, "local-only": {"yes", "perhaps"},
	"restart": {"service bitbucket restart", "a\nb"}, "restart-timeout": {"15m", "soon"}, "on-failure": {"keep", "panic"},
	"front": {"builtin", "nginx"}, "haproxy-cfg": {"/etc/haproxy/haproxy.cfg", "/a\nb"}, "haproxy-bin": {"/usr/sbin/haproxy", "/a\nb"},
	"proxy-config": {"/etc/bitgate/proxy.yaml", "/a\nb"}, "listen": {":443, [::1]:8443", ":https"}, "http-redirect": {"never", "sometimes"}, "haproxy-by-hand": {"adopt", "delete"},
	"node": {"a=10.0.0.1:7990, b=[2001:db8::1]:7990", "a=10.0.0.1:7990, a=10.0.0.2:7990"}, "partial-service": {"yes", "perhaps"},
	"maxconn": {"50", "none"}, "reload": {"never", "a\nb"}, "cert": {"/c.pem", "/a\nb"}, "key": {"/k.pem", "/a\nb"}, "chain": {"/i.pem", "/a\nb"},
	"cert-source": {"bitbucket", "heaven"}, "own-tls": {"keep", "perhaps"},
	FetchChainID: {"", ""}, CertPasswordID: {"", ""}, "cert-password-file": {"/run/secret", "/a\nb"}, "cert-alias": {"tomcat", "a\nb"},
	"pem": {"/all.pem", "/a\nb"}, "ca-file": {"/ca.pem", "/a\nb"}, "ssh": {"yes", "perhaps"}, "ssh-listen": {":7998", "7998"},
	"trusted-proxy": {"10.0.0.0/8, 2001:db8::1", "0.0.0.0/0"}, "proxy-protocol": {"yes", "perhaps"}, "keep-alive": {"1m15s", "soon"},
	"redirect-host": {"stash.example.com, git", "git:8443"}, "serve-host": {"code.example.com", "a_b"}, "allow": {"/admin=10.0.0.0/8, /=10.0.0.1", "/a%64min=10.0.0.0/8"},
	"deny": {"/=203.0.113.0/24", "admin=10.0.0.1"}, "response-header": {"X-Frame-Options: DENY | Content-Security-Policy: frame-ancestors 'self', x", "Content-Length: 5"},
	"hsts": {"8760h", "always"}, "max-header": {"32768", "1"}, "client-ca": {"/ca.pem", "/a\nb"}, "client-cert": {"optional", "maybe"}, "maintenance-page": {"/down.html", "/a\nb"},
	"health-listen": {":8080", "8080"}, "upstream-ca": {"/ca.pem", "/a\nb"}, "upstream-name": {"bitbucket.internal", "a b"},
	"plain-listen": {":8080", "8080"},
	"acme-ca":      {"https://ca.example.com/directory", "http://ca.example.com"}, "acme-terms": {"https://ca.example.com/terms", "yes"}, "acme-challenge": {"dns-01", "dns"},
	"acme-dns-hook": {"/usr/local/sbin/hook", "/a\nb"}, "acme-eab-id": {"kid-1", ""}, "acme-eab-file": {"/etc/eab", "/a\nb"}, "acme-profile": {"shortlived", "a\nb"}, "acme-key": {"rsa", "dsa"},
	"ssh-upstream": {"127.0.0.1:7999", "7999"}, "skip": {"ssh, haproxy", "everything"}, "accept": {"rehearsal-1f3a9c20", "all"}, "no-ssh": {"yes", "perhaps"},
}

// What is set can be read back, what is wrong is refused, and "" unsays.
func TestSetAndGet(t *testing.T) {
	for _, q := range Questions() {
		sample, ok := samples[q.ID]
		if !ok {
			t.Errorf("no sample for %q", q.ID)
			continue
		}
		var a setup.Answers
		if err := q.Set(&a, sample.good); err != nil {
			t.Errorf("%s: %q was refused: %v", q.ID, sample.good, err)
		}
		if q.ID == "path" { // only has a meaning beside a URL
			continue
		}
		want := sample.good
		if q.ID == "ssh" {
			want = "yes"
		}
		if got := q.Get(a); got != want {
			t.Errorf("%s: set %q, got %q", q.ID, want, got)
		}
		if sample.bad != "" && q.Validate(sample.bad) == nil {
			t.Errorf("%s: %q was accepted", q.ID, sample.bad)
		}
		if q.Virtual {
			continue
		}
		if err := q.Set(&a, ""); err != nil {
			t.Errorf("%s: cannot be unsaid: %v", q.ID, err)
		}
		if !reflect.DeepEqual(a, setup.Answers{}) && q.Kind != List {
			t.Errorf("%s: unsaid, but something is left: %+v", q.ID, a)
		}
	}
}

func TestCompleteURL(t *testing.T) {
	f := setup.Facts{ContextPath: setup.Known{Value: "/stash", Set: true}}
	for typed, want := range map[string]string{
		"git.example.com":           "https://git.example.com/stash",
		" git.example.com ":         "https://git.example.com/stash",
		"git.example.com:8443":      "https://git.example.com:8443/stash",
		"git.example.com/":          "https://git.example.com",
		"git.example.com/bitbucket": "https://git.example.com/bitbucket",
		"https://git.example.com":   "https://git.example.com/stash",
		"bücher.example":            "https://xn--bcher-kva.example/stash",
		"":                          "",
	} {
		var a setup.Answers
		q, _ := Find("url")
		if err := q.enter(f, &a, typed); err != nil {
			t.Errorf("%q: %v", typed, err)
		}
		if got := a.URL.BaseURL(); got != want {
			t.Errorf("%q is understood as %q, want %q", typed, got, want)
		}
	}
}
