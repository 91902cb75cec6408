package haproxy

import (
	"os"
	"testing"
)
import "bitgate/internal/publicurl"

func TestShow(t *testing.T) {
	u, _ := publicurl.Parse("https://git.example.com/bitbucket")
	for _, v := range []Version{{1, 5, 0, "", ""}, {1, 8, 0, "", ""}, {2, 0, 0, "", ""}, {2, 2, 0, "", ""}, {2, 6, 0, "", ""}, {3, 4, 0, "", "3.0.19"}} {
		s := Site{URL: u, Listen: []string{":10443"}, RedirectListen: []string{":10080"}, Bundle: "/tmp/hap/b.pem", Upstream: "127.0.0.1:7990", MaxConn: 50, SSHListen: ":17999", SSHUpstream: "127.0.0.1:7998", OldPath: "/stash", Version: v}
		m, err := Merge([]Source{{Path: "x"}}, s)
		if err != nil {
			t.Fatal(err)
		}
		os.WriteFile("/tmp/hap/out-"+string(rune('0'+v.Major))+"."+string(rune('0'+v.Minor))+".cfg", m.After, 0o644)
	}
}
