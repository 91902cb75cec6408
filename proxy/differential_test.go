package proxy_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bitgate/proxy/config"
)

// How many streams are played at a time.
const lanesOfMutation = 16

// TestLikeHAProxy plays mutated streams of requests to bitgate and to HAProxy as
// bitgate configures it: what HAProxy refuses, bitgate does not pass on, and the
// server gets the same requests of both. Where bitgate refuses more, that is
// counted.
func TestLikeHAProxy(t *testing.T) {
	t.Parallel()
	if !needs(t, "haproxy") {
		return
	}
	hasty := newPair(t, lanesOfMutation, 1)
	patient := newPair(t, 4, 20)
	playMutations(t, 400, func(r *rand.Rand) (why, details string) {
		stream := mutated(r)
		// A limit that passes on a busy machine is no difference: that repeats itself
		// where the limits are longer.
		for try := range 6 {
			p := hasty
			if try > 1 {
				p = patient
			}
			a, b := p.play(stream)
			why = likeness(a, b)
			if why == awaited { // what if it comes to its end?
				if why = likeness(p.play(stream + "\r\n\r\n")); why != "" {
					why += " (" + awaited + ")"
				}
			}
			if why != "" && forHAProxy(stream) != stream {
				why += " (but for what forHAProxy changes)"
			}
			if why != "" {
				return why, ""
			}
			details = fmt.Sprintf("%q\nbitgate: %s\nHAProxy: %s", stream, a, b)
		}
		return "", details
	})
}

// pair is bitgate and HAProxy as bitgate configures it, with the same limits.
type pair struct{ bitgate, haproxy side }

// newPair has limits of a fraction of a second, times a factor.
func newPair(t *testing.T, lanes, factor int) pair {
	scaled := func(ms int) time.Duration { return time.Duration(factor*ms) * time.Millisecond }
	request, keepAlive, idle := scaled(400), scaled(150), scaled(600)
	ms := func(setting string, d time.Duration) string {
		return fmt.Sprintf("timeout %s %dms", setting, d.Milliseconds())
	}
	return pair{
		newSide("http/1.1", ours(t, lanes, func(c *config.Config) {
			c.RequestTimeout, c.KeepAliveTimeout, c.IdleTimeout = request, keepAlive, idle
		})),
		newSide("http/1.1", hardenedHAProxy(t, lanes, (&rig{t: t}).certificate(), "timeout client 1h", ms("client", idle), "timeout server 1h", ms("server", idle),
			"timeout http-request 10s", ms("http-request", request), "timeout http-keep-alive 75s", ms("http-keep-alive", keepAlive))),
	}
}

func (p pair) play(stream string) (a, b sight) {
	changed := forHAProxy(stream)
	var both sync.WaitGroup
	both.Go(func() { a = p.bitgate.play(stream) })
	both.Go(func() { b = p.haproxy.play(changed) })
	both.Wait()
	if changed != stream {
		a.whole, b.whole = allASCII(a.whole), allASCII(b.whole)
	}
	return a, b
}

// forHAProxy changes what HAProxy refuses and bitgate passes on, on purpose:
//   - Bytes beyond ASCII in a target. Bitgate keeps them, as all bytes of a target
//     (TestTargetBytesAreKept): scripts and old clients send UTF-8 as it is, and no
//     server finds the end of a target at them.
//   - Absolute-form with a query and no path. RFC 9112, 3.2.2, allows it; HAProxy
//     2.6 takes the query for a part of the name.
func forHAProxy(stream string) string {
	stream = beyondASCII.ReplaceAllStringFunc(stream, asASCII)
	return noPath.ReplaceAllString(stream, "$1/?")
}

var (
	beyondASCII = regexp.MustCompile(`[A-Z-]+ [^ \r\n]*[^\x00-\x7f][^ \r\n]*( |$)`)
	noPath      = regexp.MustCompile(`([A-Z-]+ https?://HOST)\?`)
)

func allASCII(all []string) (ascii []string) {
	for _, s := range all {
		ascii = append(ascii, asASCII(s))
	}
	return ascii
}

func asASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c > 0x7f {
			b[i] = 'e'
		}
	}
	return string(b)
}

// likeness tells how two sights of a stream agree; "" if they do not.
func likeness(ours, theirs sight) string {
	n := 0 // answers that are alike
	for n < min(len(ours.answers), len(theirs.answers)) && ours.answers[n] == theirs.answers[n] {
		n++
	}
	ends, others := strings.Join(ours.answers[n:], ", "), strings.Join(theirs.answers[n:], ", ")
	refused := len(ours.answers) == n+1 && refusal.MatchString(ends)
	same := slices.Equal(ours.whole, theirs.whole)
	switch {
	case len(ours.faults) > 0 || ours.err != nil:
		return ""
	case same && ends == others:
		return "alike"
	case same && refused && (others == timedOut || others == ""):
		return "refused by us, awaited in vain by HAProxy: " + ends
	case same && refused:
		return "refused by both in other words: " + ends
	case same && ends == "" && others == timedOut:
		return "awaited in vain by both; only HAProxy says 408 after empty lines"
	case same && ends == timedOut && strings.HasPrefix(others, "421"):
		return "another host: 421 by HAProxy, while we await the body in vain"
	case same && ends == timedOut && others == "400 close":
		return awaited
	case !same && refused && len(ours.whole) < len(theirs.whole) && slices.Equal(ours.whole, theirs.whole[:len(ours.whole)]):
		return "stricter: " + ends
	}
	return ""
}

// awaited is a likeness only if what is awaited is refused, too.
const awaited = "refused by HAProxy before its end"

// refusal is an answer of the proxy's own after which it takes nothing more.
var refusal = regexp.MustCompile(`^(4\d\d|501|505) close$`)
