package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
)

// Applier carries plans out. What happens is described by the plan alone; the
// fields say only who listens, who answers questions, and with what rights.
type Applier struct {
	StateDir string
	// Login gives an administrator's session under the upstream base; nil
	// where no credentials were given.
	Login  func(ctx context.Context, base string) (*bitbucket.Session, error)
	Serve  func(ctx context.Context, config string) error // starts the built-in front beside this run; nil: by hand
	Ask    Ask                                            // nil without a terminal
	Notify func(Event)                                    // may be nil
	Now    func() time.Time                               // nil: time.Now
	Files  atomicfile.Writer                              // its Fault is for tests
	Poll   time.Duration                                  // between two looks at /status; 0: 500 ms
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

func (a *Applier) tell(e Event) {
	if a.Notify != nil {
		e.At = a.now()
		a.Notify(e)
	}
}

// Apply carries out p: journal and backups first, then the changes in order,
// then a look through the front; only then the run stands. The kinds of its
// errors: Failed (nothing was changed), TakenBack, Incomplete, Credentials,
// Verify (kept on request although the front does not answer).
func (a *Applier) Apply(ctx context.Context, p Plan) (Result, error) {
	if p.Format != PlanFormat {
		return Result{}, problem.New(fmt.Sprintf("plan format %d is not known to this version of bitgate", p.Format), "", "make a new plan")
	}
	if p.Empty() {
		return Result{State: RunNothing, Pending: p.Pending}, nil
	}
	l, err := takeLock(a.StateDir, a.now())
	if err != nil {
		return Result{}, err
	}
	defer l.release()
	if err := errors.Join(refuseOpen(a.StateDir), stale(p), a.ready(ctx, p)); err != nil {
		return Result{}, err
	}
	r, err := newRun(a.StateDir, p, a.now)
	if err != nil {
		return Result{}, err
	}
	defer r.close()
	a.tell(Event{Kind: EventBegin, Step: "journal", Title: "backup and journal", Change: -1, Text: r.ID})
	return a.forward(ctx, r)
}

// ready refuses what could not be carried out, before the first change.
func (a *Applier) ready(ctx context.Context, p Plan) error {
	for _, ref := range p.Ordered() {
		c := p.At(ref)
		switch {
		case c.BaseURL != nil && c.BaseURL.Method != Manual && a.Login == nil:
			return problem.New("the base URL needs an administrator's login", "it is changed through Bitbucket itself",
				"give --admin-user and --admin-password-file, or --base-url-method manual").WithKind(problem.Usage)
		case c.BaseURL != nil && c.BaseURL.Method == Manual && a.Ask == nil:
			return problem.New("--base-url-method manual needs a terminal", "somebody must say when the page was saved",
				"use --base-url-method skip and set it afterwards").WithKind(problem.Usage)
		case c.Service != nil && c.Service.Target == "bitbucket" && c.Service.Control.How == Manual && a.Ask == nil:
			return problem.New("--restart manual needs a terminal", "somebody must say when Bitbucket was restarted",
				"use --restart never and restart it afterwards").WithKind(problem.Usage)
		}
	}
	if p.hasBaseURL() && a.Login != nil && p.Run.BaseURLMethod != Manual {
		// A refused login must stop the run while nothing has been changed.
		if _, err := a.Login(ctx, p.Run.UpstreamBefore); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (p Plan) hasBaseURL() bool {
	for _, r := range p.Ordered() {
		if p.At(r).BaseURL != nil {
			return true
		}
	}
	return false
}

// forward does what is not done yet and commits.
func (a *Applier) forward(ctx context.Context, r *run) (Result, error) {
	before := r.progress()
	for i, ref := range r.Plan.Ordered() {
		if before[i].done {
			continue
		}
		if err := a.change(ctx, r, i, ref); err != nil {
			return a.failed(ctx, r, err)
		}
	}
	for {
		err := a.lookThroughFront(ctx, r.Plan)
		if err == nil {
			break
		}
		switch a.decide(ctx, "the front does not answer as it should", err) {
		case DecideRetry:
			continue
		case DecideKeep:
			res, cerr := a.commit(r)
			return res, errors.Join(cerr, problem.Wrap(err, "the changes were kept although the front does not answer", "", "bitgate undo "+r.ID+" takes them back").WithKind(problem.Verify))
		}
		if r.Plan.Run.OnFailure == FailKeep && a.Ask == nil && ctx.Err() == nil {
			res, cerr := a.commit(r)
			return res, errors.Join(cerr, problem.Wrap(err, "the changes were kept (--on-failure keep) although the front does not answer", "", "bitgate undo "+r.ID+" takes them back").WithKind(problem.Verify))
		}
		return a.failed(ctx, r, err)
	}
	return a.commit(r)
}

// decide asks a person; without one the answer is to take everything back.
func (a *Applier) decide(ctx context.Context, question string, err error) Decision {
	if a.Ask == nil || ctx.Err() != nil {
		return DecideBack
	}
	return a.Ask(question, err.Error(), []Decision{DecideRetry, DecideBack, DecideKeep})
}

func (a *Applier) commit(r *run) (Result, error) {
	if err := r.write(record{Kind: recCommit, Change: -1}); err != nil {
		return Result{Run: r.ID, State: RunOpen}, err
	}
	a.tell(Event{Kind: EventCommitted, Change: -1, Text: r.ID})
	if err := prune(a.StateDir); err != nil {
		a.tell(Event{Kind: EventLog, Change: -1, Text: "old runs could not be removed: " + err.Error()})
	}
	return Result{Run: r.ID, State: RunCommitted, Changes: len(r.Plan.Ordered()), Pending: r.pending(a),
		Backups: filepath.Join(r.Dir, "backups"), Notes: r.Plan.Notes}, nil
}

// pending adds what apply itself left to a person.
func (r *run) pending(a *Applier) []string {
	out := append([]string{}, r.Plan.Pending...)
	for _, ref := range r.Plan.Ordered() {
		c := r.Plan.At(ref)
		if c.Service != nil && c.Service.Target == "proxy" && c.Service.Control.How == Manual && a.Serve == nil {
			out = append(out, "start the front: bitgate proxy --config "+r.Plan.Answers.ProxyConfig)
		}
	}
	return out
}

// failed takes everything back and says so.
func (a *Applier) failed(ctx context.Context, r *run, cause error) (Result, error) {
	a.tell(Event{Kind: EventFailed, Change: -1, Text: cause.Error()})
	// The way back must not be cut short by the Ctrl-C that caused it.
	left := a.takeBack(context.WithoutCancel(ctx), r, false)
	res := Result{Run: r.ID, Changes: 0, Backups: filepath.Join(r.Dir, "backups")}
	if len(left) == 0 {
		res.State = RunTakenBack
		if err := r.write(record{Kind: recClosed, Change: -1, State: RunTakenBack}); err != nil {
			return res, err
		}
		kind := problem.TakenBack
		if problem.KindOf(cause) == problem.Credentials {
			kind = problem.Credentials
		}
		return res, problem.Wrap(cause, "the run was taken back, everything is as before", "", "").WithKind(kind)
	}
	res.State, res.Pending = RunIncomplete, left
	return res, a.incomplete(r, cause, left)
}

// incomplete journals what could not be taken back and names the way on.
func (a *Applier) incomplete(r *run, cause error, left []string) error {
	text := ""
	for _, l := range left {
		text += "\n  - " + l
	}
	err := r.write(record{Kind: recIncomplete, Change: -1, Text: text})
	return errors.Join(problem.Wrap(cause, "run "+r.ID+" could not be taken back completely; left to do:"+text+"\n", "until then old and new settings are mixed",
		"when the reason is gone: bitgate recover").WithKind(problem.Incomplete), err)
}

// change journals and does one change.
func (a *Applier) change(ctx context.Context, r *run, i int, ref Ref) error {
	if err := ctx.Err(); err != nil {
		return problem.Wrap(err, "interrupted", "", "")
	}
	c := r.Plan.At(ref)
	step := r.Plan.Steps[ref.Step]
	a.tell(Event{Kind: EventStart, Step: step.ID, Title: c.What, Change: i})
	err := a.act(ctx, r, i, c)
	if err == nil {
		err = r.write(record{Kind: recDone, Change: i})
	}
	if err != nil {
		a.tell(Event{Kind: EventFailed, Step: step.ID, Title: c.What, Change: i, Text: err.Error()})
		return err
	}
	a.tell(Event{Kind: EventDone, Step: step.ID, Title: c.What, Change: i})
	return nil
}

// act does one change. The journal line comes before the deed.
func (a *Applier) act(ctx context.Context, r *run, i int, c Change) error {
	if c.BaseURL != nil {
		return a.changeBaseURL(ctx, r, i, c.BaseURL)
	}
	if err := r.write(record{Kind: recDoing, Change: i}); err != nil {
		return err
	}
	switch {
	case c.File != nil:
		return a.editFile(ctx, r.Plan, c.File)
	case c.Certificate != nil:
		return a.writeBundle(c.Certificate)
	case c.Service != nil:
		return a.service(ctx, r.Plan, i, c.Service)
	}
	return fmt.Errorf("change %d is empty", i)
}

// digestOf is the digest of a file now, Absent when it is not there, and the
// error text when it cannot be read (which equals no digest).
func digestOf(path string) string {
	f, err := atomicfile.Read(path)
	if err != nil {
		return err.Error()
	}
	return f.DigestOrAbsent()
}

// makeDirs makes the folder a new file needs.
func makeDirs(path string) error { return os.MkdirAll(filepath.Dir(path), 0o755) }
