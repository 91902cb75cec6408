package proxy_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bitgate/internal/peers/h2frames"
)

// h2sight is what became of a stream of frames at a proxy.
type h2sight struct {
	whole   []string          // the requests that the server got to their end, sorted
	faults  []string          // violations of the grammar in what it got
	answers map[uint32]string // by HTTP/2 stream: a status or the code of a reset
	gone    string            // the code of GOAWAY, if it is an error
	end     int               // the frame after which the connection ended; their number if it did not
	ended   bool              // the connection did
	err     error
}

// TestHTTP2LikeHAProxy plays mutated streams of HTTP/2 frames to bitgate and to
// HAProxy, as TestLikeHAProxy does with HTTP/1.
func TestHTTP2LikeHAProxy(t *testing.T) {
	t.Parallel()
	if !needs(t, "haproxy") {
		return
	}
	one := newSide("h2", ours(t, lanesOfMutation, nil))
	two := newSide("h2", hardenedHAProxy(t, lanesOfMutation, (&rig{t: t}).certificate(), "alpn http/1.1", "alpn h2,http/1.1"))
	all := h2frames.Seeds(corpusHost)
	playMutations(t, 400, func(r *rand.Rand) (why, details string) {
		frames := h2frames.Split(bytes.Join(h2frames.Mutate(r, all[r.IntN(len(all))]), nil))
		given := framesForHAProxy(frames)
		// What comes late on a busy machine is no difference: that repeats itself.
		for wait := 10 * time.Millisecond; wait < time.Second; wait *= 3 {
			var a, b h2sight
			var both sync.WaitGroup
			both.Go(func() { a = one.playFrames(frames, wait) })
			both.Go(func() { b = two.playFrames(given, wait) })
			both.Wait()
			why = h2likeness(a, b)
			if why == "" && endsByRefused(given, a, b) && subset(one.playFrames(given[:b.end+1], wait).whole, b.whole) {
				why = "alike, up to a stream that both refuse, by which HAProxy ends the connection"
			}
			if why != "" {
				return why, ""
			}
			details = fmt.Sprintf("%x\nbitgate: %+v\nHAProxy: %+v", frames, a, b)
		}
		return "", details
	})
}

func h2likeness(ours, theirs h2sight) string {
	same := slices.Equal(ours.whole, theirs.whole)
	switch {
	case len(ours.faults) > 0 || ours.err != nil:
		return ""
	case same && ours.gone == theirs.gone && maps.Equal(ours.answers, theirs.answers):
		return "alike"
	case same && !slices.Equal(ours.served(), theirs.served()):
		return ""
	case same && ours.gone == "" && theirs.gone != "":
		return "the same requests, then ended by HAProxy alone"
	case same && ours.gone != theirs.gone:
		return "the same requests, then ended by us: " + ours.gone
	case same:
		return "the same requests, others refused in other words"
	case subset(ours.whole, theirs.whole) && ours.refusals() != "":
		return "stricter: " + ours.refusals()
	case subset(ours.whole, theirs.whole) && !slices.ContainsFunc(theirs.served(), func(id uint32) bool { return ours.answers[id] != "200" && ours.answers[id] != "" }):
		return "stricter: END_STREAM is awaited, HAProxy takes Content-Length for the end"
	}
	return ""
}

// served are the HTTP/2 streams that the server answered.
func (v h2sight) served() (streams []uint32) {
	for _, id := range slices.Sorted(maps.Keys(v.answers)) {
		if v.answers[id] == "200" {
			streams = append(streams, id)
		}
	}
	return streams
}

// refusals are the words in which a proxy refused something.
func (v h2sight) refusals() string {
	if v.gone != "" {
		return "GOAWAY " + v.gone
	}
	if v.ended {
		return "the connection ended, as the client's GOAWAY said"
	}
	words := slices.Sorted(maps.Values(v.answers))
	return strings.Join(slices.DeleteFunc(slices.Compact(words), func(s string) bool { return s == "200" }), ", ")
}

// endsByRefused reports whether HAProxy ended the connection by a frame of
// a stream that we refused, too. RFC 9113, 8.1.1, asks for the stream's end.
func endsByRefused(frames [][]byte, ours, theirs h2sight) bool {
	if theirs.end == len(frames) || len(frames[theirs.end]) < 9 || theirs.gone == "" {
		return false
	}
	answer := ours.answers[uint32(frames[theirs.end][8])]
	return answer != "" && answer != "200"
}

// subset reports whether all of a sorted list is in another one.
func subset(a, b []string) bool {
	for len(a) > 0 {
		i := slices.Index(b, a[0])
		if i < 0 {
			return false
		}
		a, b = a[1:], b[i+1:]
	}
	return true
}
