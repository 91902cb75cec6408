package apply

import (
	"context"
	"fmt"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/setup"
	"bitgate/setup/check"
	"bitgate/setup/journal"
)

// Applier carries plans out. What happens is described by the plan alone; the
// fields say only who listens, who answers questions, and with what rights.
type Applier struct {
	StateDir string
	// Login gives an administrator's session under the upstream base; nil
	// where no credentials were given.
	Login func(ctx context.Context, base string) (*bitbucket.Session, error)
	// Unlock gives the passwords of certificate files that have one; see certs.Unlock.
	Unlock  func(locked error) ([][]byte, error)
	Serve   func(ctx context.Context, config string) error // starts the built-in front beside this run; nil: by hand
	Ask     setup.Ask                                      // nil without a terminal
	Notify  func(setup.Event)                              // may be nil
	Now     func() time.Time                               // nil: time.Now
	Files   atomicfile.Writer                              // its Fault is for tests
	Poll    time.Duration                                  // between two looks at /status; 0: 500 ms
	Version string                                         // of bitgate, which authorities are told
	SELinux string                                         // where selinuxfs is mounted; "": the usual place
	// Timeout bounds one talk with Bitbucket (a login and what it is for); 0
	// leaves it to the limits of single requests.
	Timeout time.Duration

	noticed    []problem.Finding // what a person is told and the run stands with
	left       []string          // what this run left to a person
	neighbours *check.Neighbours // nil until HAProxy is reloaded
}

func (a *Applier) now() time.Time {
	if a.Now == nil {
		return time.Now()
	}
	return a.Now()
}

func (a *Applier) poll() time.Duration {
	if a.Poll == 0 {
		return 500 * time.Millisecond
	}
	return a.Poll
}

func (a *Applier) tell(e setup.Event) {
	if a.Notify != nil {
		e.At = a.now()
		a.Notify(e)
	}
}

// notice keeps for the result what a person is told and the run stands with.
func (a *Applier) notice(f problem.Finding) {
	a.noticed = append(a.noticed, f)
	a.tell(setup.Event{Kind: setup.EventLog, Change: -1, Text: f.Found})
}

func (a *Applier) disk() journal.Disk { return journal.Disk{Writer: a.Files} }

// Apply carries out p: journal and backups first, then the changes in order,
// then a look through the front; only then the run stands. The kinds of its
// errors: Failed (nothing was changed), Cancelled (so before its journal began;
// from there on an interruption is TakenBack), TakenBack, Incomplete, Credentials,
// Verify (kept on request although the front does not answer). An empty plan
// writes nothing at all.
func (a *Applier) Apply(ctx context.Context, p setup.Plan) (setup.Result, error) {
	if p.Format != setup.PlanFormat {
		return setup.Result{}, problem.New(fmt.Sprintf("plan format %d is not known to this version of bitgate", p.Format), "", "make a new plan")
	}
	if p.Empty() {
		return setup.Result{State: setup.RunNothing, Pending: p.Pending}, nil
	}
	return a.alone(func() (setup.Result, error) {
		for _, check := range []func() error{
			func() error { return journal.RefuseOpen(a.StateDir) },
			func() error { return check.Stale(p) },
			func() error { return a.ready(ctx, p) },
		} {
			if err := check(); err != nil {
				if ctx.Err() != nil {
					err = problem.Wrap(err, "cancelled; nothing was changed", "", "").WithKind(problem.Cancelled)
				}
				return setup.Result{}, err
			}
		}
		p, err := a.withAccount(p)
		if err != nil {
			return setup.Result{}, err
		}
		p, made, err := a.prepare(p)
		if err != nil {
			return setup.Result{}, err
		}
		r, err := journal.Create(a.disk(), a.StateDir, p, made, a.now)
		if err != nil {
			return setup.Result{}, problem.Wrap(err, "the journal of the run cannot be made in "+a.StateDir, "without it a crash could not be taken back", "nothing was changed; check that folder's space and mount")
		}
		defer r.Close()
		a.tell(setup.Event{Kind: setup.EventBegin, Step: "journal", Title: "backup and journal", Change: -1, Text: r.ID})
		return a.forward(ctx, r, false)
	})
}

// ready refuses what could not be carried out, before the first change.
func (a *Applier) ready(ctx context.Context, p setup.Plan) error {
	if p.Answers.Front == setup.FrontHAProxy && p.Kind != setup.KindCertificate {
		if err := portsFree(p); err != nil {
			return err
		}
	}
	for _, c := range p.Changes() {
		if err := a.able(ctx, p, c); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// able looks whether one change can be done: a refused login, a backup or a
// migration under way must stop the run while nothing has been changed.
func (a *Applier) able(ctx context.Context, p setup.Plan, c setup.Change) error {
	switch {
	case c.BaseURL != nil && c.BaseURL.Method == setup.Manual && a.Ask == nil:
		return problem.New("--base-url-method manual needs a terminal", "somebody must say when the page was saved",
			"use --base-url-method skip and set it afterwards").WithKind(problem.Usage)
	case c.BaseURL != nil && c.BaseURL.Method == setup.Manual:
		return nil
	case c.BaseURL != nil && a.Login == nil:
		return problem.New("the base URL needs an administrator's login", "it is changed through Bitbucket itself",
			"give --admin-user and --admin-password-file, or --base-url-method manual").WithKind(problem.Usage)
	case c.BaseURL != nil:
		base, err := a.answering(ctx, p)
		if err != nil {
			return err
		}
		return a.signIn(ctx, base)
	case c.Obtain != nil:
		return a.orderable(ctx, c.Obtain)
	case c.Renewal != nil:
		return a.renewable(ctx, p, c.Renewal.Order)
	case c.RestartsBitbucket() && c.Service.Control.How == service.Manual && a.Ask == nil:
		return problem.New("--restart manual needs a terminal", "somebody must say when Bitbucket was restarted",
			"use --restart never and restart it afterwards").WithKind(problem.Usage)
	case c.RestartsBitbucket():
		_, state, detail := a.look(ctx, p.ContextChangeOf(c.Service, p.Ahead()))
		if state == bitbucket.Silent && c.Service.Node != "" {
			return nil // a node that is off: what becomes of it is decided before its restart
		}
		return refuseBusy(c.Service, state, detail)
	}
	return nil
}

// limited bounds one talk with Bitbucket.
func (a *Applier) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if a.Timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, a.Timeout)
}

// signIn sees that the login is taken.
func (a *Applier) signIn(ctx context.Context, base string) error {
	ctx, done := a.limited(ctx)
	defer done()
	_, err := a.Login(ctx, base)
	return err
}

// settings signs in and reads the server settings.
func (a *Applier) settings(ctx context.Context, base string) (*bitbucket.Session, bitbucket.Settings, error) {
	ctx, done := a.limited(ctx)
	defer done()
	s, err := a.Login(ctx, base)
	if err != nil {
		return nil, bitbucket.Settings{}, err
	}
	have, err := s.Settings(ctx)
	return s, have, err
}

// alone runs do while no other bitgate can change anything here.
func (a *Applier) alone(do func() (setup.Result, error)) (setup.Result, error) {
	l, err := journal.TakeLock(a.disk(), a.StateDir)
	if err != nil {
		return setup.Result{}, err
	}
	defer l.Release()
	l.Sign(a.disk(), a.now())
	return do()
}

// removeTemporaries deletes what a killed run may have left beside its files.
// What cannot be deleted harms nobody.
func (a *Applier) removeTemporaries(r *journal.Run) {
	for _, f := range r.Files {
		if _, err := a.Files.Sweep(f.Path); err != nil {
			a.tell(setup.Event{Kind: setup.EventLog, Change: -1, Text: err.Error()})
		}
	}
}
