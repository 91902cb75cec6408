package publicurl

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSpellings(t *testing.T) {
	tests := []struct {
		in, base, authority, tomcat, property, status, hostPort string
	}{
		{"https://git.example.com/bitbucket", "https://git.example.com/bitbucket", "git.example.com", "/bitbucket", "/bitbucket", "/bitbucket/status", "git.example.com:443"},
		{"https://git.example.com", "https://git.example.com", "git.example.com", "", "/", "/status", "git.example.com:443"},
		{"https://git.example.com/", "https://git.example.com", "git.example.com", "", "/", "/status", "git.example.com:443"},
		{"https://git.example.com:443/stash/", "https://git.example.com/stash", "git.example.com", "/stash", "/stash", "/stash/status", "git.example.com:443"},
		{"https://git.example.com:8443/a/b", "https://git.example.com:8443/a/b", "git.example.com:8443", "/a/b", "/a/b", "/a/b/status", "git.example.com:8443"},
		{"https://GIT.Example.COM./x", "https://git.example.com/x", "git.example.com", "/x", "/x", "/x/status", "git.example.com:443"},
		{"https://bücher.example/git", "https://xn--bcher-kva.example/git", "xn--bcher-kva.example", "/git", "/git", "/git/status", "xn--bcher-kva.example:443"},
		{"https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", "[2001:db8::1]:8443", "", "/", "/status", "[2001:db8::1]:8443"},
		{"https://192.0.2.7/bitbucket", "https://192.0.2.7/bitbucket", "192.0.2.7", "/bitbucket", "/bitbucket", "/bitbucket/status", "192.0.2.7:443"},
	}
	for _, tt := range tests {
		u, err := Parse(tt.in)
		if err != nil {
			t.Errorf("Parse(%q): %v", tt.in, err)
			continue
		}
		got := []string{u.BaseURL(), u.Authority(), u.TomcatPath(), u.PropertyPath(), u.StatusPath(), u.HostPort()}
		want := []string{tt.base, tt.authority, tt.tomcat, tt.property, tt.status, tt.hostPort}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("Parse(%q): got %q, want %q", tt.in, got[i], want[i])
			}
		}
		again, err := Parse(u.BaseURL())
		if err != nil || again != u {
			t.Errorf("Parse(%q) does not give %q back: %v, %v", u.BaseURL(), tt.in, again, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for in, reason := range map[string]string{
		"http://git.example.com":         "https://",
		"git.example.com":                "https://",
		"https://":                       "host name",
		"https://user:pw@git.example":    "password",
		"https://git.example/?x=1":       "query",
		"https://git.example/#top":       "fragment",
		"https://git.example:0/":         "port",
		"https://git.example:99999/":     "port",
		"https://git.example:/":          "port",
		"https://git_host.example/":      "host",
		"https://-git.example/":          "host",
		"https://git.example/a//b":       "segments",
		"https://git.example/../b":       "segments",
		"https://git.example/a%2Fb":      "letters",
		"https://git.example/a;b":        "letters",
		"https://[fe80::1%25eth0]/":      "zone",
		"https://git.example/$(reboot)":  "letters",
		"https://git.example/a\"b":       "letters",
		"https://git.example\n.evil.com": "URL",
	} {
		u, err := Parse(in)
		if err == nil {
			t.Errorf("Parse(%q) = %v, want an error", in, u)
			continue
		}
		if !strings.Contains(err.Error(), reason) {
			t.Errorf("Parse(%q): %q does not speak of %q", in, err, reason)
		}
		if strings.Contains(err.Error(), "user:pw") {
			t.Errorf("Parse(%q): the error repeats the password", in)
		}
	}
}

func TestTextRoundTrip(t *testing.T) {
	var doc struct{ URL URL }
	if err := json.Unmarshal([]byte(`{"URL":"https://git.example.com:8443/x"}`), &doc); err != nil {
		t.Fatal(err)
	}
	out, _ := json.Marshal(doc)
	if string(out) != `{"URL":"https://git.example.com:8443/x"}` {
		t.Errorf("got %s", out)
	}
	if err := json.Unmarshal([]byte(`{"URL":""}`), &doc); err != nil || !doc.URL.IsZero() {
		t.Errorf("empty text: %v, %v", doc.URL, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("https://git.example.com:8443/bitbucket")
	f.Add("https://bücher.example")
	f.Add("https://[::1]:1/")
	f.Fuzz(func(t *testing.T, in string) {
		u, err := Parse(in)
		if err != nil {
			return
		}
		again, err := Parse(u.BaseURL())
		if err != nil || again != u {
			t.Errorf("%q -> %q -> %v, %v", in, u.BaseURL(), again, err)
		}
		if strings.ContainsAny(u.BaseURL(), " \t\r\n\"'<>#?;") {
			t.Errorf("%q -> %q could break out of a configuration file", in, u.BaseURL())
		}
	})
}
