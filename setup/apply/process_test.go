package apply_test

import (
	"context"
	"slices"
	"strings"
	"time"

	"bitgate/internal/atomicfile"
	"bitgate/setup"
	"bitgate/setup/apply"
)

// end is how an act under a fate ended.
type end struct {
	result setup.Result
	err    error
	died   bool
	acts   []string
}

func (e end) hit(at int) string {
	if at > 0 && at <= len(e.acts) {
		return e.acts[at-1]
	}
	return "nothing"
}

// under runs do as a process of its own whose fate is f.
func (m *machine) under(f *fate, do func(context.Context, *apply.Applier) (setup.Result, error)) end {
	a := m.applier()
	a.Serve = func(ctx context.Context, path string) error {
		if err := f.act("service serve"); err != nil {
			if f.isDead() {
				panic(gone{})
			}
			return err
		}
		return m.serve(ctx, path)
	}
	m.fate.Store(f)
	defer m.fate.Store(nil)
	e := f.run(m.t.Context(), a, do)
	m.service.finish(m.t)
	if e.died {
		m.stop() // a front inside the process dies with it
	}
	return e
}

func (f *fate) run(ctx context.Context, a *apply.Applier, do func(context.Context, *apply.Applier) (setup.Result, error)) (e end) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f.mu.Lock()
	f.cancel = cancel
	f.mu.Unlock()
	a.Files = atomicfile.Writer{Fault: f.fault}
	func() {
		defer func() {
			if r := recover(); r != nil && r != (gone{}) {
				panic(r)
			}
		}()
		for e.result, e.err = do(ctx, a); e.err != nil && strings.HasPrefix(e.err.Error(), "another bitgate"); {
			// As in restartBitbucket, a child of another test holds our lock.
			time.Sleep(5 * time.Millisecond)
			f.forget()
			e.result, e.err = do(ctx, a)
		}
	}()
	f.mu.Lock()
	defer f.mu.Unlock()
	e.died, e.acts = f.dead, slices.Clone(f.acts)
	return e
}

func applying(p setup.Plan) func(context.Context, *apply.Applier) (setup.Result, error) {
	return func(ctx context.Context, a *apply.Applier) (setup.Result, error) { return a.Apply(ctx, p) }
}

func undo(ctx context.Context, a *apply.Applier) (setup.Result, error) { return a.Undo(ctx, "", false) }

func recovery(forward bool) func(context.Context, *apply.Applier) (setup.Result, error) {
	return func(ctx context.Context, a *apply.Applier) (setup.Result, error) { return a.Recover(ctx, forward) }
}
