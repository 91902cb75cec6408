package torture

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// A run that is killed at any of its writing system calls leaves every file old
// or new; recover then makes the whole machine the one or the other. So does an
// undo that is killed.
func TestKilledAtEveryWritingCall(t *testing.T) {
	needRoot(t)
	t.Parallel()
	kinds := []kind{{propertiesGeneration, builtin, "apply", 12}}
	if long {
		kinds = nil
		for _, version := range []string{propertiesGeneration, xmlGeneration} {
			for _, front := range []string{builtin, haproxy} {
				for _, command := range []string{"apply", "undo"} {
					kinds = append(kinds, kind{version, front, command, 0})
				}
			}
		}
	}
	for _, k := range kinds {
		t.Run(k.String(), func(t *testing.T) { k.killEverywhere(t) })
	}
}

// kind is one sort of run: which Bitbucket, which front, which command.
type kind struct {
	version, front, command string
	sample                  int // how many points; 0: all
}

func (k kind) String() string { return k.version + " " + k.front + " " + k.command }

// workers are machines that are tortured at the same time: a run mostly waits
// for Bitbucket.
const workers = 3

func (k kind) killEverywhere(t *testing.T) {
	first := newSite(t, k.version, k.front, options{})
	points := k.pick(k.points(t, first))
	todo := make(chan int)
	var mu sync.Mutex
	killed, recovered := 0, 0
	t.Run("points", func(t *testing.T) {
		for w := range workers {
			t.Run(fmt.Sprint("machine ", w+1), func(t *testing.T) {
				t.Parallel()
				s := first
				if w > 0 {
					s = newSite(t, k.version, k.front, options{})
				}
				for i := range todo {
					died, settled := k.kill(t, s, points[i], i%2 == 1)
					mu.Lock()
					killed, recovered = killed+died, recovered+settled
					mu.Unlock()
				}
			})
		}
		go func() {
			defer close(todo)
			for i := range points {
				todo <- i
			}
		}()
	})
	t.Logf("%s: %d points, %d killed, %d recovered", k, len(points), killed, recovered)
	if killed != len(points) || recovered != len(points) {
		t.Errorf("%s: %d points, but %d killed and %d recovered", k, len(points), killed, recovered)
	}
}

// points lists the writing calls of an undisturbed run.
func (k kind) points(t *testing.T, s *site) []point {
	t.Helper()
	var list []point
	k.prepare(t, s)
	tr := &tracer{Below: s.Dir, Enter: func(p point) deed { list = append(list, p); return deed{} }}
	if o, err := tr.run(s.machine, k.line(s)); err != nil || o.Code != 0 {
		t.Fatalf("%s: %v %s", k, err, o)
	}
	is, faults := s.judge(t, "")
	for _, f := range faults {
		t.Error(f)
	}
	if len(list) < 20 {
		t.Fatalf("only %d writing calls: the tracer looks in the wrong place: %v", len(list), list)
	}
	s.reset(t, is)
	return list
}

// pick takes the sample: evenly, the first and the last included.
func (k kind) pick(all []point) []point {
	if k.sample == 0 || k.sample >= len(all) {
		return all
	}
	var out []point
	for i := range k.sample {
		out = append(out, all[i*(len(all)-1)/(k.sample-1)])
	}
	return out
}

// prepare brings a machine to where the command can be run.
func (k kind) prepare(t *testing.T, s *site) {
	t.Helper()
	if k.command == "undo" {
		s.apply(t)
	}
}

func (k kind) line(s *site) []string {
	if k.command == "undo" {
		return s.back("undo")
	}
	return s.job(k.command)
}

// kill lets one run die at p, recovers, judges, and makes the machine ready for
// the next. It returns 1 for what happened and 0 for what did not.
func (k kind) kill(t *testing.T, s *site, p point, forward bool) (killed, recovered int) {
	t.Helper()
	k.prepare(t, s)
	var last point
	tr := &tracer{Below: s.Dir, Enter: func(now point) deed { last = now; return deed{Kill: now == p} }}
	o, err := tr.run(s.machine, k.line(s))
	must(t, err)
	s.settled()
	if o.Code != -1 || last != p {
		t.Errorf("%s was not reached: the last point was %s; %s", p, last, o)
	} else {
		killed = 1
	}
	return killed, k.recover(t, s, p.String(), forward)
}

// recover settles what a killed run left, and judges it.
func (k kind) recover(t *testing.T, s *site, where string, forward bool) (recovered int) {
	t.Helper()
	faults := s.damaged(t)
	want, how := "", "back"
	args := s.back("recover")
	if open := len(s.open(t)) > 0; open {
		want = "old"
	}
	if forward {
		how = "forward"
		args = append(args, "--forward")
		if want != "" && k.command == "apply" {
			want = "new"
		}
	}
	o := s.bitgate(t, args...)
	s.settled()
	if o.Code != 0 {
		faults = append(faults, "recover: "+o.String())
	}
	is, more := s.judge(t, want)
	faults = append(faults, more...)
	if got := s.BB.ContextPath(); got != s.context(is) {
		faults = append(faults, fmt.Sprintf("Bitbucket serves from %q", got))
	}
	if s.HAProxy != nil && !s.frontIs(is == "new") {
		faults = append(faults, "HAProxy runs with another configuration than its file")
		s.HAProxy.Stop()
		s.startHAProxy(t)
	}
	if len(faults) == 0 {
		recovered = 1
	} else if t.Errorf("stopped at %s, recovered %s:\n%s", where, how, strings.Join(faults, "\n")); is == "" {
		t.FailNow() // nothing can be learned on a machine in a mixed state
	}
	s.reset(t, is)
	return recovered
}
