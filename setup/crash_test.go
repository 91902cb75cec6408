package setup_test

import (
	"iter"
	"os"
	"syscall"
	"testing"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/problem"
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

// errnos are what the kernel may answer to anything.
var errnos = []syscall.Errno{
	syscall.ENOSPC, syscall.EIO, syscall.EROFS, syscall.EDQUOT, syscall.EACCES,
	syscall.EPERM, syscall.EXDEV, syscall.EBUSY, syscall.EINTR, syscall.EMFILE,
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
	x := &trial{machine: m, start: m.takePicture(), do: func(f *fate) end { return m.under(f, apply(p)) }}
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
			for _, front := range []string{setup.FrontBuiltin, setup.FrontHAProxy} {
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
			}
			x.start.back()
		}
		t.Logf("acts %d, points %d, killed %d, killed again while recovering %d, rebooted %d, recovered %d", x.acts, points, kills, again, reboots, recovered)
	})
}

// An error at any act, once or for the rest of the run, or a SIGTERM there:
// the error says exactly how things stand.
func TestFaultAtEveryAct(t *testing.T) {
	eachTrial(t, func(t *testing.T, x *trial, trial int) {
		ends := map[happening]map[string]int{fails: {}, broken: {}, full: {}, cancels: {}}
		n := 0
		for i, what := range []happening{fails, broken, full, cancels} {
			for at := range x.points(3*trial+5*i, 19) {
				n++
				f := &fate{what: what, at: at, err: errnos[at%len(errnos)]}
				ends[what][x.judge(f, x.do(f))]++
				x.start.back()
			}
		}
		t.Logf("acts %d, points %d: %v", x.acts, n, ends)
	})
}

// judge compares what a run said with what it left.
func (x *trial) judge(f *fate, e end) string {
	x.t.Helper()
	what := string(f.what) + " at " + e.hit(f.at)
	if f.what != cancels {
		what += " with " + f.err.Error()
	}
	if e.err == nil {
		if !x.settled(what) {
			x.t.Errorf("%s: no error, but not as after", what)
		}
		return "done"
	}
	kind := problem.KindOf(e.err)
	if kind == problem.Incomplete {
		if len(e.result.Pending) == 0 {
			x.t.Errorf("%s: incomplete, and nothing is left: %v", what, e.err)
		}
		res := x.under(&fate{}, recovery(f.at%2 == 0))
		if res.err != nil && f.at%2 == 0 { // it may refuse to go forward, and says so
			res = x.under(&fate{}, recovery(false))
		}
		if res.err != nil {
			x.t.Errorf("%s: recover: %v", what, res.err)
		}
		x.agrees(what+", recovered", res.result)
		return "incomplete, recovered"
	}
	if f.what == broken || f.what == full { // what is left in the state directory goes with the next run
		x.under(&fate{}, recovery(false))
	}
	if x.settled(what) {
		x.t.Errorf("%s: %v, but the world is as after", what, e.err)
	}
	switch kind {
	case problem.TakenBack:
		return "taken back"
	case problem.Failed, problem.Cancelled:
		if stopped := f.what == cancels && e.result.Run == ""; stopped != (kind == problem.Cancelled) {
			x.t.Errorf("%s: kind %d of run %q: %v", what, kind, e.result.Run, e.err)
		}
		return "nothing changed"
	}
	x.t.Errorf("%s: kind %d: %v", what, kind, e.err)
	return "?"
}
