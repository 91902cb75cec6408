package doctor

import (
	"testing"

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
