package exchange

import (
	"cmp"
	"context"
	"os"
	"slices"
	"time"

	"bitgate/proxy/conns"
	"bitgate/proxy/inflight"
	"bitgate/proxy/loop"
)

const (
	// stallCheck is how often requests at the servers are looked at.
	stallCheck = time.Second
	// stallWindow is over what time a request's pace is measured.
	stallWindow = 10 * time.Second
	// stallRate is the pace, in bytes a second, below which a request that waits for
	// its client does not come on.
	stallRate = 4 << 10
)

// pace is how a request comes on, as of the last looks at it.
type pace struct {
	since time.Time // of this window
	bytes int64     // that had been moved then
	slow  bool      // in the last window
	rate  int64     // bytes a second then
}

// look measures e's pace and reports whether e holds its slot at the server for a
// client that sends nothing of its body, or takes nothing of its answer.
func (e *exchange) look(now time.Time) (stalled bool) {
	moved := e.uploaded.Load() + e.bytes.Load()
	p := &e.pace
	switch since := now.Sub(p.since); {
	case p.since.IsZero():
		p.since, p.bytes = now, moved
	case since >= stallWindow:
		p.rate = int64(float64(moved-p.bytes) / since.Seconds())
		p.slow = p.rate < stallRate
		p.since, p.bytes = now, moved
	}
	return p.slow && e.atServerNow.Load() && (e.uploading.Load() || e.giving.Load())
}

// WatchStalled sees to it, until ctx ends, that clients which do not come on have
// no more than half of a server's slots while others wait for one there, whatever
// they have begun with: beyond that the slowest are cut off.
func (p *Common) WatchStalled(ctx context.Context) {
	ticker := time.NewTicker(stallCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		now := time.Now()
		stalled := map[string][]stall{} // by the server that they are at
		p.Open.Each(func(w inflight.Work) {
			if e, ok := w.(*exchange); ok && e.look(now) {
				at := p.Admission.server(&e.own)
				stalled[at] = append(stalled[at], stall{e, e.Loop, e.number, e.pace.rate})
			}
		})
		if len(stalled) > 0 {
			p.cutStalled(stalled)
		}
	}
}

// cutStalled cuts as many as others wait for: for their own server those whose cookie
// names it, for any of them the rest.
func (p *Common) cutStalled(stalled map[string][]stall) {
	servers, queued := p.Admission.Status()
	for _, server := range servers {
		at := stalled[server.Name]
		n := min(len(at)-p.Config.MaxConn/2, server.Queued+queued)
		if !server.Up || n <= 0 {
			continue
		}
		queued -= max(n-server.Queued, 0)
		slices.SortFunc(at, func(a, b stall) int { return cmp.Compare(a.rate, b.rate) })
		for _, s := range at[:n] {
			s.loop.Post(s.cut)
		}
	}
}

// stall is an exchange that does not come on; e may be the next request's once it
// is looked at again.
type stall struct {
	e      *exchange
	loop   *loop.Loop // that e is on; who asks e later may find it being made anew
	number uint64
	rate   int64
}

// cut ends it, on its loop: an upload is answered 408, an answer breaks off.
func (s stall) cut() {
	e := s.e
	if e.number != s.number || !e.atServerNow.Load() {
		return
	}
	switch u := e.u.Load(); {
	case e.uploading.Load() && !e.begun && u != nil:
		late := os.ErrDeadlineExceeded
		e.fault.Store(&late)
		_ = u.SetDeadline(conns.Past)
	case e.uploading.Load() || e.giving.Load():
		e.c.Abort()
		e.leave()
	}
}
