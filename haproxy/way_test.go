package haproxy

import (
	"errors"
	"strings"
	"testing"
)

// Guards by the client's address stay before our rules, and a "listen" is what it leads to
// itself: where requests go is known all the same.
func TestWayFromBehindAGuard(t *testing.T) {
	const (
		guard  = "  use_backend blocked if { src -f /etc/bad }\n"
		byHand = "  use_backend bitbucket if { src 10.0.0.0/8 }\n"
		rest   = "backend blocked\nbackend x\nbackend bitbucket\n  server s 10.0.0.1:7990\n"
	)
	for what, c := range map[string]struct{ text, byDefault string }{
		"a guard":               {"frontend www\n  mode http\n  bind *:443 ssl crt /a.pem\n" + guard + "  default_backend x\n", "x"},
		"a way made by hand":    {"frontend www\n  mode http\n  bind *:443 ssl crt /a.pem\n" + byHand + "  default_backend x\n", "x"},
		"TLS passed through":    {"frontend www\n  mode tcp\n  bind *:443\n" + guard + "  default_backend x\n", "x"},
		"a listen with a guard": {"listen www\n  mode http\n  bind *:443 ssl crt /a.pem\n" + guard + "  server a 10.0.0.2:80\n", "www"},
	} {
		s := site(t, nil)
		m, err := merge(t, c.text+rest, s)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		head, _, _ := strings.Cut(c.text, "\n")
		before, _, _ := strings.Cut("\n"+string(m.After), "\n"+head+"\n")
		line := strings.Count(before, "\n") + 1
		set := ParseSet([]Source{{Path: cfg, Data: m.After}})
		way := set.WayFrom(cfg, line, s.URL, "/bitbucket/", c.byDefault, func(string) ([]byte, error) { return nil, errors.New("not there") })
		if !strings.HasPrefix(way.Backend, prefix+"_") || len(way.Unsure) > 0 {
			t.Errorf("%s: %+v\n%s", what, way, m.After)
		}
	}
	text := "listen bitbucket\n  mode http\n  bind *:443 ssl crt /a.pem\n  use_backend blocked if !{ src 10.0.0.0/8 }\n  server s 10.0.0.1:7990\nbackend blocked\n"
	way := ParseSet([]Source{{Path: cfg, Data: []byte(text)}}).WayFrom(cfg, 1, site(t, nil).URL, "/bitbucket/", "bitbucket", nil)
	if way.Backend != "bitbucket" || len(way.Unsure) > 0 {
		t.Errorf("a listen of Bitbucket's: %+v", way)
	}
}
