package loop

import (
	"container/heap"
	"time"
)

// timers are the waiters with a limit, in the order in which they are looked at.
//
// A connection's limit is moved with nearly every call and hardly ever reached.
// So a timer is never moved to a later time: when it fires too early, it is set
// anew, which costs once per period what moving it would cost per call.
type timers []*waiter

// Len implements heap.Interface.
func (t timers) Len() int { return len(t) }

// Less implements heap.Interface.
func (t timers) Less(i, j int) bool { return t[i].at < t[j].at }

// Swap implements heap.Interface.
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i+1, j+1
}

// Push implements heap.Interface.
func (t *timers) Push(x any) {
	w := x.(*waiter) //nolint:forcetypeassert // of this heap
	*t = append(*t, w)
	w.index = len(*t)
}

// Pop implements heap.Interface.
func (t *timers) Pop() any {
	last := len(*t) - 1
	w := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	w.index = 0
	return w
}

// moment is t in nanoseconds since the loop's epoch: 0 for never, negative for
// what is past anyway.
func (l *Loop) moment(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	if d := int64(t.Sub(l.epoch)); d > 0 {
		return d
	}
	return -1
}

// passed reports whether the moment is over.
func (l *Loop) passed(moment int64) bool { return moment != 0 && moment <= l.now }

// arm sees to it that w is looked at when its time is up, at the latest.
func (l *Loop) arm(w *waiter) {
	switch {
	case w.until == 0:
	case w.index == 0:
		w.at = w.until
		heap.Push(&l.timers, w)
	case w.until < w.at:
		w.at = w.until
		heap.Fix(&l.timers, w.index-1)
	}
}

// disarm forgets w.
func (l *Loop) disarm(w *waiter) {
	if w.index > 0 {
		heap.Remove(&l.timers, w.index-1)
	}
}

// expire wakes those whose time is up.
func (l *Loop) expire() {
	for len(l.timers) > 0 && l.timers[0].at <= l.now {
		w := l.timers[0]
		switch {
		case !w.waiting() || w.until == 0:
			heap.Pop(&l.timers)
		case w.until <= l.now:
			heap.Pop(&l.timers)
			w.expired = true
			w.wake()
		default:
			w.at = w.until
			heap.Fix(&l.timers, 0)
		}
	}
}

// nextTimer is when to look at the timers again; zero if there is none.
func (l *Loop) nextTimer() time.Time {
	if len(l.timers) == 0 {
		return time.Time{}
	}
	return l.epoch.Add(time.Duration(l.timers[0].at))
}
