package renew

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"bitgate/internal/atomicfile"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// torture makes the long tests long: make torture.
var torture = os.Getenv("BITGATE_TORTURE") == "1"

// gone is what a killed process throws to end: nothing it still does has an effect.
type gone struct{}

// at lets something happen at the n-th operation on the disk, from 1, and counts them.
func (s *site) at(n int, happens func() error) (count *int) {
	count = new(int)
	s.files = atomicfile.Writer{Fault: func(atomicfile.Op, string) error {
		if *count++; *count == n {
			return happens()
		}
		return nil
	}}
	return count
}

// killed renews in a process that ends at the n-th operation; false where it has fewer.
func (s *site) killed(n int, do func(*Renewer) error) (was bool) {
	s.at(n, func() error { panic(gone{}) })
	defer func() {
		s.files = atomicfile.Writer{}
		if r := recover(); r != nil {
			if _, is := r.(gone); !is {
				panic(r)
			}
			was = true
		}
	}()
	if err := do(s.renewer()); err != nil {
		s.t.Fatalf("operation %d: %v\n%s", n, err, s.log.String())
	}
	return false
}

func deploys(r *Renewer) error {
	_, err := r.Deploy(context.Background(), Options{})
	return err
}

// TestKilledAtEveryOperation: a process that dies at any operation of a renewal leaves
// the old or the new certificate in force, and the next one, which nobody calls but
// the timer, settles that and serves the new one.
func TestKilledAtEveryOperation(t *testing.T) {
	for _, front := range []string{setup.FrontHAProxy, setup.FrontBuiltin} {
		t.Run(front, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, front, options{skip: front == setup.FrontBuiltin}) // whose front looks every 5 s
			stride := 1
			if front == setup.FrontHAProxy && !torture {
				stride = 3
			}
			n := 1
			for ; ; n += stride {
				old := s.held(s.bundle())
				s.issue(time.Now(), 90*day)
				if !s.killed(n, deploys) {
					break
				}
				if held := s.held(s.bundle()); held != old && held != s.held(s.cert()) {
					t.Errorf("operation %d: the bundle is neither", n)
				}
				if now := s.shown(); now != "" && now != old && now != s.held(s.cert()) {
					t.Errorf("operation %d: neither is shown", n)
				}
				out, err := s.renewer().Renew(t.Context(), Options{})
				if err != nil {
					t.Fatalf("operation %d: %v\n%s", n, err, s.log.String())
				}
				if s.held(s.bundle()) != s.held(s.cert()) || front == setup.FrontHAProxy && s.shown() != s.held(s.cert()) {
					t.Errorf("operation %d: the new one is not in force after the next renewal: %+v", n, out)
				}
				s.whole(n)
			}
			t.Logf("%d operations, killed at every %d", n-1, stride)
		})
	}
}

// whole: nothing is open, and nothing temporary was left.
func (s *site) whole(n int) {
	s.t.Helper()
	if open, err := journal.OpenRun(s.path("state")); err != nil || open != "" {
		s.t.Errorf("operation %d: run %s is open, %v", n, open, err)
	}
	for _, dir := range []string{"front", "state/runs"} {
		entries, err := os.ReadDir(s.path(dir))
		s.must(err)
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".") {
				s.t.Errorf("operation %d: %s was left in %s", n, e.Name(), dir)
			}
		}
	}
}

// TestEveryOperationFails: an error at any operation leaves the tree as it was or the
// new certificate in force, and the next renewal succeeds.
func TestEveryOperationFails(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup.FrontBuiltin, options{skip: true})
	tried, failed := 0, 0
	for _, errno := range errnos() {
		for n := 1; ; n++ {
			old := s.held(s.bundle())
			s.issue(time.Now(), 90*day)
			count := s.at(n, func() error { return errno })
			err := deploys(s.renewer())
			s.files = atomicfile.Writer{}
			if *count < n {
				break
			}
			if tried++; err != nil {
				failed++
				if held := s.held(s.bundle()); held != old && held != s.held(s.cert()) {
					t.Errorf("%v at operation %d: the bundle is neither", errno, n)
				}
			}
			s.moved.Add(int64(2 * day)) // behind the pause after a failure
			if _, err := s.renewer().Renew(t.Context(), Options{}); err != nil {
				t.Fatalf("%v, after operation %d: %v\n%s", errno, n, err, s.log.String())
			}
			s.moved.Add(-int64(2 * day))
			if s.held(s.bundle()) != s.held(s.cert()) {
				t.Errorf("%v, after operation %d: the new one is not in force", errno, n)
			}
			s.whole(n)
		}
	}
	t.Logf("%d operations failed, %d stopped the renewal", tried, failed)
}
