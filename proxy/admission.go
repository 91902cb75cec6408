package proxy

import (
	"context"
	"errors"
	"sync"
	"time"

	"bitgate/proxy/config"
	"bitgate/proxy/pool"
)

var (
	errQueueTimeout = errors.New("waited too long for a slot")
	errQueueFull    = errors.New("too many requests are waiting")
	errNoServer     = errors.New("no server is up")
)

// admission drives the pool for goroutines: it has the lock, the clock and the
// timer that the pool has not.
type admission struct {
	addresses map[string]string // by server name

	mu    sync.Mutex
	pool  *pool.Pool
	timer *time.Timer
}

// place is a request's position.
type place struct{ pool.Request }

func newAdmission(c config.Config) *admission {
	a := &admission{addresses: map[string]string{}}
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
// cookie names; wake is set when there is news. Whoever gets no error calls wait
// and then leave.
func (a *admission) enter(sticky string, wake signal) (*place, error) {
	p := &place{}
	p.Sticky, p.Wake = sticky, wake.Set
	a.mu.Lock()
	defer a.mu.Unlock()
	switch a.pool.Enter(&p.Request, time.Now()) {
	case pool.Full:
		return nil, errQueueFull
	case pool.Down:
		return nil, errNoServer
	}
	a.arm()
	return p, nil
}

func (a *admission) state(p *place) pool.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	return p.State()
}

// wait returns nil when e may go to its server.
func (a *admission) wait(e *exchange) error {
	defer context.AfterFunc(e.p.base, e.wake.Set)()
	for {
		switch state := a.state(e.place); {
		case state == pool.At:
			return nil
		case state != pool.Waiting:
			return errQueueTimeout
		case e.left():
			return errEnded
		}
		e.wake.Wait(time.Time{})
	}
}

// leave gives up the position or hands the slot to the next in line. It returns
// how many requests were at all servers and at p's, p itself included.
func (a *admission) leave(p *place) (all, own int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all, own = a.pool.Counts(&p.Request)
	a.pool.Leave(&p.Request, time.Now())
	a.arm()
	return all, own
}

// failed is called when the connection to e's server could not be made; it waits
// as long as the pool says and reports whether to try again, at e's server of
// then.
func (a *admission) failed(e *exchange) bool {
	now := time.Now()
	a.mu.Lock()
	state, pause := a.pool.Failed(&e.place.Request, now)
	a.arm()
	a.mu.Unlock()
	switch state {
	case pool.At:
		defer context.AfterFunc(e.p.base, e.wake.Set)()
		for !e.left() && e.wake.Wait(now.Add(pause)) {
		}
		return !e.left()
	case pool.Waiting:
		return a.wait(e) == nil
	}
	return false
}

// address of the server that p is at.
func (a *admission) address(p *place) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.addresses[p.Server()]
}

// checked counts one health check.
func (a *admission) checked(server string, good bool) (changed bool, next time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	changed = a.pool.Checked(server, good, time.Now())
	a.arm()
	return changed, a.pool.CheckInterval(server)
}

func (a *admission) status() (servers []pool.Status, queued int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pool.Status()
}

func (a *admission) tick() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pool.Tick(time.Now())
	a.arm()
}

// arm sets the timer to when the pool wants to be asked next.
func (a *admission) arm() {
	now := time.Now()
	if next, ok := a.pool.Next(now); ok {
		a.timer.Reset(max(next.Sub(now), 0))
	} else {
		a.timer.Stop()
	}
}
