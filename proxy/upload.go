package proxy

import (
	"errors"
	"io"
	"time"

	"bitgate/proxy/h1"
)

// pump passes the request's body on while the answer may already come back.
func (e *exchange) pump(u *upstreamConn) {
	wake := e.wake
	defer func() {
		e.pumped.Store(true) // from here on e may be the next request's
		wake.Set()
	}()
	if !e.mayRead() {
		return
	}
	var next time.Time
	for {
		e.uploading.Store(true)
		data, err := e.c.read()
		e.uploading.Store(false)
		e.uploaded.Add(int64(len(data)))
		now := e.now()
		e.activity.Store(now.UnixNano())
		over := errors.Is(err, io.EOF)
		if err != nil && !over {
			if e.stopped.Load() {
				return
			}
			e.fault.Store(&err)
			_ = u.SetDeadline(longAgo) // the server must not take what came for all
			return
		}
		if now.After(next) {
			limit := e.p.cfg.IdleTimeout
			_ = u.SetWriteDeadline(now.Add(limit))
			next = now.Add(limit / 10)
			if e.left() {
				return
			}
		}
		if failed := e.send(u, data, over); failed != nil {
			return // the server may have answered why it reads no further
		}
		if over {
			e.c.watch(e.leave)
			return
		}
	}
}

// send frames data as the request announced it.
func (e *exchange) send(u *upstreamConn, data []byte, last bool) error {
	if e.r.Kind == h1.Chunked {
		u.out = h1.AppendChunk(u.out[:0], data)
		if last {
			u.out = append(u.out, h1.LastChunk...)
		}
		data = u.out
	}
	if len(data) == 0 {
		return nil
	}
	_, err := u.Write(data)
	return err
}

// mayRead waits for the server's 100 (Continue) where reading a body asks for
// it (HTTP/2): a refusal must come before the client sends gigabytes.
func (e *exchange) mayRead() bool {
	if !e.r.Expect || e.r.Proto != "HTTP/2.0" {
		return true
	}
	for limit := e.now().Add(expectTimeout); !e.wanted.Load() && !e.stopped.Load() && !e.left() && e.upload.Wait(limit); {
	}
	return !e.stopped.Load() && !e.left()
}

// letSend says that the server wants the body.
func (e *exchange) letSend() {
	e.wanted.Store(true)
	e.upload.Set()
}

// uploadOver reports whether the whole request has been passed on.
func (e *exchange) uploadOver() bool {
	return !e.pumping || e.c.received()
}

// pumpEnded reports whether nobody reads the client's body or writes to the
// server any more.
func (e *exchange) pumpEnded() bool { return !e.pumping || e.pumped.Load() }

// cancelUpload ends the upload wherever it is, and the server's connection.
func (e *exchange) cancelUpload(u *upstreamConn) {
	if !e.pumping {
		return
	}
	e.stopped.Store(true)
	u.Close()
	e.letSend()
	e.c.halt()
	for !e.pumpEnded() {
		e.wake.Wait(time.Time{})
	}
}
