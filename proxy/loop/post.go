package loop

// Post has f run on the loop, outside of any coroutine: it must not wait. It may
// be called from anywhere and reports false once the loop has ended.
func (l *Loop) Post(f func()) bool {
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return false
	}
	l.inbox = append(l.inbox, f)
	l.mu.Unlock()
	if l.asleep.Load() && l.asleep.CompareAndSwap(true, false) {
		ring(l.bell)
	}
	return true
}

// Do has f run on the loop, as Post does, and returns after that; not on the loop.
func (l *Loop) Do(f func()) {
	ran := make(chan struct{})
	if l.Post(func() { defer close(ran); f() }) {
		<-ran
	}
}

func (l *Loop) takePosts() {
	l.mu.Lock()
	l.inbox, l.posts = l.posts[:0], l.inbox
	l.mu.Unlock()
	for i, f := range l.posts {
		l.posts[i] = nil
		f()
	}
}
