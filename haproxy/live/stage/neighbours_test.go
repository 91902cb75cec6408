package stage_test

import (
	"net"
	"net/http"
	"testing"
	"time"

	"bitgate/haproxy"
	"bitgate/haproxy/live/stage"
	"bitgate/haproxy/rehearsal"
	"bitgate/internal/publicurl"
)

// TestNeighboursOfASilentFront: who is not answered while HAProxy stands still is met
// nevertheless; where it never answers it is told of how many nothing is known.
func TestNeighboursOfASilentFront(t *testing.T) {
	url, err := publicurl.Parse("https://git.example.com/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	meet := func(t *testing.T, silent time.Duration) stage.Neighbours {
		t.Helper()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.NotFoundHandler(), ReadTimeout: 30 * time.Second}
		later := time.AfterFunc(silent, func() { _ = server.Serve(l) })
		defer func() {
			later.Stop()
			server.Close()
			l.Close()
		}()
		text := top + "frontend www\n    bind " + l.Addr().String() + "\n    default_backend site\n" + backends
		return stage.Rehearsal{Bitbucket: rehearsal.Bitbucket{URL: url}}.NeighboursOf([]haproxy.Source{{Path: "/haproxy.cfg", Data: []byte(text)}})
	}
	all := meet(t, 0)
	if len(all.All) == 0 || all.Silent != 0 {
		t.Fatalf("%d met, %d silent", len(all.All), all.Silent)
	}
	for name, tt := range map[string]struct {
		silent time.Duration
		met    int
	}{"a moment": {2500 * time.Millisecond, len(all.All)}, "for ever": {time.Hour, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if n := meet(t, tt.silent); len(n.All) != tt.met || len(n.All)+n.Silent != len(all.All) {
				t.Errorf("%d met, %d silent, of %d", len(n.All), n.Silent, len(all.All))
			}
		})
	}
}
