package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bitgate/internal/peers"
)

// The same with strace doing the killing: one call and path at a time, wherever
// it can be told exactly, which is at the first such call on a name that is
// known beforehand (see tracer). It keeps the tracer honest.
func TestKilledByStrace(t *testing.T) {
	needRoot(t)
	t.Parallel()
	k := kind{propertiesGeneration, builtin, "apply", 3}
	s := newSite(t, k.version, k.front, options{})
	all := k.points(t, s)
	points := k.pick(stracePoints(all))
	if long {
		points = stracePoints(all)
	}
	killed, recovered := 0, 0
	for i, p := range points {
		if s.straceKill(t, p) {
			killed++
		}
		recovered += k.recover(t, s, p.String(), i%2 == 1)
	}
	t.Logf("%d points for strace among %d, %d tried, %d killed, %d recovered", len(stracePoints(all)), len(all), len(points), killed, recovered)
	if killed != len(points) || recovered != len(points) {
		t.Errorf("%d points, but %d killed and %d recovered", len(points), killed, recovered)
	}
}

// stracePoints are those that a call and a path name without counting. strace
// matches -P with a name in full, with what a descriptor points to, and so with
// the folder that a name is relative to; opening to read matches too.
func stracePoints(all []point) []point {
	var out []point
	met := map[string]bool{}
	for _, p := range all {
		here, there := p.Call+" "+p.Path, p.Call+" "+filepath.Dir(p.Path)
		if !met[here] && !met[there] && p.Call != "openat" && !strings.Contains(p.Path, "*") {
			out = append(out, p)
		}
		met[here], met[there] = true, true
	}
	return out
}

// inject is strace doing something to one call on one path, and to nothing that
// bitgate starts.
func (m *machine) inject(t *testing.T, p point, what string) (wrapper []string, log string) {
	t.Helper()
	log = filepath.Join(m.Out, "strace")
	call := "/^" + strings.TrimSuffix(p.Call, "at") + "(at|at2)?$"
	wrapper = []string{
		peers.Path(t, "strace"), "-f", "-q", "-y", "-b", "execve", "-e", "signal=none", "-o", log,
		"-e", "trace=" + call, "-e", "inject=" + call + ":" + what,
	}
	for _, path := range m.names(p) {
		wrapper = append(wrapper, "-P", path, "-P", filepath.Dir(path))
	}
	return wrapper, log
}

// names are the paths that a point without chance in it can mean: a run is named
// after the day, and that may end while the test runs.
func (m *machine) names(p point) []string {
	if !strings.Contains(p.Path, "RUN") {
		return []string{m.path(p.Path)}
	}
	var out []string
	for day := range 2 {
		run := time.Now().UTC().AddDate(0, 0, day).Format("20060102") + "-1"
		out = append(out, m.path(strings.ReplaceAll(p.Path, "RUN", run)))
	}
	return out
}

func (s *site) straceKill(t *testing.T, p point) bool {
	t.Helper()
	wrapper, log := s.inject(t, p, "signal=KILL")
	o := s.under(t, wrapper, s.job("apply")...)
	s.settled()
	text, err := os.ReadFile(log)
	must(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	// "= ?" is a call that never came back.
	died := o.Code == -1 && strings.HasSuffix(lines[len(lines)-1], "= ?")
	named := false
	for _, path := range s.names(p) {
		named = named || strings.Contains(string(text), filepath.Base(path))
	}
	if !died || !named {
		t.Errorf("%s was not reached: %s\n%s", p, o, text)
	}
	return died && named
}

// An error of the kernel at the worst place: the old bytes stay, the run is
// taken back, and the message names the file.
func TestKernelRefuses(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for _, front := range fronts() {
		t.Run(front, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, propertiesGeneration, front, options{})
			target := "bitbucket/home/shared/bitbucket.properties"
			for _, errno := range []string{"EROFS", "EXDEV", "EBUSY"} {
				wrapper, log := s.inject(t, point{Call: "rename", Path: target}, "error="+errno)
				o := s.under(t, wrapper, s.job("apply")...)
				if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "(INJECTED)") {
					t.Errorf("%s was not injected: %v\n%s", errno, err, text)
				}
				s.refused(t, "rename: "+errno, target, o)
			}
		})
	}
}

func fronts() []string {
	if long {
		return []string{builtin, haproxy}
	}
	return []string{builtin}
}

// refused wants a run that failed cleanly because of the file.
func (s *site) refused(t *testing.T, why, file string, o outcome) {
	t.Helper()
	var faults []string
	if o.Code != 1 && o.Code != 6 {
		faults = append(faults, "the exit code is neither 1 nor 6")
	}
	if !strings.Contains(o.ErrOut, s.path(file)) {
		faults = append(faults, fmt.Sprintf("the message does not name %s", s.path(file)))
	}
	_, more := s.judge(t, "old")
	if faults = append(faults, more...); len(faults) > 0 {
		t.Fatalf("%s: %s\n%s", why, strings.Join(faults, "\n"), o)
	}
	s.forget(t)
}
