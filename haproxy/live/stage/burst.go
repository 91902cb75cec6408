package stage

import (
	"bufio"
	"net"
	"sync"
	"time"

	"bitgate/haproxy/rehearsal"
)

// burst asks what one client asks at once. The answer is the one that is not as the
// server gave it, if there is one.
func (p *play) burst(r rehearsal.Request, limit time.Duration) rehearsal.Answer {
	answers := make([]rehearsal.Answer, r.Burst.Connections)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = p.row(r, i, limit) })
	}
	all.Wait()
	for _, a := range answers {
		if refused(a) {
			return a
		}
	}
	return answers[0]
}

func refused(a rehearsal.Answer) bool { return a.Failed != "" || a.Arrived == nil }

// row asks for the share of one connection, one after another, until a request is
// refused. A connection that was closed after an answer is opened once more, as
// clients do.
func (p *play) row(r rehearsal.Request, which int, limit time.Duration) (a rehearsal.Answer) {
	var conn net.Conn
	var in *bufio.Reader
	var shown rehearsal.Answer
	for i := which; i < r.Burst.Times; i += r.Burst.Connections {
		used := conn != nil
		for {
			if conn == nil {
				ctx, cancel := p.within(limit)
				conn, shown = connect(ctx, r)
				cancel()
				if conn == nil {
					return shown
				}
				in = bufio.NewReader(conn)
			}
			a = shown
			ctx, cancel := p.within(limit)
			stop := expire(ctx, conn)
			kept := p.http1(conn, in, r, &a)
			if expired := !stop(); expired || !kept {
				conn.Close()
				conn = nil
			}
			cancel()
			if a.Failed != closed || !used {
				break
			}
			used = false
		}
		if refused(a) {
			break
		}
	}
	if conn != nil {
		conn.Close()
	}
	return a
}
