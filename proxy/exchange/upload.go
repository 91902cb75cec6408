package exchange

import (
	"errors"
	"io"
	"time"

	"bitgate/proxy/conns"
	"bitgate/proxy/h1"
)

// pump passes the request's body on while the answer may already come back.
func (e *exchange) pump(u *upstreamConn) {
	wake := e.Wake
	defer func() {
		e.pumped.Store(true) // from here on e may be the next request's
		wake.Set()
	}()
	if !e.mayRead() {
		return
	}
	var next time.Time
	for {
		over, err := e.gather(u)
		if err != nil {
			if !e.stopped.Load() {
				e.fault.Store(&err)
				_ = u.SetDeadline(conns.Past) // the server must not take what came for all
			}
			return
		}
		if now := e.Now(); now.After(next) {
			limit := e.p.Config.IdleTimeout
			_ = u.SetWriteDeadline(now.Add(limit))
			next = now.Add(limit / 10)
			if e.left() {
				return
			}
		}
		if _, err := u.Write(u.send); err != nil && len(u.send) > 0 {
			return // the server may have answered why it reads no further
		}
		if over {
			e.c.Watch(e.leave)
			return
		}
	}
}

// gather waits for bytes of the body and makes of them what goes to the server
// next: u.send.
func (e *exchange) gather(u *upstreamConn) (over bool, err error) {
	e.uploading.Store(true)
	data, err := e.c.Read(true)
	e.uploading.Store(false)
	e.activity.Store(e.Now().UnixNano())
	u.send = data
	if e.r.Kind == h1.Chunked {
		u.send, err = e.chunks(u, data, err)
	} else {
		e.uploaded.Add(int64(len(data)))
	}
	over = errors.Is(err, io.EOF)
	if over {
		err = nil
	}
	return over, err
}

// chunks frames what was read, and what has come with it: a client's chunks may
// be small.
func (e *exchange) chunks(u *upstreamConn, data []byte, err error) ([]byte, error) {
	for u.out = u.out[:0]; ; data, err = e.c.Read(false) {
		e.uploaded.Add(int64(len(data)))
		u.out = h1.AppendChunk(u.out, data)
		if errors.Is(err, io.EOF) {
			u.out = append(u.out, h1.LastChunk...)
		}
		if err != nil || len(data) == 0 || len(u.out) >= MaxSend {
			return u.out, err
		}
	}
}

// mayRead waits for the server's 100 (Continue) where reading a body asks for
// it (HTTP/2): a refusal must come before the client sends gigabytes. Who sends
// without waiting is not waited for.
func (e *exchange) mayRead() bool {
	if !e.r.Expect || e.r.Proto != "HTTP/2.0" {
		return true
	}
	for limit := e.Now().Add(expectTimeout); !e.wanted.Load() && !e.stopped.Load() && !e.left() && !e.c.Here() && e.Upload.Wait(limit); {
	}
	return !e.stopped.Load() && !e.left()
}

// letSend says that the server wants the body.
func (e *exchange) letSend() {
	e.wanted.Store(true)
	e.Upload.Set()
}

// uploadOver reports whether the whole request has been passed on.
func (e *exchange) uploadOver() bool {
	return !e.pumping || e.c.Received()
}

// pumpEnded reports whether the client's body is no longer read, nor passed on.
func (e *exchange) pumpEnded() bool { return !e.pumping || e.pumped.Load() }

// cancelUpload ends the upload wherever it is, and the server's connection.
func (e *exchange) cancelUpload(u *upstreamConn) {
	if !e.pumping {
		return
	}
	e.stopped.Store(true)
	u.Close()
	e.letSend()
	e.c.Halt()
	for !e.pumpEnded() {
		e.Wake.Wait(time.Time{})
	}
}
