package abuse

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// canaryBound is how long 99 of 100 ordinary requests may take meanwhile.
const canaryBound = 250 * time.Millisecond

// dawdle is how many clients there are and how long they last.
func dawdle() (clients int, lasting time.Duration) {
	if long {
		return 1000, time.Minute
	}
	return 200, 4 * time.Second
}

// slowhttptest's clients send heads and bodies by drips, or read so. There are
// four times as many as slots at least, and not one of them may hold a slot: the
// canary would wait for its turn until the queue's timeout.
func TestSlowClients(t *testing.T) {
	tool := peers.Path(t, "slowhttptest")
	clients, lasting := dawdle()
	for name, args := range map[string][]string{
		"heads":  {"-H"},
		"bodies": {"-B"},
		"reads":  {"-X", "-w", "1", "-y", "64", "-n", "1", "-z", "8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBitbucket(t)
			f := start(t, b.addr, nil)
			c := f.canary()
			args := append(args, "-c", strconv.Itoa(clients), "-r", "200", "-i", "1", "-l", fmt.Sprint(lasting.Seconds()), "-u", f.url.Origin()+slowPath)
			reached, text := slowly(t, tool, args, lasting)
			if reached < clients/2 { // it ends by the clock, and the machine may have stood still
				reached, text = slowly(t, tool, args, lasting)
			}
			told(t, c)
			t.Logf("%d of %d slow clients at a time", reached, clients)
			if reached < clients/2 {
				t.Errorf("only %d of %d slow clients came through:\n%s", reached, clients, text[max(0, len(text)-1500):])
			}
		})
	}
}

// slowly runs slowhttptest and returns how many clients were there at a time, with
// its last words.
func slowly(t *testing.T, tool string, args []string, lasting time.Duration) (reached int, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*lasting+time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, tool, args...).CombinedOutput()
	if err != nil {
		t.Errorf("slowhttptest: %v", err)
	}
	// Its last status, behind the escape sequences that colour it.
	text = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`).ReplaceAllString(string(out), "")
	for _, m := range regexp.MustCompile(`(?:connected|closed):\s+(\d+)`).FindAllStringSubmatch(text, -1) {
		n, _ := strconv.Atoi(m[1])
		reached = max(reached, n)
	}
	return reached, text
}

// A thousand connections that never say a word, half of them not even a
// handshake, are nobody else's concern.
func TestThousandIdleConnections(t *testing.T) {
	b := newBitbucket(t)
	f := start(t, b.addr, nil)
	for i := range 1000 {
		conn, err := net.Dial("tcp", f.addr)
		must(t, err)
		defer conn.Close()
		if i%2 == 0 {
			secure := tls.Client(conn, &tls.Config{RootCAs: f.roots, ServerName: "localhost", NextProtos: []string{[]string{"h2", "http/1.1"}[i/2%2]}})
			must(t, secure.Handshake())
		}
	}
	c := f.canary()
	asked(t, c, 200)
	told(t, c)
	if n := b.most.Load(); n > 1 {
		t.Errorf("%d requests at a time from one canary", n)
	}
}

// Heads as long as may be that do not end hold 100 MiB at most, and nobody else up:
// where they hold too much together, some are refused.
func TestLongHeadsThatDoNotEnd(t *testing.T) {
	b := newBitbucket(t)
	f := start(t, b.addr, nil)
	calm := f.canary()
	asked(t, calm, 50)
	calm.stop(t)
	before, memory := f.resident(), f.memory()
	head := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nX: %s", abusedPath, f.url.Authority(), strings.Repeat("x", 60_000))
	const senders, each = 4, 100
	opened := make(chan net.Conn, senders*each)
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for range each {
				conn, err := tls.Dial("tcp", f.addr, &tls.Config{RootCAs: f.roots, ServerName: "localhost", NextProtos: []string{"http/1.1"}})
				if err != nil {
					continue // it was in vain
				}
				_ = conn.SetWriteDeadline(time.Now().Add(time.Minute))
				_, _ = io.WriteString(conn, head) // who is refused may see that here
				opened <- conn
			}
		})
	}
	c := f.canary()
	all.Wait()
	asked(t, c, 20)
	told(t, c)
	most := memory() - before
	close(opened)
	refused := 0
	for conn := range opened {
		_ = conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		line := make([]byte, 12)
		if _, err := io.ReadFull(conn, line); err == nil && string(line) == "HTTP/1.1 503" {
			refused++
		}
		conn.Close()
	}
	t.Logf("memory +%d MiB, %d refused", most>>20, refused)
	if most > 100<<20 || refused == 0 {
		t.Errorf("%d MiB more than before, %d refused", most>>20, refused)
	}
}

// told ends the canary, logs how it fared and holds it to the bound in the long
// form.
func told(t *testing.T, c *canary) {
	t.Helper()
	took := c.stop(t)
	p99 := percentile(took, 99)
	t.Logf("canary: %d answers, p50 %v, p99 %v, slowest %v", len(took), percentile(took, 50).Round(time.Millisecond), p99.Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	if long && p99 > canaryBound { // a busy machine is no fault of the proxy's
		t.Errorf("p99 is %v", p99)
	}
}

// Heads that announce a body which never comes are more than there are slots;
// they leave half of these to others.
func TestBodiesThatNeverCome(t *testing.T) {
	b := newBitbucket(t)
	f := start(t, b.addr, nil)
	for i := range 120 {
		conn, err := tls.Dial("tcp", f.addr, &tls.Config{RootCAs: f.roots, ServerName: "localhost", NextProtos: []string{"http/1.1"}})
		must(t, err)
		defer conn.Close()
		framing := []string{"Content-Length: 1000000", "Transfer-Encoding: chunked"}[i%2]
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n", abusedPath, f.url.Authority(), framing)
		must(t, err)
	}
	peers.WaitFor(t, "those that are let in", func() bool { return b.now.Load() >= 25 })
	c := f.canary()
	asked(t, c, 100)
	told(t, c)
	if n := b.most.Load(); n > 26 {
		t.Errorf("%d requests at a time", n)
	}
}
