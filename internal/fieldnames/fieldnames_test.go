package fieldnames

import "testing"

func TestClaims(t *testing.T) {
	for name, want := range map[string]bool{
		"x-forwarded-for": true, "X-Forwarded-Access-Token": true, "X-FORWARDED": true, "x-client-ip": true, "X-SSL-Client-CN": true,
		"Client-Cert": true, "proxy": true, "x-remote-user": true, "CF-Connecting-IPv6": true,
		"Authorization": false, "X-Atlassian-Token": false, "X-Requested-With": false, "Cookie": false, "X-Auth-Token": false,
		"Content-Type": false, "Git-Protocol": false, "X-Forwarde": false, "": false,
	} {
		if got := Claims(name); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
}
