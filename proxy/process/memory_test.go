package process

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"testing"
	"time"
)

// TestMemoryIsGivenBack: what work leaves behind goes back to the system once the
// proxy is quiet, without Go's collector having any reason of its own to run.
func TestMemoryIsGivenBack(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	held := func() uint64 {
		s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64() - s[1].Value.Uint64()
	}
	const work = 64 << 20
	before := held()
	running.Go(func() { giveBackMemory(ctx) })
	for end := time.Now().Add(time.Minute); held() < before+work/2; { // memory is also given back once at the start
		if time.Now().After(end) {
			t.Fatalf("work of %d bytes leaves too little behind to show anything: %d, then %d", work, before, held())
		}
		for range work >> 10 {
			leftover = make([]byte, 1<<10)
		}
	}
	for end := time.Now().Add(time.Minute); held() > before+work/4; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes are still held, %d before the work", held(), before)
		}
	}
}

var leftover []byte
