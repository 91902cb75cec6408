package apply_test

import (
	"context"
	"testing"

	"bitgate/bitbucket"
	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// A Ctrl-C right after the run had begun, before its first change, once ended
// with 1 and in the demo with 130, as if nobody had consented. Wherever it comes,
// the run is taken back (6), or done.
func TestInterruptedAtEveryEvent(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "9.4.16", setup.FrontBuiltin, bitbuckettest.Options{})
	p := m.checked()
	start := m.takePicture()
	back := 0
	for at := 1; ; at++ {
		ctx, cancel := context.WithCancel(t.Context())
		n, last := 0, setup.Event{}
		a := m.watched(func(e setup.Event) {
			if n++; n == at {
				last = e
				cancel()
			}
		})
		a.Login = func(ctx context.Context, base string) (*bitbucket.Session, error) {
			if ctx.Err() != nil {
				return nil, problem.New("cancelled; nothing was changed", "", "").WithKind(problem.Cancelled)
			}
			return login(ctx, base)
		}
		res, err := a.Apply(ctx, p)
		cancel()
		if err == nil {
			if n >= at && last.Kind != setup.EventCommitted && last.Step != "check" {
				t.Errorf("interrupted at %+v, and nothing happened", last)
			}
			if n < at {
				break
			}
		} else if back++; problem.KindOf(err) != problem.TakenBack || res.State != setup.RunTakenBack {
			t.Errorf("interrupted at %s %s: kind %d, %s, %v", last.Kind, last.Title, problem.KindOf(err), res.State, err)
		} else if diff := m.world().is(start.world); diff != "" {
			t.Errorf("interrupted at %s %s: %s", last.Kind, last.Title, diff)
		}
		start.back()
	}
	if back < 8 {
		t.Errorf("only %d interruptions were taken back", back)
	}
}
