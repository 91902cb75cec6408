package torture

import (
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A disk that is full or broken shows it at fsync(2), on a file whose name no
// one knows beforehand: here the tracer lets the call fail.
func TestFullAndBrokenDisk(t *testing.T) {
	needRoot(t)
	t.Parallel()
	if !canFail {
		t.Skip("NOT TESTED: failing a call needs this processor's registers, which only amd64 has here")
	}
	s := newSite(t, propertiesGeneration, builtin, options{})
	temp := point{"fsync", "bitbucket/home/shared/.bitgate-*", 1}
	for _, errno := range []syscall.Errno{unix.ENOSPC, unix.EIO} {
		s.refused(t, temp.String()+": "+errno.Error(), "bitbucket/home/shared/bitbucket.properties", s.failing(t, temp, errno))
	}
}

// failing lets one call of an apply fail.
func (s *site) failing(t *testing.T, p point, errno syscall.Errno) outcome {
	t.Helper()
	hit := false
	tr := &tracer{Below: s.Dir, Enter: func(now point) deed {
		if now != p {
			return deed{}
		}
		hit = true
		return deed{Fail: errno}
	}}
	o, err := tr.run(s.machine, s.job("apply"))
	must(t, err)
	s.settled()
	if !hit {
		t.Errorf("%s was not reached: %s", p, o)
	}
	return o
}

// Every writing call fails once, each with another error: whatever comes of it,
// the machine is wholly old or wholly new, at once or after recover, and says so
// with its exit code.
func TestEveryWritingCallFails(t *testing.T) {
	needRoot(t)
	t.Parallel()
	if !long {
		t.Skip("the long form only: BITGATE_TORTURE=1")
	}
	if !canFail {
		t.Skip("NOT TESTED: failing a call needs this processor's registers, which only amd64 has here")
	}
	errnos := []syscall.Errno{unix.ENOSPC, unix.EIO, unix.EROFS, unix.EDQUOT, unix.EACCES, unix.EPERM, unix.EXDEV, unix.EBUSY, unix.EINTR, unix.EMFILE}
	for _, front := range fronts() {
		for _, version := range []string{propertiesGeneration, xmlGeneration} {
			t.Run(version+" "+front, func(t *testing.T) {
				t.Parallel()
				k := kind{version: version, front: front, command: "apply"}
				s := newSite(t, version, front, options{})
				for i, p := range k.points(t, s) {
					s.survives(t, p, errnos[i%len(errnos)])
				}
			})
		}
	}
}

// survives judges a run in which one call failed.
func (s *site) survives(t *testing.T, p point, errno syscall.Errno) {
	t.Helper()
	o := s.failing(t, p, errno)
	faults := s.damaged(t)
	want := map[int]string{0: "new", 1: "old", 6: "old"}[o.Code]
	if o.Code == 7 || len(s.open(t)) > 0 {
		want = "old"
		if o.Code != 7 {
			faults = append(faults, "a run is open, and the exit code does not say so")
		}
		if again := s.bitgate(t, s.back("recover")...); again.Code != 0 {
			faults = append(faults, "recover: "+again.String())
		}
		s.settled()
	} else if want == "" {
		faults = append(faults, "unexpected exit code")
	}
	is, more := s.judge(t, want)
	if faults = append(faults, more...); len(faults) > 0 {
		t.Errorf("%s fails with %s:\n%s\n%s", p, unix.ErrnoName(errno), strings.Join(faults, "\n"), o)
	}
	if is == "" {
		t.FailNow() // nothing can be learned on a machine in a mixed state
	}
	s.reset(t, is)
}
