package h2_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bitgate/internal/peers/h2frames"
	"bitgate/proxy/h2"

	"golang.org/x/net/http2"
)

func judgeOurs(frames [][]byte) verdict {
	now := time.Unix(1_000_000, 0)
	c := h2.NewConn(h2.Limits{}, now)
	_ = c.Receive([]byte(http2.ClientPreface), now)
	v := verdict{requests: map[int][]string{}, refused: map[int]int{}, reset: map[uint32]bool{}, end: len(frames)}
	for i, f := range frames {
		var broken *h2.Error
		if errors.As(c.Receive(f, now), &broken) {
			v.end, v.code, v.reason = i, broken.Code, broken.Reason
			return v
		}
		v.refused[i] += v.resets(c.Take(nil))
		for e, ok := c.Event(); ok; e, ok = c.Event() {
			switch s := e.Stream; {
			case e.Kind == h2.Request && s.Refusal != nil:
				v.refused[i]++
			case e.Kind == h2.Request:
				v.requests[i] = append(v.requests[i], tellHead(s))
				continue
			case e.Kind == h2.Readable && len(body(s)) >= 0 && s.Received():
			case e.Kind == h2.Reset:
			default:
				continue
			}
			e.Stream.Respond(200, nil, 0)
			e.Stream.End()
			e.Stream.Release()
		}
		v.resets(c.Take(nil))
	}
	return v
}

// resets counts RST_STREAM in output.
func (v *verdict) resets(out []byte) (n int) {
	for _, f := range h2frames.Split(out) {
		if kind(f) == http2.FrameRSTStream {
			v.reset[uint32(f[8])] = true
			n++
		}
	}
	return n
}

func tellHead(s *h2.Stream) string {
	var fields []string
	for _, f := range s.Fields {
		fields = append(fields, string(f.Name)+"="+string(f.Value))
	}
	return sorted(string(s.Method), string(s.Target), string(s.Host), fields)
}

// sorted leaves out what the standard library keeps from its handlers.
func sorted(method, target, host string, fields []string) string {
	fields = slices.DeleteFunc(fields, func(f string) bool {
		return strings.HasPrefix(f, "expect=") || strings.HasPrefix(f, "trailer=") || strings.HasPrefix(f, "content-length=") || strings.HasPrefix(f, "host=")
	})
	slices.Sort(fields)
	return fmt.Sprintf("%s %s %s %q", method, target, host, fields)
}

// judgeTheirs asks the standard library, frame by frame.
func judgeTheirs(t *testing.T, frames [][]byte) verdict {
	v := verdict{requests: map[int][]string{}, end: len(frames)}
	synctest.Test(t, func(*testing.T) {
		client, conn := net.Pipe()
		var mu sync.Mutex
		now := 0
		s := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			var fields []string
			for name, values := range r.Header {
				for _, value := range values {
					fields = append(fields, strings.ToLower(name)+"="+value)
				}
			}
			mu.Lock()
			v.requests[now] = append(v.requests[now], sorted(r.Method, r.RequestURI, r.Host, fields))
			mu.Unlock()
			io.Copy(io.Discard, r.Body)
		})}
		s.Protocols.SetUnencryptedHTTP2(true)
		l := &oneConn{conn: conn, closed: make(chan struct{})}
		go s.Serve(l)
		var out bytes.Buffer
		var closed atomic.Bool
		go func() {
			io.Copy(&out, client)
			closed.Store(true)
		}()
		say := make(chan []byte, len(frames)+1)
		go func() {
			for f := range say {
				client.Write(f) // fails once the server has closed
			}
		}()
		say <- []byte(http2.ClientPreface)
		for i, f := range frames {
			now = i
			say <- f
			time.Sleep(100 * time.Millisecond) // by the bubble's clock
			synctest.Wait()
			if v.code = goneAway(out.Bytes()); v.code != h2.NoError || closed.Load() {
				v.end = i
				break
			}
		}
		close(say)
		client.Close()
		s.Close()
		time.Sleep(time.Hour) // its timers end
		synctest.Wait()
	})
	return v
}

// goneAway is the code of GOAWAY in output.
func goneAway(out []byte) h2.Code {
	for _, f := range h2frames.Split(out) {
		if kind(f) == http2.FrameGoAway && len(f) >= 17 && f[16] != 0 {
			return h2.Code(f[16])
		}
	}
	return h2.NoError
}

// oneConn is a listener of one connection.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
	once   sync.Once
}

// Accept implements net.Listener.
func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

// Close implements net.Listener.
func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }
