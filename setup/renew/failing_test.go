package renew

import (
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"bitgate/certs/store"
	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// refusing issues nothing, and counts how often it is asked to.
type refusing struct {
	*issuer
	orders int
}

func (r *refusing) Obtain(ctx context.Context, _ *x509.Certificate) ([]byte, error) {
	r.orders++
	if _, bounded := ctx.Deadline(); !bounded {
		return nil, errors.New("an order without end")
	}
	return nil, problem.New("too many of these", "", "")
}

// TestDeployMendsNoOrder: a Deploy, as of a hook, that finds all current or installs what
// was issued before, makes no order: that orders fail stays known, and when the next one
// may be made. What failed of the deployment itself is mended by one.
func TestDeployMendsNoOrder(t *testing.T) {
	t.Parallel()
	s, by := issuing(t)
	s.must(by.renew(Options{}))
	s.moved.Store(int64(80 * day))
	r, none := s.renewer(), &refusing{issuer: by}
	r.Order = func(store.Order) Authority { return none }
	state := func() store.State {
		t.Helper()
		st, err := r.store().State(host)
		s.must(err)
		return st
	}
	if _, err := r.Renew(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Fatal(err)
	}
	st := state()
	st.NextTry = r.now().Add(3 * day).UTC()
	s.must(r.store().SaveState(st))
	for _, bundle := range []string{s.bundle(), s.cert()} { // current, and another one
		data, err := atomicfile.Read(bundle)
		s.must(err)
		s.write("front/bitgate-git.example.com.pem", data.Data)
		if _, err := r.Deploy(t.Context(), Options{Force: true}); err != nil {
			t.Fatal(err)
		}
		if got := state(); got.Failures != 1 || got.LastError != st.LastError || !got.NextTry.Equal(st.NextTry) {
			t.Errorf("after a Deploy: %+v", got)
		}
	}
	s.moved.Add(int64(time.Hour))
	if _, err := r.Renew(t.Context(), Options{}); err != nil || none.orders != 1 {
		t.Errorf("%d orders before the authority wants to be asked again: %v", none.orders, err)
	}
	s.must(by.renew(Options{Force: true}))
	if got := state(); got.Failures != 0 || !got.NextTry.IsZero() {
		t.Errorf("after a renewal: %+v", got)
	}
	s.moved.Store(0)
	st = state()
	st.Failures, st.LastError = 1, "the front did not start"
	s.must(r.store().SaveState(st))
	if _, err := r.Deploy(t.Context(), Options{}); err != nil || state().Failures != 0 {
		t.Errorf("what a Deploy mends is kept as a failure: %+v, %v", state(), err)
	}
}

// TestPublishedMeanwhile: whoever tells the front of a renewal, without the lock, leaves
// what is under way there.
func TestPublishedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup.FrontBuiltin, options{skip: true})
	s.issue(time.Now(), 90*day)
	other, told := s.renewer(), 0
	s.files = atomicfile.Writer{Fault: func(op atomicfile.Op, path string) error {
		if op == atomicfile.OpCompare && path == s.bundle() {
			told++
			if err := other.publish(s.d, store.State{Host: host, Failures: told}); err != nil {
				t.Error(err)
			}
		}
		return nil
	}}
	out, err := s.renewer().Deploy(t.Context(), Options{})
	if err != nil || out.Result.State != setup.RunCommitted || told == 0 || s.held(s.bundle()) != s.held(s.cert()) {
		t.Errorf("%+v, %v, told %d times", out, err, told)
	}
}
