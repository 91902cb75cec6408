package apply_test

import (
	"iter"
	"os"
	"path/filepath"
	"testing"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/setup"
)

// torture makes the long tests long: make torture.
var torture = os.Getenv("BITGATE_TORTURE") == "1"

// points are acts to do something at: all of them in the long form, and in the
// short one every stride-th from first on. HAProxy itself is asked about its
// configuration in every run, so its machines get fewer. The strides share no
// factor with the numbers that say what else happens at a point.
func (x *trial) points(first, stride int) iter.Seq[int] {
	if torture {
		first, stride = 0, 1
	} else if x.Front == setup.FrontHAProxy {
		stride = 2*stride + 3
	}
	return func(yield func(int) bool) {
		for at := 1 + first%stride; at <= x.acts && yield(at); at += stride {
		}
	}
}

// trial is a run that is done again and again, each time with another fate.
type trial struct {
	*machine
	do       func(*fate) end
	from, to world
	start    picture
	acts     int
}

// applyTrial and undoTrial count the acts of a run that nothing happens to.
func applyTrial(t *testing.T, version, front string) *trial {
	// The HAProxy machine keeps its context path: only its connector changes.
	o := bitbuckettest.Options{}
	if front == setup.FrontHAProxy {
		o.Context = "/bitbucket"
	}
	m := newMachine(t, version, front, o)
	p := m.checked()
	x := &trial{machine: m, start: m.takePicture(), do: func(f *fate) end { return m.under(f, applying(p)) }}
	return x.counted()
}

func undoTrial(t *testing.T, version, front string) *trial {
	m := newMachine(t, version, front, bitbuckettest.Options{})
	if _, err := m.applier().Apply(t.Context(), m.checked()); err != nil {
		t.Fatal(err)
	}
	x := &trial{machine: m, start: m.takePicture(), do: func(f *fate) end { return m.under(f, undo) }}
	return x.counted()
}

func (x *trial) counted() *trial {
	x.t.Helper()
	x.from = x.world()
	e := x.do(&fate{})
	if e.err != nil {
		x.t.Fatalf("without a fault: %v", e.err)
	}
	x.to, x.acts = x.world(), len(e.acts)
	x.start.back()
	return x
}

// settled checks that the world is one of the two, whole, and nothing is open.
func (x *trial) settled(what string) (atEnd bool) {
	x.t.Helper()
	if left := x.unsettled(); left != "" {
		x.t.Errorf("%s: %s", what, left)
	}
	now := x.world()
	from, to := now.is(x.from), now.is(x.to)
	if from != "" && to != "" {
		x.t.Errorf("%s: neither as before:\n%s\nnor as after:\n%s", what, from, to)
	}
	return to == ""
}

// agrees compares what recover says with what it left.
func (x *trial) agrees(what string, res setup.Result) {
	x.t.Helper()
	atEnd := x.settled(what)
	finished := res.State == setup.RunCommitted || res.State == setup.RunUndone
	if finished && !atEnd || res.State == setup.RunTakenBack && atEnd {
		x.t.Errorf("%s: %s, and as after: %v", what, res.State, atEnd)
	}
}

// eachTrial numbers the trials, so that each can begin at another point.
func eachTrial(t *testing.T, run func(t *testing.T, x *trial, n int)) {
	n := 0
	for _, kind := range []struct {
		name string
		make func(*testing.T, string, string) *trial
	}{{"apply", applyTrial}, {"undo", undoTrial}} {
		for _, version := range generations {
			for _, front := range []string{setup.FrontBuiltin, setup.FrontHAProxy, setup.FrontTomcat} {
				this := n
				n++
				t.Run(kind.name+" "+version+" "+front, func(t *testing.T) {
					t.Parallel()
					run(t, kind.make(t, version, front), this)
				})
			}
		}
	}
}

// A process killed at any act of an apply or an undo leaves a machine that
// recover makes whole: all old or all new.
func TestKilledAtEveryAct(t *testing.T) {
	eachTrial(t, func(t *testing.T, x *trial, n int) {
		points, kills, again, reboots, recovered := 0, 0, 0, 0, 0
		for at := range x.points(n, 7) {
			points++
			e := x.do(&fate{what: killed, at: at})
			if !e.died {
				t.Errorf("act %d was not reached", at)
				continue
			}
			kills++
			what := "killed at " + e.hit(at)
			forward := at%2 == 0
			if at%5 < 2 { // and once more while it is being settled
				f := x.under(&fate{what: killed, at: 1 + at*7%47}, recovery(forward))
				if f.died {
					again++
					what += ", then at " + f.hit(len(f.acts))
					forward = !forward // whoever comes next may want it otherwise
				}
			}
			if at%3 == 0 {
				reboots++
				what += ", rebooted"
				x.reboot()
			}
			res := x.under(&fate{}, recovery(forward))
			if res.err != nil {
				t.Errorf("%s: recover (forward %v): %v", what, forward, res.err)
			}
			x.agrees(what, res.result)
			if res.err == nil {
				recovered++
				if made, _ := filepath.Glob(filepath.Join(x.Probe.StateDir, "runs", "*", "made")); len(made) > 0 {
					t.Errorf("%s: secrets are left in %s", what, made)
				}
			}
			x.start.back()
		}
		t.Logf("acts %d, points %d, killed %d, killed again while recovering %d, rebooted %d, recovered %d", x.acts, points, kills, again, reboots, recovered)
	})
}
