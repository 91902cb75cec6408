package apply_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bitgate/internal/atomicfile"
	"bitgate/internal/service"
	"bitgate/internal/splice"
	"bitgate/setup"
	"bitgate/setup/apply"
)

// toy is a machine so small that ten thousand histories of it can be played:
// a Bitbucket whose context path stands in the first line of its file, with
// nothing but /status, a login and the ConfAPI resource; and a front's file.
type toy struct {
	t        *testing.T
	dir      string
	server   *httptest.Server
	upstream string
	fate     atomic.Pointer[fate]

	mu sync.Mutex
	scene
}

// scene is all there is to see of a toy.
type scene struct {
	file, front  string // contents; front "" where it does not exist
	url, running string // base URL, context path of the running process
}

func newToy(t *testing.T) *toy {
	t.Helper()
	y := &toy{t: t, dir: fastDir(t)}
	y.server = &httptest.Server{Config: &http.Server{Handler: http.HandlerFunc(y.meddle)}}
	var err error
	y.server.Listener, err = net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	y.server.Start()
	t.Cleanup(y.server.Close)
	y.upstream = y.server.URL
	return y
}

func (y *toy) path(name string) string { return filepath.Join(y.dir, "m", name) }

// reset begins a new history.
func (y *toy) reset(s scene) {
	y.must(os.RemoveAll(filepath.Join(y.dir, "m")))
	y.must(os.MkdirAll(y.path(""), 0o755))
	y.must(os.WriteFile(y.path("file"), []byte(s.file), 0o640))
	y.mu.Lock()
	defer y.mu.Unlock()
	y.scene = s
}

func (y *toy) must(err error) {
	y.t.Helper()
	if err != nil {
		y.t.Fatal(err)
	}
}

func (y *toy) look() scene {
	y.mu.Lock()
	defer y.mu.Unlock()
	s := y.scene
	file, err := os.ReadFile(y.path("file"))
	y.must(err)
	front, err := os.ReadFile(y.path("etc/front"))
	if err != nil && !os.IsNotExist(err) {
		y.t.Fatal(err)
	}
	s.file, s.front = string(file), string(front)
	return s
}

func (y *toy) meddle(w http.ResponseWriter, r *http.Request) {
	next := http.HandlerFunc(y.answer)
	if f := y.fate.Load(); f != nil {
		f.serve(w, r, next)
		return
	}
	next(w, r)
}

func (y *toy) answer(w http.ResponseWriter, r *http.Request) {
	y.mu.Lock()
	defer y.mu.Unlock()
	path, ok := strings.CutPrefix(r.URL.Path, y.running)
	switch {
	case !ok:
		http.NotFound(w, r)
	case path == "/status":
		fmt.Fprint(w, `{"state":"RUNNING"}`)
	case path == "/rest/tsv/latest/authenticate":
		fmt.Fprint(w, `{}`)
	case path == "/rest/confapi/1/settings":
		var said struct {
			BaseURL string `json:"baseUrl"`
		}
		if r.Method == http.MethodPut && json.NewDecoder(r.Body).Decode(&said) == nil {
			y.url = said.BaseURL
		}
		said.BaseURL = y.url
		_ = json.NewEncoder(w).Encode(said)
	default:
		http.NotFound(w, r)
	}
}

// restart is done by a person, which needs no process.
func (y *toy) restart(question, _ string, _ []setup.Decision) setup.Decision {
	if !strings.HasPrefix(question, "Restart Bitbucket now") {
		return setup.DecideBack
	}
	f := y.fate.Load()
	if f.act("service restart") != nil {
		return setup.DecideBack
	}
	s := y.look()
	y.mu.Lock()
	y.running = contextIn(s.file)
	y.mu.Unlock()
	if f.act("service restart (its answer)") != nil {
		return setup.DecideBack
	}
	return setup.DecideDone
}

func contextIn(file string) string {
	first, _, _ := strings.Cut(file, "\n")
	return strings.TrimPrefix(first, "context=")
}

func (y *toy) applier() *apply.Applier {
	return &apply.Applier{StateDir: y.path("state"), Login: login, Ask: y.restart, Poll: 50 * time.Microsecond}
}

// plan is what Build would make for the target, from the toy as it is.
func (y *toy) plan(path string) setup.Plan {
	s := y.look()
	want := targetScene(s, path)
	p := setup.Plan{Format: setup.PlanFormat, Inputs: map[string]string{y.path("file"): atomicfile.Digest([]byte(s.file))}, Run: setup.RunSettings{
		UpstreamBefore: y.upstream + s.running, UpstreamAfter: y.upstream + path, RestartTimeout: 2 * time.Second, OnFailure: setup.FailBack,
	}}
	step := func(id string, changes ...setup.Change) {
		p.Steps = append(p.Steps, setup.Step{ID: id, Changes: changes})
	}
	if s.file != want.file {
		step(setup.StepContextPath, edit(setup.PhaseUpstreamFiles, y.path("file"), s.file, want.file),
			setup.Change{Phase: setup.PhaseRestart, What: "restart", Service: &setup.ServiceChange{Target: "bitbucket", Verb: service.Restart, Control: service.Control{How: service.Manual}}})
	}
	if s.url != want.url {
		step(setup.StepBaseURL, setup.Change{Phase: setup.PhaseBaseURL, What: "base URL", BaseURL: &setup.BaseURLChange{Old: s.url, New: want.url, Method: setup.Auto}})
	}
	if s.front != want.front {
		step(setup.StepHAProxy, edit(setup.PhaseFrontFiles, y.path("etc/front"), s.front, want.front))
	}
	return p
}

func edit(phase setup.Phase, path, before, after string) setup.Change {
	e := &setup.FileEdit{
		Path: path, Before: setup.Absent, After: atomicfile.Digest([]byte(after)), Mode: 0o644,
		Splices: []splice.Splice{{Offset: 0, Old: before, New: after}},
	}
	if before != "" {
		e.Before = atomicfile.Digest([]byte(before))
	}
	return setup.Change{Phase: phase, What: "edit " + path, File: e}
}

// targetScene is the scene after a run that was planned in s.
func targetScene(s scene, path string) scene {
	_, rest, _ := strings.Cut(s.file, "\n")
	return scene{file: "context=" + path + "\n" + rest, front: "front for " + path + "\n", url: "https://git.example.com" + path, running: path}
}
