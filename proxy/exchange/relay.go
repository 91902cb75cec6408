package exchange

import (
	"errors"
	"io"
	"os"

	"bitgate/proxy/conns"
)

// relay passes the body on, as it comes.
func (e *exchange) relay(u *upstreamConn) error {
	for {
		for !u.body.Done() {
			n, data, err := u.body.Next(u.in[u.r:u.w])
			u.r += n
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			e.bytes.Add(int64(len(data)))
			if err := e.give(data); err != nil {
				return e.clientGone(err)
			}
		}
		if u.body.Done() {
			return nil // finish flushes
		}
		if err := e.give(nil); err != nil {
			return e.clientGone(err)
		}
		if err := e.readMore(u); errors.Is(err, io.EOF) {
			return u.body.End()
		} else if err != nil {
			return err
		}
	}
}

// give passes data on, or, without any, what was gathered.
func (e *exchange) give(data []byte) error {
	e.giving.Store(true)
	defer e.giving.Store(false)
	if data == nil {
		return e.c.Flush()
	}
	return e.c.Write(data)
}

func (e *exchange) clientGone(err error) error {
	e.slow = conns.IsTimeout(err)
	e.leave()
	return err
}

// release keeps the server's connection if both sides are through with it.
func (e *exchange) release(u *upstreamConn) {
	if e.pumping && e.c.Received() {
		for grace := e.Now().Add(uploadGrace); !e.pumpEnded() && e.Wake.Wait(grace); {
		}
	}
	e.halt()
	if !e.pumpEnded() {
		e.cancelUpload(u)
		return
	}
	if e.left() || u.head.Close || !e.uploadOver() || e.fault.Load() != nil {
		u.Close()
		return
	}
	if u.logged {
		e.keepLogin(u)
		return
	}
	e.upstream.put(u)
}

// readHead reads one head.
func (e *exchange) readHead(u *upstreamConn) error {
	for {
		if u.w > u.r {
			n, err := u.head.Feed(u.in[u.r:u.w])
			if err != nil {
				return err
			}
			if n > 0 {
				u.r += n
				return nil
			}
		}
		if err := u.room(); err != nil {
			return err
		}
		if err := e.readMore(u); err != nil {
			return err
		}
	}
}

// readMore waits for bytes of the server, as long as either direction moves.
func (e *exchange) readMore(u *upstreamConn) error {
	if u.r == u.w {
		u.r, u.w = 0, 0
	}
	if !e.pumping && !e.watching {
		_ = u.SetReadDeadline(e.Now().Add(watchAfter))
		if err := u.fill(); err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		e.watch()
	}
	for {
		begun := e.Now()
		_ = u.SetReadDeadline(begun.Add(e.p.Config.IdleTimeout))
		// Whoever ended the exchange before that set a limit which is lost now.
		if e.left() || e.fault.Load() != nil {
			return ErrEnded
		}
		err := u.fill()
		if !errors.Is(err, os.ErrDeadlineExceeded) || e.activity.Load() < begun.UnixNano() {
			return err
		}
	}
}
