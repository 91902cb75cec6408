package loop

import (
	"sync/atomic"
	"time"
)

// Signal wakes one coroutine, from anywhere. What is set before the wait counts;
// set twice before it counts once.
type Signal struct {
	set     atomic.Bool
	waiting atomic.Bool
	w       waiter
	wakeUp  func()
}

// NewSignal returns a signal that coroutines of l may wait for.
func (l *Loop) NewSignal() *Signal {
	s := &Signal{w: waiter{l: l}}
	s.wakeUp = s.w.wake
	return s
}

// Set wakes the coroutine that waits, or the next one to wait.
func (s *Signal) Set() {
	s.set.Store(true)
	if s.waiting.Load() && s.waiting.CompareAndSwap(true, false) {
		s.w.l.Post(s.wakeUp)
	}
}

// Wait returns true once the signal was set, and false if it was not until then;
// zero waits forever. Only one coroutine may wait at a time.
func (s *Signal) Wait(until time.Time) bool {
	moment := s.w.l.moment(until)
	for {
		s.waiting.Store(true)
		if s.set.Swap(false) {
			s.waiting.Store(false)
			return true
		}
		if s.w.l.passed(moment) || !s.w.wait(moment) {
			s.waiting.Store(false)
			return s.set.Swap(false)
		}
	}
}

// Forget gives back what the signal holds on the loop.
func (s *Signal) Forget() { s.w.l.disarm(&s.w) }
