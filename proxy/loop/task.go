package loop

import (
	"iter"
	"time"
)

// maxFree is how many coroutines are kept for the next job; each has a stack of
// some kilobytes.
const maxFree = 256

// task is a coroutine that does one job after the other.
type task struct {
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	job   func()
}

// Go runs f in a coroutine of its own, soon. On the loop only.
func (l *Loop) Go(f func()) {
	var t *task
	if n := len(l.free); n > 0 {
		t = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		t = l.newTask()
	}
	t.job = f
	l.active++
	l.ready = append(l.ready, t)
}

func (l *Loop) newTask() *task {
	t := &task{}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		for {
			t.job()
			t.job = nil
			l.active--
			if len(l.free) >= maxFree {
				return
			}
			l.free = append(l.free, t)
			if !yield(struct{}{}) {
				return
			}
		}
	})
	return t
}

// resume runs t until it waits or ends.
func (l *Loop) resume(t *task) {
	l.current, l.spent = t, 0
	t.next()
	l.current = nil
}

// suspend lets others run until the current task is put back into ready.
func (l *Loop) suspend() { l.current.yield(struct{}{}) }

// rest lets others have their turn when the current task had a long one.
func (l *Loop) rest(n int) {
	if l.spent += n; l.spent < slice {
		return
	}
	l.ready = append(l.ready, l.current)
	l.suspend()
}

// waiter is where one task waits for an event or a time. The zero one, with its
// loop, is ready for use.
type waiter struct {
	l       *Loop
	task    *task  // suspended here
	then    func() // or: to be run in a task of its own
	until   int64  // when the wait is over, see Loop.moment; 0 for never
	expired bool   // until has passed

	at    int64 // when the timer fires: not after until, see arm
	index int   // in timers, from 1; 0 when it is not there
}

// wait suspends the current task; false says that the time has passed.
func (w *waiter) wait(until int64) bool {
	w.task, w.until, w.expired = w.l.current, until, false
	w.l.arm(w)
	w.l.suspend()
	return !w.expired
}

// wake lets the waiting coroutine go on.
func (w *waiter) wake() {
	switch l := w.l; {
	case w.task != nil:
		l.ready = append(l.ready, w.task)
		w.task = nil
	case w.then != nil:
		then := w.then
		w.then = nil
		l.Go(then)
	}
}

func (w *waiter) waiting() bool { return w.task != nil || w.then != nil }

// extend changes the time of a wait that may be under way.
func (w *waiter) extend(until int64) {
	if !w.waiting() {
		return
	}
	w.until = until
	if w.l.passed(until) {
		w.expired = true
		w.wake()
		return
	}
	w.l.arm(w)
}

// Sleep suspends the current coroutine for d.
func (l *Loop) Sleep(d time.Duration) {
	w := waiter{l: l}
	w.wait(int64(time.Since(l.epoch) + d))
}
