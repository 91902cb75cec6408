package renew

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"bitgate/certs"
	"bitgate/certs/acme"
	"bitgate/certs/renewal"
	"bitgate/certs/store"
	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/apply"
	"bitgate/setup/journal"
)

// Renewer renews and deploys.
type Renewer struct {
	Applier *apply.Applier // carries the certificate-only runs out; its StateDir is ours
	Order   func(store.Order) Authority
	Log     func(string)     // what happens, for people; may be nil
	Now     func() time.Time // nil: time.Now
}

// Authority issues certificates for one order.
type Authority interface {
	// RenewalInfo says when leaf should be renewed; acme.ErrNoRenewalInfo where the
	// authority does not.
	RenewalInfo(ctx context.Context, leaf *x509.Certificate, known *store.Renewal) (store.Renewal, error)
	// Obtain orders a certificate in the place of replaces (nil for none), and returns
	// leaf, chain and key in PEM.
	Obtain(ctx context.Context, replaces *x509.Certificate) ([]byte, error)
}

// Options of Renew.
type Options struct {
	DryRun bool // decide and look, change nothing, order nothing
	Force  bool // renew although nothing is due, and whatever failed before
}

// Outcome is what Renew or Deploy came to.
type Outcome struct {
	Host     string           `json:"host,omitempty"`
	Decision renewal.Decision `json:"decision,omitzero"` // of an order of ours
	Plan     setup.Plan       `json:"-"`                 // of the certificate-only run, empty where nothing was to do
	Result   setup.Result     `json:"result"`
	Said     string           `json:"said"` // one line for people
}

func (r *Renewer) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

func (r *Renewer) tell(format string, args ...any) {
	if r.Log != nil {
		r.Log(fmt.Sprintf(format, args...))
	}
}

func (r *Renewer) store() store.Store {
	return store.Store{StateDir: r.Applier.StateDir, Writer: r.Applier.Files}
}

// Renew is what the timer runs. The kind of its error says how bad it is: Verify
// where the certificate has little life left, Failed where it lasts, Locked where
// somebody else is at work.
func (r *Renewer) Renew(ctx context.Context, o Options) (Outcome, error) {
	return r.attempt(ctx, o, true)
}

// patience is how long Deploy waits for another bitgate, which may be restarting
// Bitbucket.
const patience = 20 * time.Minute

// Deploy installs what the sources hold now, without asking whether it is time: it is
// for the hooks of programs that have just renewed them. No timer may come after such a
// hook, so it waits where another bitgate is at work.
func (r *Renewer) Deploy(ctx context.Context, o Options) (Outcome, error) {
	waits, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for told := false; ; told = true {
		out, err := r.attempt(ctx, o, false)
		if problem.KindOf(err) != problem.Locked {
			return out, err
		}
		if !told {
			r.tell("%v; this waits for it", err)
		}
		select {
		case <-waits.Done():
			return out, err
		case <-time.After(time.Second):
		}
	}
}

// attempt does what both have in common; renews is Renew's part.
func (r *Renewer) attempt(ctx context.Context, o Options, renews bool) (Outcome, error) {
	if err := r.settle(ctx, o); err != nil {
		return Outcome{}, r.unsettled(ctx, o, err)
	}
	d, found, err := journal.LastDeployment(r.Applier.StateDir)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Host: d.URL.Host(), Result: setup.Result{State: setup.RunNothing}}
	if !found {
		out.Said = "no run here has set up a front: there is no certificate to renew"
		return out, nil
	}
	st, err := r.store().State(out.Host)
	if err != nil {
		return out, r.graded(d, err)
	}
	before := st
	if next := failures(st).Next(r.life(d), r.now()); renews && !o.Force && r.now().Before(next) {
		out.Decision = renewal.Decision{Act: renewal.Wait, At: next, Why: "the last attempt failed: " + st.LastError}
		out.Said = out.Host + ": not before " + clock(next) + ", because the last attempt failed: " + st.LastError
		return out, nil
	}
	if renews && d.Order != nil {
		out.Decision, err = r.order(ctx, d, &st, o)
	}
	if err == nil { // also where nothing is due: what was ordered before may not be served yet
		err = r.deploy(ctx, d, o, &out)
	}
	if passing(ctx, o, err) {
		return out, err
	}
	return out, r.remember(before, st, d, out, err, renews || !r.owes(d, st))
}

// owes reports whether failures that are kept may be those of an order, which a Deploy
// does not make: it mends none of them.
func (r *Renewer) owes(d setup.Deployment, st store.State) bool {
	if d.Order == nil {
		return false
	}
	leaf, err := r.issued(d, Options{})
	return err != nil || r.now().Before(st.NextTry) || r.decide(leaf, store.State{Renewal: st.Renewal}, Options{}).Act == renewal.Renew
}

// passing: an interruption, as when the machine goes down, is no failure that the next
// look would have to wait for.
func passing(ctx context.Context, o Options, err error) bool {
	return o.DryRun || problem.KindOf(err) == problem.Locked || ctx.Err() != nil
}

// unsettled keeps and grades why an attempt could not begin. It is made again at every
// look, and counts as seldom as any other.
func (r *Renewer) unsettled(ctx context.Context, o Options, err error) error {
	d, found, derr := journal.LastDeployment(r.Applier.StateDir)
	if derr != nil || !found || passing(ctx, o, err) {
		return err
	}
	st, serr := r.store().State(d.URL.Host())
	if serr != nil || r.now().Before(failures(st).Next(r.life(d), r.now())) {
		return r.graded(d, err)
	}
	return r.remember(st, st, d, Outcome{}, err, true)
}

// settle takes back a certificate-only run whose process has ended. Any other open
// run is a person's to settle.
func (r *Renewer) settle(ctx context.Context, o Options) error {
	id, err := journal.Unfinished(r.Applier.StateDir)
	if err == nil && id == "" && !o.DryRun && journal.Leftovers(r.Applier.StateDir) {
		_, err = r.Applier.Recover(ctx, false) // there may be an old key in it
	}
	if err != nil || id == "" {
		return err
	}
	run, err := journal.Look(r.Applier.StateDir, id)
	if err != nil {
		return err
	}
	if !run.CertificateOnly() || run.State() == setup.RunIncomplete && o.DryRun {
		return journal.RefuseOpen(r.Applier.StateDir)
	}
	if o.DryRun {
		return nil
	}
	r.tell("run %s was cut off; it is taken back first", id)
	_, err = r.Applier.Recover(ctx, false)
	return err
}

// remember keeps what the next attempt and the status need. Where nothing happened
// nothing is written. whole: the attempt did all that failed before.
func (r *Renewer) remember(before, st store.State, d setup.Deployment, out Outcome, err error, whole bool) error {
	now := r.now().UTC()
	switch {
	case err != nil:
		st.Failures++
		st.LastTry, st.LastError = now, err.Error()
		if again := acme.RetryAfter(err).UTC(); again.Year() > 1 {
			st.NextTry = again
		} else if whole {
			st.NextTry = time.Time{}
		}
	case !whole && out.Result.State == setup.RunCommitted:
		st.LastGood = now
	case whole && (out.Result.State == setup.RunCommitted || before.Failures > 0):
		st.Failures, st.LastError, st.NextTry = 0, "", time.Time{}
		st.LastTry, st.LastGood = now, now
	}
	if st != before {
		err = errors.Join(err, r.store().SaveState(st))
	}
	if perr := r.publish(d, st); perr != nil {
		r.tell("%v", perr)
	}
	return r.graded(d, err)
}

// publish has the built-in proxy know of the renewals, for its metrics: its user reads
// nothing of the state.
func (r *Renewer) publish(d setup.Deployment, st store.State) error {
	if d.Front != setup.FrontBuiltin || d.InPlace {
		return nil
	}
	text, err := renewal.Report{Host: st.Host, Failures: st.Failures, LastGood: st.LastGood}.Marshal()
	if err != nil {
		return err
	}
	path, w := renewal.ReportFile(d.Bundle), r.Applier.Files
	old, err := atomicfile.Read(path)
	if err != nil || bytes.Equal(old.Data, text) {
		return err
	}
	if l, err := journal.TakeLock(journal.Disk{Writer: w}, r.Applier.StateDir); err == nil { // else the temporary files there may be somebody's
		defer l.Release()
		if _, err := w.Sweep(path); err != nil {
			return err
		}
	}
	if old.Absent {
		return w.Create(path, text, 0o644, -1, -1)
	}
	return w.Replace(old, text)
}

// graded gives a failure the kind that says how urgent it is.
func (r *Renewer) graded(d setup.Deployment, err error) error {
	if err == nil || problem.KindOf(err) == problem.Incomplete {
		return err
	}
	kind, why := problem.Failed, "the certificate of before is served on"
	if m, lerr := certs.LoadBy(certs.OpenTrusted, certs.Paths{PEM: d.Bundle}); lerr == nil {
		life := m.Life()
		why = "the certificate of before is served on; it ends in " + renewal.In(life.Left(r.now()))
		if life.Left(r.now()) <= 0 {
			why = "the certificate that is served has ended"
		}
		if life.Urgent(r.now()) {
			kind = problem.Verify
		}
	}
	return problem.Wrap(err, "the certificate of "+d.URL.Host()+" was not renewed", why, "").WithKind(kind)
}

// life of the certificate in force, for the pauses between attempts; that of a long
// one where it cannot be read.
func (r *Renewer) life(d setup.Deployment) renewal.Life {
	m, err := certs.LoadBy(certs.OpenTrusted, certs.Paths{PEM: d.Bundle})
	if err != nil {
		return renewal.Life{From: r.now(), To: r.now().AddDate(0, 0, 90)}
	}
	return m.Life()
}

func failures(st store.State) renewal.Failures {
	return renewal.Failures{Count: st.Failures, Last: st.LastTry, NotUntil: st.NextTry}
}

func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04 MST") }
