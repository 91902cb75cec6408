package proxy_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// answeredOnce reads one answer and leaves the connection open.
func answeredOnce(conn net.Conn) string {
	// Byte by byte: what follows belongs to the next reader.
	res, err := http.ReadResponse(bufio.NewReaderSize(&single{conn}, 16), nil)
	if err != nil {
		return err.Error()
	}
	buf := make([]byte, max(res.ContentLength, 0))
	for n := 0; n < len(buf); {
		m, err := res.Body.Read(buf[n:])
		if n += m; err != nil {
			break
		}
	}
	return fmt.Sprint(res.StatusCode)
}

type single struct{ net.Conn }

func (s *single) Read(p []byte) (int, error) { return s.Conn.Read(p[:min(len(p), 1)]) }

func queueBehaviours() []behaviour {
	type play = func(*testing.T, *stage, *holder) string
	row := func(id, about string, scale timers, f play, want string) behaviour {
		scale.maxConn = max(scale.maxConn, 1)
		// HAProxy before 2.9 heeds it in a defaults section only (haproxy#2344).
		const defaults = "    option abortonclose\n\n"
		// Each of both proxies has a server of its own.
		return behaviour{id: id, about: about, defaults: defaults, scale: scale, want: want, play: func(t *testing.T, s *stage) string {
			handle, h := hold()
			s.handle(handle)
			return f(t, s, h)
		}}
	}
	return []behaviour{
		row("maxconn", "so many at the server at a time, the others wait", timers{maxConn: 3}, func(t *testing.T, s *stage, h *holder) string {
			answers := make(chan string, 10)
			for i := range 10 {
				conn := s.send("GET", fmt.Sprintf("hold%d", i), "")
				go func() { answers <- answered(conn) }()
			}
			good := 0
			for range 10 {
				receive(t, "a request at the server", h.arrived)
				h.let <- struct{}{}
			}
			for range 10 {
				if receive(t, "an answer", answers) == "200" {
					good++
				}
			}
			return fmt.Sprintf("%d good, at most %d at a time", good, h.most.Load())
		}, "10 good, at most 3 at a time"),
		row("fifo", "first come, first served", timers{}, func(t *testing.T, s *stage, h *holder) string {
			var order []string
			s.send("GET", "hold0", "")
			order = append(order, receive(t, "the first", h.arrived))
			for i := 1; i <= 5; i++ {
				s.send("GET", fmt.Sprintf("hold%d", i), "")
				s.queue(i)
			}
			for range 5 {
				h.let <- struct{}{}
				order = append(order, receive(t, "the next", h.arrived))
			}
			h.let <- struct{}{}
			return strings.Join(order, " ")
		}, "hold0 hold1 hold2 hold3 hold4 hold5"),
		row("queue-timeout", "who waits longer than the limit is 503", timers{queue: short}, func(t *testing.T, s *stage, h *holder) string {
			s.send("GET", "hold", "")
			receive(t, "the first", h.arrived)
			begun := time.Now()
			saw := s.term(s.get("second"), "/bitbucket/second")
			if passed := time.Since(begun); passed < short {
				return saw + " too early"
			}
			h.let <- struct{}{}
			return saw
		}, "503, sQ"),
		row("queue-abort", "who leaves the queue is never sent to the server", timers{}, func(t *testing.T, s *stage, h *holder) string {
			s.send("GET", "hold-first", "")
			receive(t, "the first", h.arrived)
			left := s.send("GET", "hold-left", "")
			s.queue(1)
			left.Close()
			saw := s.term("left", "/bitbucket/hold-left")
			h.let <- struct{}{}
			s.send("GET", "hold-next", "")
			next := receive(t, "the next", h.arrived)
			h.let <- struct{}{}
			return saw + ", next is " + next
		}, "left, CQ, next is hold-next"),
		row("abort-frees", "who leaves during the answer gives the place back", timers{}, func(t *testing.T, s *stage, h *holder) string {
			conn := s.send("GET", "hold-first", "")
			receive(t, "the first", h.arrived)
			conn.Close()
			return s.get("next")
		}, "200"),
		row("soft-stop", "a stop ends what is open first and takes no more", timers{}, func(t *testing.T, s *stage, h *holder) string {
			conn := s.send("GET", "hold", "")
			receive(t, "the request", h.arrived)
			s.stop()
			until(t, "no new connection is accepted", func() bool {
				c, err := net.Dial("tcp", s.addr)
				if err == nil {
					c.Close()
				}
				return err != nil
			})
			if s.ended() {
				return "ended with a request open"
			}
			h.let <- struct{}{}
			saw := answered(conn)
			until(t, "it ends", s.ended)
			return saw + ", then ended"
		}, "200 close, then ended"),
	}
}

func healthBehaviours() []behaviour {
	quick := timers{inter: 50 * time.Millisecond, fast: 50 * time.Millisecond, down: 50 * time.Millisecond}
	return []behaviour{
		{id: "fall", about: "DOWN after three bad checks", scale: quick, play: func(t *testing.T, s *stage) string {
			s.waitChecks(3) // in full health
			s.checks.good.Store(false)
			until(t, "down", func() bool { return strings.HasPrefix(s.get("x"), "503") })
			if _, bad := s.checks.count(); bad < 3 {
				return fmt.Sprintf("down after %d", bad)
			}
			return strings.TrimSuffix(s.get("x"), " close")
		}, want: "503"},
		{id: "fall-not-yet", about: "not DOWN after two bad ones", scale: timers{inter: 50 * time.Millisecond, fast: time.Minute, down: time.Minute}, play: func(t *testing.T, s *stage) string {
			s.waitChecks(3)
			s.checks.good.Store(false)
			until(t, "a bad check", func() bool { _, bad := s.checks.count(); return bad == 1 })
			return s.get("x") // the next check is in a minute
		}, want: "200"},
		{id: "rise", about: "UP again after good checks", scale: quick, play: func(t *testing.T, s *stage) string {
			s.waitChecks(3)
			s.checks.good.Store(false)
			until(t, "down", func() bool { return strings.HasPrefix(s.get("x"), "503") })
			s.checks.good.Store(true)
			until(t, "up", func() bool { return s.get("x") == "200" })
			return "503, then 200"
		}, want: "503, then 200"},
		{id: "fastinter", about: "checks come faster while in doubt", scale: timers{inter: time.Minute, fast: 20 * time.Millisecond, down: 20 * time.Millisecond}, ill: 1, play: func(t *testing.T, s *stage) string {
			// Down at the first one, in doubt from the second one on, which is good.
			if !peers.Within(50*time.Second, func() bool { n, _ := s.checks.count(); return n >= 3 }) {
				return "as seldom as ever"
			}
			return "faster"
		}, want: "faster"},
		{id: "first-check", about: "the first check decides at once", scale: timers{inter: time.Minute, fast: time.Minute, down: time.Minute}, play: func(t *testing.T, s *stage) string {
			until(t, "it is looked at", func() bool { n, _ := s.checks.count(); return n == 1 })
			return "looked at once, " + s.get("x")
		}, want: "looked at once, 200"},
	}
}

// waitChecks waits for n more health checks.
func (s *stage) waitChecks(n int) {
	s.t.Helper()
	before, _ := s.checks.count()
	until(s.t, "health checks", func() bool { now, _ := s.checks.count(); return now >= before+n })
}
