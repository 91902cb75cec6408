package exchange

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"bitgate/proxy/config"
	"bitgate/proxy/limit"
	"bitgate/proxy/pool"
)

var (
	errQueueTimeout = errors.New("waited too long for a slot")
	errQueueFull    = errors.New("too many requests are waiting")
	errNoServer     = errors.New("no server is up")
)

// Admission drives the pool for all event loops: it has the lock, the clock and the
// timer that the pool lacks.
type Admission struct {
	addresses map[string]string // by server name

	mu    sync.Mutex
	pool  *pool.Pool
	timer *time.Timer
	armed time.Time // when it fires; zero for never

	waiting map[*exchange]struct{}
}

// place is a request's position.
type place struct{ pool.Request }

func newAdmission(c config.Config) *Admission {
	a := &Admission{addresses: map[string]string{}, waiting: map[*exchange]struct{}{}}
	var names []string
	for _, s := range c.Servers() {
		names = append(names, s.Name)
		a.addresses[s.Name] = s.Address
	}
	a.pool = pool.New(names, pool.Options{
		Balance: pool.Balance(c.Balance), MaxConn: c.MaxConn, MaxQueue: c.MaxQueue, QueueTimeout: c.QueueTimeout,
		Retries: *c.Retries, Connect: c.ConnectTimeout, SlowStart: c.SlowStart,
		Checks: pool.Checks{Inter: c.HealthInterval, FastInter: c.HealthFast, DownInter: c.HealthDown, Rise: c.HealthRise, Fall: c.HealthFall},
	})
	a.timer = time.AfterFunc(time.Hour, a.tick)
	a.timer.Stop()
	return a
}

// enter takes a slot or a position; sticky is the server that the client's
// cookie names; wake is called when there is news. Without an error the caller
// calls wait, if it is a position, and then leave.
func (a *Admission) enter(p *place, client netip.Addr, sticky string, wake func(), now time.Time) (waits bool, err error) {
	p.Client, p.Sticky, p.Wake = limit.Key(client), sticky, wake
	a.mu.Lock()
	defer a.mu.Unlock()
	state := a.pool.Enter(&p.Request, now)
	switch state {
	case pool.Full:
		return false, errQueueFull
	case pool.Down:
		return false, errNoServer
	}
	a.arm(now)
	return state != pool.At, nil
}

func (a *Admission) state(p *place) pool.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	return p.State()
}

// wait returns nil when e may go to its server.
func (a *Admission) wait(e *exchange) error {
	defer a.waits(e)()
	e.watch()
	for {
		switch state := a.state(e.place); {
		case state == pool.At:
			return nil
		case state == pool.Full:
			return errQueueFull
		case state != pool.Waiting:
			return errQueueTimeout
		case e.left():
			return ErrEnded
		}
		e.Wake.Wait(time.Time{})
	}
}

// waits has wakeAll wake e until the returned function is called.
func (a *Admission) waits(e *exchange) func() {
	a.mu.Lock()
	a.waiting[e] = struct{}{}
	a.mu.Unlock()
	return func() {
		a.mu.Lock()
		delete(a.waiting, e)
		a.mu.Unlock()
	}
}

// WakeAll lets all that wait look whether the proxy has ended.
func (a *Admission) WakeAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for e := range a.waiting {
		e.Wake.Set()
	}
}

// leave gives up the position or hands the slot to the next in line. It returns
// how many requests were at all servers and at p's, p itself included.
func (a *Admission) leave(p *place, now time.Time) (all, own int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all, own = a.pool.Counts(&p.Request)
	a.pool.Leave(&p.Request, now)
	a.arm(now)
	return all, own
}

// failed is called when the connection to e's server could not be made; it waits
// as long as the pool says and reports whether to try again, at e's server of
// then.
func (a *Admission) failed(e *exchange) bool {
	now := e.Now()
	a.mu.Lock()
	state, pause := a.pool.Failed(&e.place.Request, now)
	a.arm(now)
	a.mu.Unlock()
	switch state {
	case pool.At:
		defer a.waits(e)()
		for !e.left() && e.Wake.Wait(now.Add(pause)) {
		}
		return !e.left()
	case pool.Waiting:
		return a.wait(e) == nil
	}
	return false
}

// address of the server that p is at.
func (a *Admission) address(p *place) string { return a.addresses[a.server(p)] }

// server that p is at, "" for none.
func (a *Admission) server(p *place) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return p.Server()
}

// Checked counts one health check.
func (a *Admission) Checked(server string, good bool) (changed bool, next time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	changed = a.pool.Checked(server, good, now)
	a.arm(now)
	return changed, a.pool.CheckInterval(server)
}

// Status is that of each server, and how many requests wait for any.
func (a *Admission) Status() (servers []pool.Status, queued int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pool.Status()
}

func (a *Admission) tick() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.armed = time.Time{}
	now := time.Now()
	a.pool.Tick(now)
	a.arm(now)
}

// arm sets the timer to when the pool wants to be asked next. It is left alone
// where it fires before that: it is set anew then.
func (a *Admission) arm(now time.Time) {
	if next, ok := a.pool.Next(now); ok && (a.armed.IsZero() || next.Before(a.armed)) {
		a.armed = next
		a.timer.Reset(max(next.Sub(now), 0))
	}
}
