package doctor

import "testing"

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
