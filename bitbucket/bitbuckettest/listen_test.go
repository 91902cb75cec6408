package bitbuckettest

import (
	"os/exec"
	"sync"
	"testing"
)

// A restart needs its port again at once, also while the process that it runs
// in starts other programs (git, HAProxy, a terminal).
func TestRestartWhileProgramsAreStarted(t *testing.T) {
	s := start(t, Options{Version: "9.4.16"})
	stop := make(chan struct{})
	var starters sync.WaitGroup
	for range 4 {
		starters.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = exec.Command("true").Run()
				}
			}
		})
	}
	defer starters.Wait()
	defer close(stop)
	for n := range 200 {
		if err := s.Restart(); err != nil {
			t.Fatalf("restart %d: %v", n, err)
		}
	}
}
