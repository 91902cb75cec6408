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
	one := newSide("http/1.1", ours(t, lanesOfMutation, func(c *config.Config) {
		c.RequestTimeout, c.KeepAliveTimeout, c.IdleTimeout = 400*time.Millisecond, 150*time.Millisecond, 600*time.Millisecond
	}))
	two := newSide("http/1.1", hardenedHAProxy(t, lanesOfMutation, (&rig{t: t}).certificate(), "timeout client 1h", "timeout client 600ms", "timeout server 1h", "timeout server 600ms",
		"timeout http-request 10s", "timeout http-request 400ms", "timeout http-keep-alive 75s", "timeout http-keep-alive 150ms"))
	playMutations(t, 400, func(r *rand.Rand) (why, details string) {
		stream := mutated(r)
		for range 6 { // a limit that passes on a busy machine is no difference: that repeats itself
			a, b := playBoth(one, two, stream)
			why = likeness(a, b)
			if why == awaited { // what if it comes to its end?
				if why = likeness(playBoth(one, two, stream+"\r\n\r\n")); why != "" {
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

func playBoth(one, two side, stream string) (a, b sight) {
	changed := forHAProxy(stream)
	var both sync.WaitGroup
	both.Go(func() { a = one.play(stream) })
	both.Go(func() { b = two.play(changed) })
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
