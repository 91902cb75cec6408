package exchange

import (
	"errors"
	"sync/atomic"
	"time"

	"bitgate/proxy/conns"
	"bitgate/proxy/h1"
)

// tunnel joins client and server after 101, for a WebSocket that was asked for.
func (e *exchange) tunnel(u *upstreamConn) error {
	if !e.r.WebSocket || !h1.Is(u.head.Upgrade, "websocket") {
		return errors.New("the server switched to a protocol that was not asked for")
	}
	e.begun, e.status, e.marks.Answered = true, u.head.Status, e.Now()
	e.c.Unwatch()
	if err := e.c.Begin(e.answerHead(&u.head)); err != nil {
		return e.clientGone(err)
	}
	if err := e.c.Flush(); err != nil {
		return e.clientGone(err)
	}
	limit := e.p.Config.TunnelTimeout
	client, sent := e.c.Tunnel(limit)
	server := conns.NewIdle(u.Conn, limit)
	var over atomic.Bool
	e.Go(func() {
		e.uploaded.Add(int64(len(sent)))
		if _, err := server.Write(sent); err == nil {
			conns.Copy(server, client, &e.uploaded)
		}
		over.Store(true)
		e.Wake.Set()
	})
	e.bytes.Add(int64(u.w - u.r))
	if _, err := client.Write(u.in[u.r:u.w]); err == nil {
		conns.Copy(client, server, &e.bytes)
	}
	for !over.Load() {
		e.Wake.Wait(time.Time{})
	}
	u.Close()
	e.marks.Finished = e.Now()
	e.complete = true
	return nil
}
