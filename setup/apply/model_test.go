package apply_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/apply"
)

// Random sequences of apply, edit, undo, kill and recover: after every one that
// settles, the machine is where the model is.
func TestRandomHistories(t *testing.T) {
	const workers = 4
	each := 25
	if torture {
		each = 2500
	}
	for w := range workers {
		t.Run(fmt.Sprintf("seeds %d-%d", w*each, (w+1)*each-1), func(t *testing.T) {
			t.Parallel()
			y, tally := newToy(t), &tallySheet{}
			for n := range each {
				seed := uint64(w*each + n)
				h := &history{toy: y, rnd: rand.New(rand.NewPCG(seed, 1)), tally: tally}
				h.now = scene{file: "context=/old\nother=1\n", url: "http://old.example.com/old", running: "/old"}
				y.reset(h.now)
				for range 8 {
					if err := h.step(); err != nil {
						t.Fatalf("seed %d: %v\n%s", seed, err, strings.Join(h.log, "\n"))
					}
				}
			}
			t.Logf("%d sequences: %+v", each, *tally)
		})
	}
}

func (h *history) step() error {
	h.tally.ops++
	switch h.rnd.IntN(10) {
	case 0, 1:
		return h.edit()
	case 2, 3, 4:
		return h.undo()
	}
	return h.apply()
}

func (h *history) apply() error {
	p := h.plan([]string{"/a", "/b", "/old"}[h.rnd.IntN(3)])
	before, after := h.now, targetScene(h.now, strings.TrimPrefix(p.Run.UpstreamAfter, h.upstream))
	e := h.fated(p.Run.UpstreamAfter, func(ctx context.Context, a *apply.Applier) (setup.Result, error) { return a.Apply(ctx, p) })
	if !e.died && e.err == nil {
		if !p.Empty() {
			h.runs = append(h.runs, planned{before, after})
		}
		h.now = after
		return h.agree()
	}
	return h.settle(e, after, func() { h.runs = append(h.runs, planned{before, after}) })
}

func (h *history) undo() error {
	if len(h.runs) == 0 {
		_, err := h.applier().Undo(h.t.Context(), "", false)
		if err == nil {
			return errors.New("something was undone where nothing stood")
		}
		return h.agree()
	}
	top := h.runs[len(h.runs)-1]
	foreign := top.foreign(h.now)
	force := h.rnd.IntN(3) == 0
	after := top.undone(h.now)
	e := h.fated(fmt.Sprintf("undo, force %v, foreign %v", force, foreign), func(ctx context.Context, a *apply.Applier) (setup.Result, error) { return a.Undo(ctx, "", force) })
	pop := func() { h.runs = h.runs[:len(h.runs)-1] }
	switch {
	case !e.died && e.err == nil && foreign && !force:
		return errors.New("undo went over a foreign edit")
	case !e.died && e.err == nil:
		if foreign {
			h.tally.forced++
		}
		pop()
		h.now = after
		return h.agree()
	case foreign && !force:
		h.tally.refused++
	}
	return h.settle(e, after, pop)
}

// fated does something, in half the cases with a kill or a fault somewhere.
func (h *history) fated(what string, do func(context.Context, *apply.Applier) (setup.Result, error)) end {
	f := &fate{}
	switch h.rnd.IntN(4) {
	case 0:
		f.what, f.at = killed, 1+h.rnd.IntN(90)
	case 1:
		f.what, f.at, f.err = fails, 1+h.rnd.IntN(90), errnos[h.rnd.IntN(len(errnos))]
	}
	h.fate.Store(f)
	defer h.fate.Store(nil)
	e := f.run(h.t.Context(), h.applier(), do)
	h.note("%s: %s at %d (%s): died %v, %s, %v", what, f.what, f.at, e.hit(f.at), e.died, e.result.State, e.err)
	if e.died {
		h.tally.kills++
	} else if f.what == fails && e.err != nil {
		h.tally.faults++
	}
	return e
}

// settle brings the machine to rest after something went wrong, with more
// mishaps on the way, and lets the model follow.
func (h *history) settle(e end, after scene, done func()) error {
	kind := problem.KindOf(e.err)
	if !e.died && kind != problem.Incomplete {
		return h.agree() // refused or taken back
	}
	before := h.now
	edited := h.rnd.IntN(5) == 0
	if edited {
		if err := h.edit(); err != nil {
			return err
		}
	}
	if err := h.recover(); err != nil {
		return err
	}
	// Where a foreign edit met a file of the run, everything it did is gone or
	// it survived: then it is on top of one of the two.
	for _, want := range []scene{before, after, h.with(before), h.with(after)} {
		if h.look() == want && (edited || want == before || want == after) {
			if h.standing() {
				done()
			}
			h.now = want
			return h.agree()
		}
	}
	return fmt.Errorf("neither as before nor as after:\nis     %+v\nbefore %+v\nafter  %+v", h.look(), before, after)
}

// recover goes on until nothing is open: forward or back, killed now and then,
// by force where a foreign edit is in the way.
func (h *history) recover() error {
	for range 20 {
		open := h.open()
		if open == "" {
			_, err := h.applier().Recover(h.t.Context(), false) // sweeps
			return err
		}
		if _, err := h.applier().Apply(h.t.Context(), h.plan("/c")); err == nil || !strings.Contains(err.Error(), open) {
			return fmt.Errorf("an open journal did not stop apply: %w", err)
		}
		forward := h.rnd.IntN(2) == 0
		e := h.fated(fmt.Sprintf("recover, forward %v", forward), func(ctx context.Context, a *apply.Applier) (setup.Result, error) { return a.Recover(ctx, forward) })
		if !e.died && e.err != nil && strings.Contains(e.err.Error(), "--force") {
			h.fated("undo by force", func(ctx context.Context, a *apply.Applier) (setup.Result, error) { return a.Undo(ctx, open, true) })
		}
	}
	return errors.New("it does not come to rest")
}
