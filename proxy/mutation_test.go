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
