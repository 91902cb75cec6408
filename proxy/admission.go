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

// place is a request's position: at its server once ready was sent to.
type place struct {
	pool.Request
	ready chan struct{}
}

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
// cookie names. Whoever gets no error calls wait and then leave.
func (a *admission) enter(sticky string) (*place, error) {
	p := &place{ready: make(chan struct{}, 1)}
	p.Sticky = sticky
	p.Wake = func() { p.ready <- struct{}{} }
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

// granted reports whether p needs no wait.
func (a *admission) granted(p *place) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return p.State() == pool.At
}

// wait returns nil when the request may go to p's server.
func (a *admission) wait(ctx context.Context, p *place) error {
	if a.granted(p) {
		return nil
	}
	select {
	case <-p.ready:
		if !a.granted(p) {
			return errQueueTimeout
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
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

// failed is called when the connection to p's server could not be made; it waits
// as long as the pool says and reports whether to try again, at p's server of
// then.
func (a *admission) failed(ctx context.Context, p *place) bool {
	a.mu.Lock()
	state, pause := a.pool.Failed(&p.Request, time.Now())
	a.arm()
	a.mu.Unlock()
	switch state {
	case pool.At:
		select {
		case <-time.After(pause):
			return true
		case <-ctx.Done():
			return false
		}
	case pool.Waiting:
		return a.wait(ctx, p) == nil
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
