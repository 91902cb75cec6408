package proxy_test

import (
	"flag"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
)

var seedFlag = flag.Uint64("seed", 0, "plays only the mutated streams of this `seed`, to see a finding again")

// playMutations plays mutated streams of fixed seeds: short ones, and 20,000
// under BITGATE_TORTURE. play makes a stream and says how it went; "" is a
// finding.
func playMutations(t *testing.T, short int, play func(*rand.Rand) (why, details string)) {
	t.Helper()
	seeds, each := []uint64{1, 2, 9112, 9113}, short/4
	if os.Getenv("BITGATE_TORTURE") != "" {
		each = 5000
	}
	if *seedFlag != 0 {
		seeds = []uint64{*seedFlag}
	}
	count := map[string]int{}
	var mu sync.Mutex
	for _, seed := range seeds {
		var all sync.WaitGroup
		places := make(chan struct{}, lanesOfMutation)
		for i := range each {
			places <- struct{}{}
			all.Go(func() {
				defer func() { <-places }()
				why, details := play(rand.New(rand.NewPCG(seed, uint64(i))))
				mu.Lock()
				defer mu.Unlock()
				if count[why]++; why == "" {
					t.Errorf("seed %d, stream %d: %s", seed, i, details)
				}
			})
		}
		all.Wait()
	}
	t.Logf("%d streams of each of the seeds %v, %d findings", each, seeds, count[""])
	for _, why := range slices.Sorted(maps.Keys(count)) {
		t.Logf("%6d %s", count[why], why)
	}
	if count["alike"] < each*len(seeds)/3 {
		t.Error("so few are alike that the comparison shows nothing")
	}
}

// The streams of requests that are mutated; HOST is the public authority.
var streamSeeds = []string{
	"GET /bitbucket/a%2Fb?c=d HTTP/1.1\r\nHost: HOST\r\nUser-Agent: git/2.39\r\nAccept: */*\r\n\r\n",
	"HEAD /bitbucket/x HTTP/1.1\r\nHost: HOST\r\nConnection: keep-alive\r\n\r\n",
	"POST /bitbucket/x HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\n\r\nhello",
	"PUT /bitbucket/x HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"POST /bitbucket/x HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-T: y\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: HOST\r\nX-Forwarded-For: 1.2.3.4\r\nConnection: close, X-Gone\r\nX-Gone: 1\r\n\r\n",
	"GET https://HOST/bitbucket/rest/api HTTP/1.1\r\nHost: HOST\r\nAccept: application/json\r\n\r\n",
	"GET /bitbucket/x HTTP/1.0\r\nHost: HOST\r\n\r\n",
	"POST /bitbucket/empty HTTP/1.1\r\nHost: HOST\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
	"GET /bitbucket/204 HTTP/1.1\r\nHost: HOST\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n",
	// Bodies that read as requests.
	"POST /bitbucket/x HTTP/1.1\r\nHost: HOST\r\nContent-Length: 50\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost:8080\r\n\r\n\r\n",
	"POST /bitbucket/x HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n32\r\nGET /smuggled HTTP/1.1\r\nHost: localhost:8080\r\n\r\n\r\n\r\n0\r\n\r\n",
}

// What mutation puts in.
var streamTokens = []string{
	"\r\n", "\n", "\r", " ", "\t", ":", "\x00", ",", "0", "-1", "ffffffffffffffff", "chunked", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n",
	"Transfer-Encoding: gzip, chunked\r\n", "Host: x\r\n", "\r\n\r\n", "HTTP/1.1", "HTTP/2.0", "é", "Connection: close\r\n", "Upgrade: h2c\r\nConnection: Upgrade\r\n",
	"\r\n ", "Content-Length: 0\r\n", "Content-Length: 50\r\n", "Transfer_Encoding: chunked\r\n", "Transfer-Encoding : chunked\r\n", "0\r\n\r\n", "+", "0x", "\v", ";", "#", "?", "%00", "@", "\"",
}

// mutated returns a few requests one behind the other, spoilt in a few places.
func mutated(r *rand.Rand) string {
	var b []byte
	for range 1 + r.IntN(3) {
		b = append(b, streamSeeds[r.IntN(len(streamSeeds))]...)
	}
	for range r.IntN(4) {
		at := r.IntN(len(b))
		switch r.IntN(4) {
		case 0:
			b[at] = byte(r.IntN(256))
		case 1:
			b = slices.Delete(b, at, min(len(b), at+1+r.IntN(4)))
		case 2:
			b = slices.Insert(b, at, []byte(streamTokens[r.IntN(len(streamTokens))])...)
		case 3:
			b = b[:max(at, 1)]
		}
		if len(b) == 0 {
			return "\r\n"
		}
	}
	return string(b)
}
