package interview

import (
	"strings"
	"testing"

	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/setup"
)

func said(all []problem.Finding) string {
	var text []string
	for _, f := range all {
		text = append(text, string(f.Level)+" "+f.Found+" "+f.Do)
	}
	return strings.Join(text, "\n")
}

func address(t *testing.T, text string) publicurl.URL {
	t.Helper()
	u, err := publicurl.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestOnlyAddressesOfTheFrontAreSentOn: the next question is promised to help those alone
// that the front can see.
func TestOnlyAddressesOfTheFrontAreSentOn(t *testing.T) {
	q, _ := Find("path")
	for base, sentOn := range map[string]bool{
		"https://git.example.com": true, "https://git.example.com/": true, "https://git.example.com:7990": false, "http://git.example.com:7990": false, "https://code.example.com": false, "": false,
	} {
		f := setup.Facts{ContextPath: setup.Known{Set: true}, Instance: setup.Instance{Base: "http://127.0.0.1:7990", BaseURL: setup.Known{Value: base, Set: base != ""}}}
		text := said(Advice(q, f, setup.Answers{URL: address(t, "https://git.example.com/bitbucket")}))
		if strings.Contains(text, "offers to send them on") != sentOn || strings.Contains(text, "git remote set-url") == sentOn {
			t.Errorf("people have %q today:\n%s", base, text)
		}
	}
}

// TestNamesThatNobodyElseReaches: an address of this machine alone is not well for a
// public one, and Bitbucket's own port is no front's.
func TestNamesThatNobodyElseReaches(t *testing.T) {
	q, _ := Find("url")
	for _, host := range []string{"localhost", "127.0.0.1", "127.0.1.1", "[::1]"} {
		if text := said(Advice(q, setup.Facts{}, setup.Answers{URL: address(t, "https://"+host)})); !strings.Contains(text, "warn only this machine itself") {
			t.Errorf("%s: %s", host, text)
		}
	}
	if text := said(Advice(q, setup.Facts{}, setup.Answers{URL: address(t, "https://git.example.com")})); text != "" {
		t.Error(text)
	}
	iv := &Interview{Answers: setup.Answers{Upstream: "http://127.0.0.1:7990"}}
	for typed, want := range map[string]string{
		"https://git.example.com:7990": "Bitbucket's own port", "git.example.com:7990": "Bitbucket's own port", "http://git.example.com:7990": "https://git.example.com", "git.example.com": "", "git.example.com:8443": "",
	} {
		err := refuseOwnPort(iv, typed)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "stop it")) {
			t.Errorf("%s: %v", typed, err)
		}
	}
}

// TestNoIsCalledWhatItIs: where the front takes SSH today, its question neither says that
// a No leaves it as it is nor offers it first.
func TestNoIsCalledWhatItIs(t *testing.T) {
	q, _ := Find("ssh")
	for _, o := range q.Options {
		if strings.Contains(o.Label, "leave") {
			t.Errorf("an option is called %q", o.Label)
		}
	}
	f := setup.Facts{}
	f.ProxyConfig.Path = "/p.yaml"
	f.ProxyConfig.Data = []byte("url: https://git.example.com\nlisten: [\":443\"]\nupstream: http://127.0.0.1:7990\npem: /b.pem\nssh-listen: :7998\nssh-upstream: 127.0.0.1:7999\n")
	if got := q.show(f, setup.Answers{}); got != "yes" {
		t.Errorf("Enter alone says %q", got)
	}
	text := said(Advice(q, f, setup.Answers{URL: address(t, "https://git.example.com"), NoSSH: true}))
	if !strings.Contains(text, "warn the front stops taking SSH on :7998") || strings.Contains(text, "stays as it is") {
		t.Error(text)
	}
}
