package renew

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"bitgate/certs"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// lock puts the key under a password.
func (s *site) lock(password string) {
	s.t.Helper()
	c := exec.CommandContext(s.t.Context(), "openssl", "pkcs8", "-topk8", "-in", s.key(), "-out", s.path("tls/locked"), "-passout", "stdin")
	c.Stdin = strings.NewReader(password + "\n")
	if out, err := c.CombinedOutput(); err != nil {
		s.t.Fatalf("%v\n%s", err, out)
	}
	s.must(os.Rename(s.path("tls/locked"), s.key()))
}

// TestLockedSource: new files under a password are deployed with it; without it the old
// certificate stays, and it is said how the password can be given. As long as they
// have not changed since, nobody needs it.
func TestLockedSource(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup.FrontBuiltin, options{})
	with := func(password string) *Renewer {
		r := s.renewer()
		r.Applier.Unlock = func(locked error) ([][]byte, error) {
			if password == "" || certs.Refused(locked) {
				return nil, nil
			}
			return [][]byte{[]byte(password)}, nil
		}
		return r
	}
	s.issue(time.Now(), 90*day)
	s.lock("correct horse")
	before := s.shown()
	for _, do := range []func() (Outcome, error){
		func() (Outcome, error) { return with("").Renew(t.Context(), Options{Force: true}) },
		func() (Outcome, error) { return with("").Deploy(t.Context(), Options{}) },
	} {
		_, err := do()
		told := problem.Explain(err)
		if what := strings.Join(told.Do, "\n"); problem.KindOf(err) != problem.Failed || !strings.Contains(strings.Join(told.Found, " "), "not at hand") ||
			!strings.Contains(what, "--cert-password-file") || !strings.Contains(what, "LoadCredential=cert-password:") || !strings.Contains(strings.Join(told.Why, " "), "served on") {
			t.Errorf("%+v", told)
		}
		if s.shown() != before || s.held(s.bundle()) != before {
			t.Fatal("the certificate in force was changed")
		}
	}
	if _, err := with("wrong one").Deploy(t.Context(), Options{}); err == nil || strings.Contains(err.Error(), "wrong one") {
		t.Errorf("with a wrong password: %v", err)
	}
	if out, err := with("correct horse").Deploy(t.Context(), Options{}); err != nil || out.Result.State != setup.RunCommitted || s.shown() != s.held(s.cert()) {
		t.Fatalf("%+v, %v\n%s", out, err, s.log.String())
	}
	if out, err := with("").Renew(t.Context(), Options{}); err != nil || out.Result.State != setup.RunNothing {
		t.Errorf("unchanged: %+v, %v", out, err)
	}
	if st, _, err := s.renewer().Status(t.Context(), s.path("root")); err != nil || st.New != s.shown() {
		t.Errorf("%+v, %v", st, err)
	}
}
