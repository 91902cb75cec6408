package h2_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bitgate/proxy/h2"

	"golang.org/x/net/http2"
)

// verdict is what a server makes of a client's frames, by the frame after which
// it did so.
type verdict struct {
	requests map[int][]string // that it would carry out
	refused  map[int]int      // that it answers itself, or resets
	reset    map[uint32]bool  // streams that it reset, by the end
	end      int              // the frame that ended the connection; their number if none did
	code     h2.Code          // of GOAWAY
}

// TestLikeTheStandardServer: what our server carries out of mutated streams, the
// standard library's carries out too, as the same requests; and the other way
// round, except for what the explanations below name.
func TestLikeTheStandardServer(t *testing.T) {
	const streams = 20_000
	all := seeds()
	r := rand.New(rand.NewPCG(7, 9113))
	explained := map[string]int{}
	findings := 0
	for i := range streams {
		frames := all[i%len(all)]
		if i >= len(all) {
			frames = mutate(r, frames)
		}
		ours, theirs := judgeOurs(frames), judgeTheirs(t, frames)
		why := explain(frames, ours, theirs)
		if explained[why]++; why != "" {
			continue
		}
		if findings++; findings <= 10 {
			t.Errorf("stream %d: ours %+v\ntheirs %+v\nframes %x", i, ours, theirs, frames)
		}
	}
	t.Logf("%d streams, %d differences that nothing explains; by explanation:", streams, findings)
	for _, why := range slices.Sorted(maps.Keys(explained)) {
		t.Logf("%6d %s", explained[why], why)
	}
}

// explain says why two verdicts differ, "" if it does not know.
func explain(frames [][]byte, ours, theirs verdict) string {
	goAway := false
	for i := range min(ours.end, theirs.end) {
		goAway = goAway || kind(frames[i]) == http2.FrameGoAway
		more, less := missing(ours.requests[i], theirs.requests[i]), missing(theirs.requests[i], ours.requests[i])
		switch {
		case len(more) > 0 && goAway:
			return "a client's GOAWAY does not end its requests for us"
		case len(more) > 0:
			return ""
		case len(less) > 0 && ours.reset[uint32(frames[i][8])]:
			return "HEADERS on a stream that was reset are ignored by us (RFC 9113, 5.1)"
		case len(less) > 0 && ours.refused[i] < len(less):
			return ""
		case len(less) > 0:
			return "a request that is malformed by RFC 9113, or cannot be HTTP/1.1, is refused by us"
		}
	}
	switch {
	case ours.end > theirs.end:
		return lax(frames[theirs.end], ours, theirs.code)
	case ours.end < theirs.end:
		return "ended by us alone: " + ours.code.String()
	case ours.code != theirs.code:
		return fmt.Sprintf("ended by both, the code is %v, theirs %v", ours.code, theirs.code)
	}
	return "alike"
}

// lax explains what ends a connection for them alone.
func lax(f []byte, ours verdict, code h2.Code) string {
	switch {
	case len(f) >= 9 && ours.reset[uint32(f[8])]:
		return "ended by them alone: a frame that crosses a reset (RFC 9113, 5.1: is ignored)"
	case kind(f) == http2.FrameContinuation && code == h2.ProtocolError:
		return "ended by them alone: a malformed field block, before its end"
	case kind(f) == http2.FrameSettings && f[4]&1 != 0:
		return "ended by them alone: an acknowledgement of SETTINGS that they do not expect"
	case kind(f) == http2.FrameSettings && len(f) >= 9+12:
		return "ended by them alone: a setting twice in one frame"
	case kind(f) == http2.FramePriority && code == h2.FrameSizeError:
		return "ended by them alone: PRIORITY of another length (RFC 9113, 6.3: ends the stream)"
	}
	return ""
}

// kind is the type of a frame; the rest of one whose length was changed has none.
func kind(f []byte) http2.FrameType {
	if len(f) < 9 {
		return 0xff
	}
	return http2.FrameType(f[3])
}

// missing is what of a is not in b.
func missing(a, b []string) (left []string) {
	b = slices.Clone(b)
	for _, s := range a {
		if i := slices.Index(b, s); i >= 0 {
			b = slices.Delete(b, i, i+1)
		} else {
			left = append(left, s)
		}
	}
	return left
}

func judgeOurs(frames [][]byte) verdict {
	now := time.Unix(1_000_000, 0)
	c := h2.NewConn(h2.Limits{}, now)
	_ = c.Receive([]byte(http2.ClientPreface), now)
	v := verdict{requests: map[int][]string{}, refused: map[int]int{}, reset: map[uint32]bool{}, end: len(frames)}
	for i, f := range frames {
		var broken *h2.Error
		if errors.As(c.Receive(f, now), &broken) {
			v.end, v.code = i, broken.Code
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
	for _, f := range split(out) {
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
		go io.Copy(&out, client)
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
			if v.code = goneAway(out.Bytes()); v.code != h2.NoError {
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
	for _, f := range split(out) {
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
