package apply_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync"

	"bitgate/internal/atomicfile"
)

// fate counts what a run does to the world (operations on the disk, requests
// to Bitbucket, acts of services) and lets something happen at one of them.
type fate struct {
	mu     sync.Mutex
	what   happening
	at     int                   // which act, from 1; 0 only counts
	when   func(act string) bool // instead of a number
	err    error                 // for fails and broken
	cancel context.CancelFunc

	acts []string
	dead bool
}

type happening string

const (
	counts  happening = "counted"
	killed  happening = "killed"  // the process is gone: nothing it still does has an effect
	fails   happening = "failed"  // this one act fails
	broken  happening = "broken"  // from here on every act on the disk fails
	full    happening = "full"    // from here on every act in the state directory fails
	cancels happening = "stopped" // SIGTERM arrives
)

// gone is what a dead process throws to end.
type gone struct{}

var errFate = errors.New("injected fault")

// act is asked before each act; nil means go on.
func (f *fate) act(name string) error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return errFate
	}
	f.acts = append(f.acts, name)
	onDisk, inState := strings.HasPrefix(name, "disk "), strings.Contains(name, "/state/")
	if len(f.acts) >= f.at && onDisk && (f.what == broken || f.what == full && inState) {
		return f.err
	}
	if len(f.acts) != f.at && (f.when == nil || !f.when(name)) {
		return nil
	}
	switch f.what {
	case killed:
		f.dead = true
		f.cancel()
		return errFate
	case fails:
		return f.err
	case cancels:
		f.cancel()
	}
	return nil
}

// fault is the seam of the disk. A line of the journal that is being written
// when the process is killed is torn.
func (f *fate) fault(op atomicfile.Op, path string) error {
	was := f.isDead()
	err := f.act("disk " + string(op) + " " + path)
	if !f.isDead() {
		return err
	}
	if !was && op == "append" {
		if j, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0); err == nil {
			_, _ = j.WriteString(`{"at":"2026-01-01T00:00:00Z","kind":"do`)
			j.Close()
		}
	}
	panic(gone{})
}

func (f *fate) isDead() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

func (f *fate) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acts = nil
}

// serve answers a request of bitgate's as the fate says.
func (f *fate) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	name := "http " + r.Method + " " + r.URL.Path
	if err := f.act(name); err != nil {
		if f.isDead() {
			panic(http.ErrAbortHandler)
		}
		http.Error(w, "injected fault", http.StatusServiceUnavailable)
		return
	}
	late := &lateAnswer{ResponseWriter: w, status: http.StatusOK}
	next.ServeHTTP(late, r)
	if err := f.act(name + " (its answer)"); err != nil {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(late.status)
	_, _ = w.Write(late.body)
}

// meddle stands before Bitbucket. Only bitgate's own requests count, not the
// front's.
func (m *machine) meddle(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, i := m.fate.Load(), m.ill.Load()
		switch {
		case r.UserAgent() != "bitgate":
			next.ServeHTTP(w, r)
		case i != nil:
			i.serve(w, r, next)
		case f != nil:
			f.serve(w, r, next)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// lateAnswer keeps an answer until it is decided whether it gets through.
type lateAnswer struct {
	http.ResponseWriter
	body   []byte
	status int
}

func (l *lateAnswer) WriteHeader(code int) { l.status = code }

func (l *lateAnswer) Write(p []byte) (int, error) {
	l.body = append(l.body, p...)
	return len(p), nil
}
