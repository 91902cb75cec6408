package h2_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"testing"

	"bitgate/internal/peers/h2frames"
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
	reason   string           // ours for it
}

var seedFlag = flag.Uint64("seed", 0, "plays only the mutated streams of this `seed`, to see a finding again")

// TestLikeTheStandardServer: what our server carries out of mutated streams, the
// standard library's carries out too, as the same requests; and the other way
// round, except for what the explanations below name. BITGATE_TORTURE=1 plays five
// times as many.
func TestLikeTheStandardServer(t *testing.T) {
	each := 1000
	if os.Getenv("BITGATE_TORTURE") != "" {
		each = 5000
	}
	seeds := []uint64{7, 1, 2, 9113}
	if *seedFlag != 0 {
		seeds = []uint64{*seedFlag}
	}
	all := h2frames.Seeds(authority)
	explained := map[string]int{}
	for _, seed := range seeds {
		for i := range each {
			frames := h2frames.Mutate(rand.New(rand.NewPCG(seed, uint64(i))), all[i%len(all)])
			pad(frames)
			ours, theirs := judgeOurs(frames), judgeTheirs(t, frames)
			why := explain(frames, ours, theirs)
			if explained[why]++; why == "" {
				t.Errorf("seed %d, stream %d: ours %+v\ntheirs %+v\nframes %x", seed, i, ours, theirs, frames)
			}
		}
	}
	t.Logf("%d streams of each of the seeds %v, %d differences that nothing explains; by explanation:", each, seeds, explained[""])
	for _, why := range slices.Sorted(maps.Keys(explained)) {
		t.Logf("%6d %s", explained[why], why)
	}
}

// fit for HTTP/1.1 (RFC 9112, 3) and for us is a request that tellHead tells so.
var fit = regexp.MustCompile(`^([ABD-Z-][A-Z-]*|C[A-NP-Z][A-Z-]*) /[^#\x00-\x20\x7f]* [A-Za-z0-9._~:\[\]-]+ \[`)

// pad completes the last frame.
func pad(frames [][]byte) {
	last := &frames[len(frames)-1]
	if f := *last; len(f) >= 9 {
		*last = append(f, make([]byte, max(0, 9+int(f[0])<<16+int(f[1])<<8+int(f[2])-len(f)))...)
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
			if slices.ContainsFunc(less, fit.MatchString) {
				return ""
			}
			return "a request that cannot be HTTP/1.1 is refused by us"
		}
	}
	switch {
	case ours.end > theirs.end:
		return lax(frames[theirs.end], ours, theirs.code)
	case ours.end < theirs.end:
		if section, ok := connectionErrors[ours.reason]; ok {
			return "ended by us alone: " + ours.reason + " (RFC 9113, " + section + ")"
		}
		return ""
	case ours.code != theirs.code:
		return fmt.Sprintf("ended by both, the code is %v, theirs %v", ours.code, theirs.code)
	}
	return "alike"
}

// connectionErrors are those that the standard library lets pass, takes for an
// error of the stream or is silent about, and where RFC 9113 says otherwise.
var connectionErrors = map[string]string{
	"CONTINUATION without a field block":                      "6.10",
	"DATA for a stream that was never opened":                 "5.1",
	"WINDOW_UPDATE for a stream that was never opened":        "5.1",
	"a client cannot push":                                    "8.4",
	"a client's stream has an even number":                    "5.1.1",
	"a field block is interrupted":                            "6.10",
	"a field block is malformed":                              "4.3",
	"a frame came for a stream that is closed":                "5.1",
	"a frame has a length that its type cannot have":          "4.2",
	"a frame is longer than allowed":                          "4.2",
	"a frame of a stream names none":                          "6.1 to 6.4",
	"a frame of the connection names a stream":                "6.5, 6.7, 6.8",
	"a frame's padding is longer than the frame":              "6.1, 6.2",
	"a malformed PRIORITY for a stream that was never opened": "5.3.2",
	"a stream has a lower number than the one before":         "5.1.1",
	"the first frame is not SETTINGS":                         "3.4",
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
