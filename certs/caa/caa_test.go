package caa_test

import (
	"strings"
	"testing"

	"bitgate/certs/caa"
	"bitgate/internal/peers"
)

// TestFind: the nearest set counts, a name that does not exist has none, and a server
// that fails is an error, as it is for authorities.
func TestFind(t *testing.T) {
	d := peers.StartDNS(t)
	d.CAA("example.test", 0, "issue", "ca.test")
	d.Host("git.example.test", "127.0.0.1")
	d.CAA("own.example.test", 128, "issue", ";")
	d.Fail("down.test")
	for _, by := range []string{"udp", "tcp"} {
		if by == "tcp" {
			d.ByTCP()
		}
		for name, want := range map[string]string{
			"git.example.test": "example.test", "*.git.example.test": "example.test", "nowhere.example.test.": "example.test",
			"a.own.example.test": "own.example.test", "git.other.test": "",
		} {
			got, err := caa.Find(t.Context(), d.Address, name)
			if err != nil || got.At != want {
				t.Errorf("%s, %s: %+v, %v", by, name, got, err)
			}
		}
	}
	if _, err := caa.Find(t.Context(), d.Address, "git.down.test"); err == nil || !strings.Contains(err.Error(), "SERVFAIL") {
		t.Errorf("a server that fails: %v", err)
	}
	if _, err := caa.Find(t.Context(), d.Address, strings.Repeat("a", 300)+".test"); err == nil {
		t.Error("a name that is none")
	}
}

func TestForbids(t *testing.T) {
	own := caa.Order{Issuers: []string{"ca.test", "ca-two.test"}, Account: "https://ca.test/acct/1", Challenge: "http-01"}
	wild := own
	wild.Wildcard = true
	issue := func(values ...string) (out []caa.Record) {
		for _, v := range values {
			out = append(out, caa.Record{Tag: "issue", Value: v})
		}
		return out
	}
	for what, c := range map[string]struct {
		records []caa.Record
		order   caa.Order
		want    string // a part of the reason, "" where it may issue
	}{
		"none":                   {nil, own, ""},
		"ours":                   {issue("CA.test"), own, ""},
		"its second name":        {issue("other.test", " ca-two.test "), own, ""},
		"another's":              {issue("other.test"), own, "names another"},
		"nobody":                 {issue(";"), own, "nobody"},
		"only mail":              {[]caa.Record{{Tag: "iodef", Value: "mailto:a@b.test"}}, own, ""},
		"our account":            {issue("ca.test; accounturi=https://ca.test/acct/1"), own, ""},
		"another account":        {issue("ca.test; accounturi=https://ca.test/acct/2"), own, "another account"},
		"no account yet":         {issue("ca.test; accounturi=https://ca.test/acct/1"), caa.Order{Issuers: own.Issuers, Challenge: "http-01"}, "another account"},
		"another way":            {issue("ca.test;validationmethods=dns-01"), own, "no validation by http-01"},
		"ways":                   {issue("ca.test; validationmethods=dns-01,http-01"), own, ""},
		"the one that says most": {issue("other.test", "ca.test;validationmethods=dns-01"), own, "no validation"},
		"a later one allows":     {issue("ca.test;validationmethods=dns-01", "ca.test"), own, ""},
		"wildcard forbidden":     {append(issue("ca.test"), caa.Record{Tag: "issuewild", Value: ";"}), wild, "nobody"},
		"wildcard by issue":      {issue("ca.test"), wild, ""},
		"not about a wildcard":   {append(issue("ca.test"), caa.Record{Tag: "issuewild", Value: ";"}), own, ""},
		"critical and unknown":   {append(issue("ca.test"), caa.Record{Critical: true, Tag: "tbs", Value: "x"}), own, "critical"},
		"unknown":                {append(issue("ca.test"), caa.Record{Tag: "tbs", Value: "x"}), own, ""},
	} {
		got := caa.Set{At: "example.test", Records: c.records}.Forbids(c.order)
		if by := (caa.Set{At: "example.test", Records: c.records}).ByAccount(c.order); by != (c.want == "another account") {
			t.Errorf("%s: by account %t", what, by)
		}
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
}
