package loop

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxBuffers = 64        // kept for the next writer
	bufferSize = 80 << 10  // four TLS records of an answer that is relayed, and its head
	slice      = 256 << 10 // bytes that one coroutine reads before others have their turn
	// turn is how long the loop runs, about, before goroutines elsewhere have their turn.
	turn = 200 * time.Microsecond
)

// Loop is one event loop. Run drives it.
type Loop struct {
	poll  *poller
	bell  int        // eventfd that wakes the loop from elsewhere
	files []pollable // by descriptor

	epoch   time.Time
	clock   time.Time // see Now
	now     int64     // the same in nanoseconds since epoch
	yielded int64     // when other goroutines had their turn, likewise
	timers  timers
	ready   []*task
	spare   []*task // the slice that ready was before
	current *task
	spent   int // bytes that current has read
	active  int // tasks that have something to do
	free    []*task
	buffers [][]byte
	conns   map[*Conn]struct{}
	count   atomic.Int64 // len(conns)
	sockets map[*listener]struct{}

	mu     sync.Mutex
	inbox  []func()
	posts  []func() // the slice that inbox was before
	asleep atomic.Bool
	closed bool // by Close; set on the loop
	ended  bool // guarded by mu: no more posts
	done   chan struct{}
}

// pollable is what has a descriptor on the loop.
type pollable interface{ event(events uint32) }

// New returns a loop; Run must be called, and Close to end it.
func New() (*Loop, error) {
	poll, err := newPoller()
	if err != nil {
		return nil, fmt.Errorf("cannot create an event loop: %w", err)
	}
	bell, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		poll.close()
		return nil, fmt.Errorf("cannot create an event loop: %w", os.NewSyscallError("eventfd", err))
	}
	l := &Loop{poll: poll, bell: bell, epoch: time.Now(), conns: map[*Conn]struct{}{}, sockets: map[*listener]struct{}{}, done: make(chan struct{})}
	if err := l.watch(bell, bellEvent{l}, unix.EPOLLIN|unix.EPOLLET); err != nil {
		poll.close()
		unix.Close(bell)
		return nil, err
	}
	return l, nil
}

type bellEvent struct{ l *Loop }

// event empties the eventfd; the loop looks into its inbox anyway.
func (b bellEvent) event(uint32) {
	silence(b.l.bell) // it fails where it is empty already: somebody was quicker
}

// Run drives the loop until Close was called and all its coroutines have ended.
func (l *Loop) Run() {
	defer l.end()
	for {
		// A goroutine that never yields is interrupted by signals, which costs more.
		if l.now-l.yielded >= int64(turn) {
			l.yielded = l.now
			runtime.Gosched()
		}
		events := l.wait()
		l.tick()
		for _, e := range events {
			if f := l.files[e.Fd]; f != nil {
				f.event(e.Events)
			}
		}
		l.takePosts()
		l.expire()
		l.ready, l.spare = l.spare[:0], l.ready
		for i, t := range l.spare {
			if i%8 == 7 { // reading the clock costs a hundredth of a request
				l.tick()
			}
			l.spare[i] = nil
			l.resume(t)
		}
		if l.closed && l.active == 0 {
			return
		}
	}
}

// Now is when the loop woke up, or a little later: no more than eight coroutines
// had their turn since, and nothing waits in between. On the loop only.
func (l *Loop) Now() time.Time { return l.clock }

func (l *Loop) tick() {
	l.clock = time.Now()
	l.now = int64(l.clock.Sub(l.epoch))
}

// wait returns what happened; at once if there is something else to do.
func (l *Loop) wait() []unix.EpollEvent {
	if len(l.ready) > 0 {
		return l.poll.look()
	}
	l.asleep.Store(true)
	defer l.asleep.Store(false)
	l.mu.Lock()
	posted := len(l.inbox) > 0
	l.mu.Unlock()
	if posted {
		return nil
	}
	return l.poll.wait(l.nextTimer())
}

// StopListening closes all listeners. On the loop only.
func (l *Loop) StopListening() {
	for a := range l.sockets {
		a.close()
	}
}

// Close closes all listeners and connections, so that what waits for them goes on, and lets Run
// return once all coroutines have ended. It returns then. It may be called from
// anywhere but the loop.
func (l *Loop) Close() {
	l.Post(func() {
		l.closed = true
		l.StopListening()
		for c := range l.conns {
			c.Close()
		}
	})
	<-l.done
}

// end gives back what the loop holds.
func (l *Loop) end() {
	l.mu.Lock()
	l.ended = true
	posts := l.inbox
	l.inbox = nil
	l.mu.Unlock()
	for _, f := range posts { // what was handed over must not be lost: f sees that the loop is closed
		f()
	}
	for _, t := range l.free {
		t.stop()
	}
	unix.Close(l.bell)
	l.poll.close()
	close(l.done)
}

// Connections that are open.
func (l *Loop) Connections() int { return int(l.count.Load()) }

// Each calls f for every connection. On the loop only.
func (l *Loop) Each(f func(*Conn)) {
	for c := range l.conns {
		f(c)
	}
}

// watch has f told about fd's events.
func (l *Loop) watch(fd int, f pollable, events uint32) error {
	for fd >= len(l.files) {
		l.files = append(l.files, make([]pollable, len(l.files)+64)...)
	}
	event := unix.EpollEvent{Events: events, Fd: int32(fd)}
	if err := unix.EpollCtl(l.poll.fd, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	l.files[fd] = f
	return nil
}

func (l *Loop) unwatch(fd int) {
	l.files[fd] = nil
	_ = unix.EpollCtl(l.poll.fd, unix.EPOLL_CTL_DEL, fd, nil) // it is there
}

// buffer to gather output in; giveBack keeps it.
func (l *Loop) buffer() []byte {
	if n := len(l.buffers); n > 0 {
		b := l.buffers[n-1]
		l.buffers = l.buffers[:n-1]
		return b
	}
	return make([]byte, 0, bufferSize)
}

func (l *Loop) giveBack(b []byte) {
	if cap(b) <= 2*bufferSize && len(l.buffers) < maxBuffers {
		l.buffers = append(l.buffers, b[:0])
	}
}
