package doctor

import (
	"testing"

	"bitgate/bitbucket"
	"bitgate/doctor/local"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
)

func TestHour(t *testing.T) {
	for _, c := range []struct{ program, text, want string }{
		{"haproxy", "timeout server 30s", "timeout server 1h"},
		{"haproxy", "timeout client 50000", "timeout client 1h"},
		{"nginx", "proxy_read_timeout 90;", "proxy_read_timeout 1h;"},
		{"nginx", "proxy_timeout 10m;", "proxy_timeout 1h;"},
		{"apache", "ProxyTimeout 60", "ProxyTimeout 3600"},
		{"apache", "Timeout 300", "Timeout 3600"},
		{"apache", "ProxyPass / http://127.0.0.1:7990/ connectiontimeout=5 timeout=60 nocanon", "ProxyPass / http://127.0.0.1:7990/ connectiontimeout=5 timeout=3600 nocanon"},
	} {
		if got := hour(c.program, c.text); got != c.want {
			t.Errorf("%s: %q, want %q", c.text, got, c.want)
		}
	}
}

// TestWhatFollowsFromTheName: a name that leads nowhere is said once; what cannot be
// reached because of it, port 80 and SSH too, says so.
func TestWhatFollowsFromTheName(t *testing.T) {
	u, err := publicurl.Parse("https://bitgate.invalid:1")
	if err != nil {
		t.Fatal(err)
	}
	name := problem.Finding{ID: "cause.name", Level: problem.Fail, Title: "The public name", Found: "does not resolve"}
	follows := 0
	for _, f := range Run(t.Context(), Target{URL: u, RedirectPort: 80, RedirectOptional: true, SSHAddr: "bitgate.invalid:7999", Causes: []problem.Finding{name}}, nil) {
		switch {
		case f.Do == "":
		case f.Why != "that follows from what stands above: The public name":
			t.Errorf("%s: %+v", f.ID, f)
		default:
			follows++
		}
	}
	if follows != 3 {
		t.Errorf("%d checks follow, want 3", follows)
	}
}

// TestAddressAsName: an IPv6 address stands in Bitbucket's settings and in the Host
// field as in a URL, which is how a setup writes it; without its brackets it is wrong.
func TestAddressAsName(t *testing.T) {
	u, err := publicurl.Parse("https://[2001:db8::7]")
	if err != nil {
		t.Fatal(err)
	}
	here := func(value string) local.Setting {
		return local.Setting{Place: local.Place{File: "f", Line: 1}, Value: value}
	}
	found := func(name, host string) (ids []string) {
		m := local.Machine{Where: local.Where{URL: u}}
		m.Site = local.Site{Program: "haproxy", Host: here(host)}
		m.Instance = local.Instance{File: "f", Scheme: here("https"), Secure: here("true"), Name: here(name), Context: here("/")}
		m.Instance.Overrides = []bitbucket.Override{{Key: "server.proxy-name", Value: name, Where: "environment"}}
		for _, f := range Causes(t.Context(), Target{URL: u, Connect: "127.0.0.1:1"}, m, nil) {
			if f.ID == "cause.connector" || f.ID == "cause.ignored" || f.ID == "cause.host" {
				ids = append(ids, f.ID+": "+f.Found)
			}
		}
		return ids
	}
	if ids := found("[2001:db8::7]", "[2001:db8::7]"); len(ids) > 0 {
		t.Errorf("as a setup writes it: %q", ids)
	}
	if ids := found("2001:db8::7", ""); len(ids) != 2 {
		t.Errorf("without brackets: %q", ids)
	}
}
