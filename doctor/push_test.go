package doctor

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/internal/problem"
)

// TestAnswersToExpect: who waits in vain for leave to send is told, unless the front
// stood still for a moment or is as slow with other requests.
func TestAnswersToExpect(t *testing.T) {
	for _, c := range []struct {
		name  string
		hurry time.Duration
		slow  int32 // how many announcements are answered late
		all   bool  // other requests are too
		level problem.Level
		words string
	}{
		{"a standstill", time.Second, 1, false, problem.OK, "a push of 1 GiB is answered HTTP 401"},
		{"never", 2 * time.Second, 2, false, problem.Fail, "no answer within 2s"},
		{"slow with all", 500 * time.Millisecond, 2, true, problem.Note, "not checked: the front is slow now"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := good()
			late := func(r *http.Request) {
				select {
				case <-r.Context().Done():
				case <-time.After(2 * c.hurry):
				}
			}
			var asked atomic.Int32
			f.handle["/bitbucket/scm/bitgate/check.git/git-receive-pack"] = func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) <= c.slow {
					late(r)
				}
				w.WriteHeader(http.StatusUnauthorized)
			}
			f.handle["/bitbucket/status"] = func(_ http.ResponseWriter, r *http.Request) {
				if c.all {
					late(r)
				}
			}
			p := newProbe(f.start(t))
			defer p.close()
			p.hurry = c.hurry
			v := lookLargePush(t.Context(), p)
			v.ID = "push"
			if v.Level == problem.Fail {
				v = v.because("why").doing("do")
			}
			if c.level == problem.OK && v.Level == problem.Note {
				t.Logf("this machine is slow: %s", v.Found)
				return
			}
			wants(t, problem.Finding(v), c.level, c.words)
		})
	}
}
