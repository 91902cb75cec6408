package apply_test

import (
	"syscall"
	"testing"

	"bitgate/internal/problem"
	"bitgate/setup"
)

// errnos are what the kernel may answer to anything.
var errnos = []syscall.Errno{
	syscall.ENOSPC, syscall.EIO, syscall.EROFS, syscall.EDQUOT, syscall.EACCES,
	syscall.EPERM, syscall.EXDEV, syscall.EBUSY, syscall.EINTR, syscall.EMFILE,
}

// An error at any act, once or for the rest of the run, or a SIGTERM there:
// the error says exactly how things stand.
func TestFaultAtEveryAct(t *testing.T) {
	eachTrial(t, func(t *testing.T, x *trial, trial int) {
		ends := map[happening]map[string]int{fails: {}, broken: {}, full: {}, cancels: {}}
		n := 0
		for i, what := range []happening{fails, broken, full, cancels} {
			for at := range x.points(3*trial+5*i, 19) {
				for _, errno := range x.errnos(what, at) {
					n++
					f := &fate{what: what, at: at, err: errno}
					ends[what][x.judge(f, x.do(f))]++
					x.start.back()
				}
			}
		}
		t.Logf("acts %d, points %d: %v", x.acts, n, ends)
	})
}

// errnos are those to try at a point: each in the long form, where it is quick.
func (x *trial) errnos(what happening, at int) []syscall.Errno {
	if torture && what == fails && x.Front == setup.FrontBuiltin {
		return errnos
	}
	return errnos[at%len(errnos):][:1]
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
