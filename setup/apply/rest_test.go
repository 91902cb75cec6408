package apply_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// misbehaviour is how Bitbucket answers one request, or every one from there on.
type misbehaviour struct {
	name   string
	stays  bool
	mute   bool          // says nothing about the account, which must not be blamed
	limit  time.Duration // what the client is patient for
	answer func(http.ResponseWriter, *http.Request, http.Handler)
}

func status(code int) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		http.Error(w, "<html><body>no</body></html>", code)
	}
}

var misbehaviours = []misbehaviour{
	{name: "401", answer: status(401)},
	{name: "403", answer: status(403)},
	{name: "409", answer: status(409)},
	{name: "500", mute: true, answer: status(500)},
	{name: "500 for good", stays: true, mute: true, answer: status(500)},
	{name: "timeout", mute: true, limit: time.Second, answer: func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done() // the client goes away
	}},
	{name: "garbage", answer: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		fmt.Fprint(w, "\x00\xff<form><input name=baseURL")
	}},
	{name: "half an answer", mute: true, answer: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, `{"state":"RUN`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}},
	{name: "redirect", answer: func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
	}},
	{name: "done, answer lost", mute: true, answer: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&lateAnswer{ResponseWriter: w}, r)
		panic(http.ErrAbortHandler)
	}},
}

// ill lets Bitbucket misbehave at one of bitgate's requests.
type ill struct {
	mu    sync.Mutex
	how   misbehaviour
	at    int // from 1; 0 only counts
	calls []string
}

func (i *ill) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	i.mu.Lock()
	i.calls = append(i.calls, r.Method+" "+r.URL.Path)
	n := len(i.calls)
	i.mu.Unlock()
	if i.at > 0 && (n == i.at || i.how.stays && n > i.at) {
		i.how.answer(w, r, next)
		return
	}
	next.ServeHTTP(w, r)
}

// whileIll applies p with a Bitbucket that is ill.
func (m *machine) whileIll(i *ill, p setup.Plan) (setup.Result, error) {
	m.ill.Store(i)
	defer m.ill.Store(nil)
	a := m.applier()
	if i.how.stays {
		a = hasty(a, aHundredLooks) // all of its patience passes
	}
	a.Timeout = i.how.limit
	ctx, cancel := context.WithCancel(m.t.Context())
	defer cancel()
	return a.Apply(ctx, p)
}

// Whatever Bitbucket answers to whichever request of a run: afterwards files
// and base URL are both old or both new, or the error names what is left.
func TestBitbucketMisbehavesAtEveryCall(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	table := map[string]map[string]int{}
	t.Run("cells", func(t *testing.T) {
		for _, version := range generations {
			for _, slow := range []bool{false, true} { // those that wait go beside those that compute
				t.Run(fmt.Sprintf("%s waiting %v", version, slow), func(t *testing.T) {
					t.Parallel()
					x := restTrial(t, version)
					for _, how := range misbehaviours {
						if (how.limit > 0) == slow {
							ends := x.misbehave(how)
							mu.Lock()
							table[version+" "+how.name] = ends
							mu.Unlock()
						}
					}
				})
			}
		}
	})
	for _, row := range slices.Sorted(maps.Keys(table)) {
		t.Logf("%-28s %v", row, table[row])
	}
}

// restTrial counts the requests of a run in which nothing goes wrong.
func restTrial(t *testing.T, version string) *illTrial {
	m := newMachine(t, version, setup.FrontBuiltin, bitbuckettest.Options{})
	x := &illTrial{plan: m.checked(), trial: &trial{machine: m, start: m.takePicture(), from: m.world()}}
	clean := &ill{}
	if _, err := m.whileIll(clean, x.plan); err != nil {
		t.Fatal(err)
	}
	x.to, x.calls = m.world(), clean.calls
	x.start.back()
	return x
}

type illTrial struct {
	*trial
	plan  setup.Plan
	calls []string
}

func (x *illTrial) misbehave(how misbehaviour) map[string]int {
	ends := map[string]int{}
	for n, call := range x.calls {
		if !torture && strings.HasPrefix(call, "GET") && n%9 != len(how.name)%9 {
			continue
		}
		res, err := x.whileIll(&ill{how: how, at: n + 1}, x.plan)
		end := x.stated(how.name+" at "+call, res, err)
		if how.mute && strings.HasPrefix(end, "credentials") {
			x.t.Errorf("%s at %s: the account is blamed: %v", how.name, call, err)
		}
		ends[end]++
		ends["cells"]++
		x.start.back()
	}
	return ends
}

// stated compares what the run said with what it left.
func (x *trial) stated(what string, res setup.Result, err error) string {
	x.t.Helper()
	kind := problem.KindOf(err)
	if kind == problem.Incomplete {
		text := err.Error()
		if x.BB.BaseURL() == x.to.url && (!strings.Contains(text, x.from.url) || !strings.Contains(text, "/admin/server-settings")) {
			x.t.Errorf("%s: the base URL is left, and neither page nor value is named: %s", what, text)
		}
		if _, err := x.applier().Recover(x.t.Context(), false); err != nil {
			x.t.Errorf("%s: recover: %v", what, err)
		}
		if x.settled(what + ", recovered") {
			x.t.Errorf("%s: recovered, but as after", what)
		}
		return "incomplete, recovered"
	}
	atEnd := x.settled(what)
	if atEnd != (err == nil) {
		x.t.Errorf("%s: %v, and as after: %v", what, err, atEnd)
	}
	switch {
	case err == nil:
		return "done"
	case kind == problem.Credentials && res.Run != "":
		return "credentials, taken back"
	case kind == problem.Credentials:
		return "credentials, nothing changed"
	case kind == problem.TakenBack:
		return "taken back"
	}
	return "nothing changed"
}
