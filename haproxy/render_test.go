package haproxy

import "testing"
import "bitgate/internal/publicurl"

func TestShow(t *testing.T) {
	u, _ := publicurl.Parse("https://git.example.com/bitbucket")
	s := Site{URL: u, Listen: []string{":443"}, RedirectListen: []string{":80"}, Bundle: "/etc/haproxy/bitgate.pem", Upstream: "127.0.0.1:7990", MaxConn: 50, SSHListen: ":7999", SSHUpstream: "127.0.0.1:7998", OldPath: "/stash", Version: Version{Major: 2, Minor: 6}}
	out, err := Render(s)
	t.Log(out, err)
}
