package peers

import (
	"syscall"
	"testing"
	"time"
)

// Linear fails the test where four times as much costs more than ten times the CPU time,
// as it does where the cost is quadratic. prepare makes what has n parts, and work is
// measured. The clock of a busy machine has no part in it.
func Linear(t testing.TB, what string, prepare func(n int) (work func() error)) {
	t.Helper()
	small, large := cost(t, what, prepare(5_000)), cost(t, what, prepare(20_000))
	most := 10*small + 200*time.Millisecond
	if large > most { // other tests of this process may have computed meanwhile
		large = min(large, cost(t, what, prepare(20_000)))
	}
	t.Logf("%s: %v, %v for four times as much", what, small, large)
	if large > most {
		t.Errorf("%s costs %v, and %v for four times as much", what, small, large)
	}
}

// cost is the CPU time of this process while work goes on.
func cost(t testing.TB, what string, work func() error) time.Duration {
	t.Helper()
	before := spent(t)
	if err := work(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return spent(t) - before
}

func spent(t testing.TB) time.Duration {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
