package apply

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// rollback takes one run back.
type rollback struct {
	a        *Applier
	r        *journal.Run
	p        []journal.Progress
	force    bool          // over foreign edits
	patience time.Duration // how long to wait for a Bitbucket that is busy
	absent   int           // how many looks must find nobody before it counts as down
	blind    bool          // the journal could not be told of the way back
	again    bool          // what fails now is tried once more
}

func (a *Applier) rollback(r *journal.Run, force bool) *rollback {
	return &rollback{a: a, r: r, p: r.Progress(), force: force, patience: r.Plan.Run.RestartTimeout}
}

// settle takes the run back and journals how that ended. left, where it is not
// nil, says what a person or a later recover has to do.
func (t *rollback) settle(ctx context.Context, end setup.RunState) (res setup.Result, left []string) {
	res = setup.Result{Run: t.r.ID, State: end, Changes: len(t.r.Plan.Ordered()), Backups: t.r.Backups()}
	if end == setup.RunTakenBack {
		res.Changes = 0
	}
	left = t.takeBack(ctx)
	if left == nil {
		res.Notes = t.stays()
		err := t.r.Write(journal.Record{Kind: journal.Closed, Change: -1, State: end})
		if err == nil {
			if err := t.r.ForgetMade(); err != nil {
				t.a.tell(setup.Event{Kind: setup.EventLog, Change: -1, Text: err.Error()})
			}
			return res, nil
		}
		left = []string{asBefore(res) + ", but the journal could not be closed: " + describeError(err)}
	}
	if err := t.r.Write(journal.Record{Kind: journal.Incomplete, Change: -1, Text: strings.Join(left, "\n") + "\n"}); err != nil {
		t.a.tell(setup.Event{Kind: setup.EventLog, Change: -1, Text: err.Error()}) // the journal is open without this line too
	}
	res.State, res.Pending = setup.RunIncomplete, left
	return res, left
}

// stays are the files that were not put back, with the reason.
func (t *rollback) stays() (out []problem.Finding) {
	for i, c := range t.r.Plan.Changes() {
		path, _, _ := c.Writes()
		why, err := t.r.Stays(path)
		if err != nil {
			why = err.Error()
		}
		f := problem.Finding{ID: "stays", Level: problem.Note, Found: path + " was left as it is: " + why}
		if why != "" && t.p[i].Begun && !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

// asBefore says how a run that was taken back left the machine.
func asBefore(res setup.Result) string {
	var not []string
	for _, f := range res.Notes {
		not = append(not, f.Found)
	}
	if not == nil {
		return "everything is as before"
	}
	return "everything else is as before, but " + strings.Join(not, "; ")
}

// errNotYet marks a base URL that has to wait for the files.
var errNotYet = errors.New("not yet")

// takeBack reverses what was done, in the order that keeps Bitbucket reachable:
// the base URL while Bitbucket answers, its files, its restart, the base URL if
// it could not be done before, the front last; before Bitbucket, where it has a port
// that Bitbucket's own TLS gave up for it. It returns what is left to do.
func (t *rollback) takeBack(ctx context.Context) (left []string) {
	isURL := func(c setup.Change) bool { return c.BaseURL != nil }
	// Without a journal the files go first: they show later which way it went.
	url := errNotYet
	if !t.blind {
		t.again = true
		url = t.each(ctx, isURL, t.baseURL)
		t.again = false
	}
	upstream := t.each(ctx, func(c setup.Change) bool { return c.Phase == setup.PhaseUpstreamFiles }, t.file)
	var front error
	frontFirst := t.r.Plan.Run.GivesUp != ""
	if frontFirst {
		if front = t.front(ctx); front == nil {
			front = t.a.portsReleased(ctx, t.r.Plan)
		}
	}
	if upstream == nil && front == nil {
		t.noticeRestart(ctx)
		upstream = t.each(ctx, setup.Change.RestartsBitbucket, t.restart)
	}
	// A refused password is not tried a second time: Bitbucket counts.
	if url != nil && upstream == nil && problem.KindOf(url) != problem.Credentials {
		t.a.waitSettled(ctx, -1, t.r.Plan.Back(), t.patience, 0)
		url = t.each(ctx, isURL, t.baseURL)
	}
	if errors.Is(url, errNotYet) {
		url = nil // what stopped the files is named, and recover does the rest
	}
	if !frontFirst {
		front = t.front(ctx)
	}
	for _, err := range []error{url, upstream, front} {
		if err != nil {
			left = append(left, describeError(err))
		}
	}
	return left
}

// describeError is what is left of err to do, in one paragraph.
func describeError(err error) string {
	text := err.Error()
	if do := problem.Explain(err).Do; len(do) > 0 {
		text += " (" + strings.Join(do, "; ") + ")"
	}
	return text
}

// each takes back the picked changes that were begun, the last first. A line
// that cannot be journalled stops nothing: doing it a second time is harmless.
func (t *rollback) each(ctx context.Context, pick func(setup.Change) bool, back func(context.Context, int, setup.Change) error) error {
	for i, ref := range slices.Backward(t.r.Plan.Ordered()) {
		c := t.r.Plan.At(ref)
		if !pick(c) || !t.p[i].Begun || t.p[i].Undone {
			continue
		}
		step := t.r.Plan.Steps[ref.Step].ID
		t.a.tell(setup.Event{Kind: setup.EventUndoStart, Step: step, Title: c.Text(), Change: i})
		if err := back(ctx, i, c); err != nil {
			kind := setup.EventFailed
			if t.again && problem.KindOf(err) != problem.Credentials {
				kind = setup.EventLater
			}
			t.a.tell(setup.Event{Kind: kind, Step: step, Title: c.Text(), Change: i, Text: err.Error()})
			return err
		}
		t.p[i].Undone = true
		if err := t.r.Write(journal.Record{Kind: journal.Undone, Change: i}); err != nil {
			t.a.tell(setup.Event{Kind: setup.EventLog, Step: step, Change: i, Text: err.Error()})
		}
		t.a.tell(setup.Event{Kind: setup.EventUndone, Step: step, Title: c.Text(), Change: i})
	}
	return nil
}

func (t *rollback) baseURL(ctx context.Context, i int, c setup.Change) error {
	if !setsURLBack(c, t.p[i]) {
		return nil
	}
	if err := t.a.restoreBaseURL(ctx, t.r, t.p[i], c.BaseURL, t.force); err != nil {
		return problem.Wrap(err, setURLsBack(c, t.p[i])+" on "+t.r.Plan.Run.UpstreamBefore+"/admin/server-settings", "", "bitgate recover").WithKind(problem.KindOf(err))
	}
	return nil
}

// file puts the whole file back as it was before the run.
func (t *rollback) file(_ context.Context, _ int, c setup.Change) error {
	path, _, _ := c.Writes()
	return t.r.Restore(path, t.force)
}

// front stops a front of our own before its files go, and reloads a foreign
// one after its file is back. The program that its unit starts is back before that;
// one that was not there goes last, for until then it may be what settles the run.
func (t *rollback) front(ctx context.Context) error {
	if err := t.renewal(ctx); err != nil {
		return err
	}
	isService := func(c setup.Change) bool { return c.Service != nil && c.Service.OfFront() } // one that made way for Bitbucket's TLS, too
	own := func(c setup.Change) bool { return isService(c) && startsProxy(t.r, c.Service) }
	if err := t.each(ctx, own, t.stopFront); err != nil {
		return err
	}
	if err := t.each(ctx, setup.Change.OfFrontFile, t.file); err != nil {
		return err
	}
	if err := t.forgetUnits(ctx); err != nil {
		return err
	}
	t.noticeReload()
	if err := t.programs(ctx, true); err != nil {
		return err
	}
	if err := t.services(ctx, isService); err != nil {
		return err
	}
	return t.programs(ctx, false)
}

// services has the picked services of the front work with the files that are back.
func (t *rollback) services(ctx context.Context, isService func(setup.Change) bool) error {
	return t.each(ctx, isService, func(ctx context.Context, i int, c setup.Change) error {
		if c.Service.Control.How == service.Manual {
			return nil
		}
		if c.Service.Target == "haproxy" {
			back := *c.Service
			if t.r.Plan.Kind != setup.KindCertificate || !bundleThere(back.Swap) {
				back.Swap = "" // a reload reads every file that is back
			}
			if back.Verb == service.Stop {
				back.Verb = service.Start
			}
			return t.a.reloadHAProxy(ctx, t.r.Plan, i, &back, servedBefore(t.r.Plan))
		}
		return t.a.driveProxy(ctx, i, c.Service)
	})
}

// renewal has renewals ordered as before, and stops the timer that the run has started, or starts the one of before.
func (t *rollback) renewal(ctx context.Context) error {
	if err := t.each(ctx, setup.Change.Reorders, func(context.Context, int, setup.Change) error { return nil }); err != nil { // that the run does not stand is the deed
		return err
	}
	isTimer := func(c setup.Change) bool { return c.Service != nil && c.Service.Target == "renewal" }
	isFile := func(c setup.Change) bool { return c.Phase == setup.PhaseRenewal && c.Service == nil }
	created := t.r.Created(setup.RenewTimer)
	if created {
		if err := t.each(ctx, isTimer, func(ctx context.Context, i int, c setup.Change) error {
			return service.Do(ctx, c.Service.Control, service.Stop, t.a.log(i))
		}); err != nil {
			return err
		}
	}
	if err := t.each(ctx, isFile, t.file); err != nil || created {
		return err
	}
	return t.each(ctx, isTimer, func(ctx context.Context, i int, c setup.Change) error {
		return service.Do(ctx, c.Service.Control, service.Start, t.a.log(i))
	})
}

// forgetUnits has systemd forget the units whose files are gone.
func (t *rollback) forgetUnits(ctx context.Context) error {
	for i, c := range t.r.Plan.Changes() {
		s := c.Service
		if s == nil || !t.p[i].Begun || s.Control.How != service.Systemd {
			continue
		}
		if s.Target == "renewal" && t.r.Created(setup.RenewTimer) || s.Target == "proxy" && t.r.FrontCreated() {
			return service.ReadUnits(ctx, t.a.log(-1))
		}
	}
	return nil
}

// noticeReload: a front whose file was swapped may have read it although the
// journal knows of no reload, because the machine was started in between.
func (t *rollback) noticeReload() {
	swapped := false
	for i, c := range t.r.Plan.Changes() {
		swapped = swapped || c.OfFrontFile() && c.File != nil && t.p[i].Begun || c.File != nil && slices.Contains(t.r.Plan.Run.HAProxyFiles, c.File.Path) && t.p[i].Begun
		if swapped && c.Service != nil && c.Service.Target == "haproxy" {
			t.p[i].Begun = true
		}
	}
}

// startsProxy: before this run there was no built-in proxy, or it was not started.
func startsProxy(r *journal.Run, s *setup.ServiceChange) bool {
	return s.Target == "proxy" && (r.FrontCreated() || s.Verb == service.Start)
}

func (t *rollback) stopFront(ctx context.Context, i int, c setup.Change) error {
	if c.Service.Control.How != service.Systemd {
		return nil // started in the foreground: it ends with the command that started it
	}
	return service.Do(ctx, c.Service.Control, service.Stop, t.a.log(i))
}

// noticeRestart: Bitbucket was restarted by somebody else (or with the whole
// machine) after its files were changed and before this run did it. It works
// with the new files then, and must be restarted with the old ones. After a start of
// the machine it may not listen yet; while it does not answer, the restart finds out.
func (t *rollback) noticeRestart(ctx context.Context) {
	files := false
	for i, c := range t.r.Plan.Changes() {
		m := t.r.Plan.ContextChangeOf(c.Service, t.r.Plan.Back())
		files = files || c.Phase == setup.PhaseUpstreamFiles && t.p[i].Begun
		if !files || !c.RestartsBitbucket() || t.p[i].Begun {
			continue
		}
		rebooted := t.r.Rebooted()
		base, state, _ := t.a.look(ctx, m)
		if rebooted && base == "" {
			base, state = t.a.waitSettled(ctx, i, m, t.patience, t.absent)
		}
		silent := state == bitbucket.Silent
		t.p[i].Begun = m.From != m.To && (base == m.From || silent) || rebooted && (base != "" || silent)
	}
}

// restart brings Bitbucket back to its old files, unless it shows by its
// address that it works with them already.
func (t *rollback) restart(ctx context.Context, i int, c setup.Change) error {
	m := t.r.Plan.ContextChangeOf(c.Service, t.r.Plan.Back())
	for {
		base, state := t.a.waitSettled(ctx, i, m, t.patience, t.absent)
		starting, why, question := state == bitbucket.Starting || state == bitbucket.Stopping, errStillStarting, "Bitbucket is still starting"
		if state == bitbucket.Silent {
			starting, why, question = true, errSilent, "Bitbucket does not answer in time"
		}
		switch {
		case m.From != m.To && base == m.To && !starting && state != bitbucket.StateError:
			return nil
		case state == bitbucket.Maintenance:
			return problem.New("Bitbucket says MAINTENANCE and must be restarted with its old files", "a restart now would interrupt a backup or a migration", "bitgate recover when it says RUNNING")
		case !starting:
			return t.a.restartAndWait(ctx, i, c.Service, m, t.r.Plan.Run.RestartTimeout)
		case t.a.Ask == nil || ctx.Err() != nil:
			return problem.Wrap(why, "Bitbucket must be restarted with its old files, which are in place", "a restart now could interrupt a migration of its database", "wait or restart it yourself, then bitgate recover")
		}
		if t.a.Ask(question+". Restart it all the same?", "It must be restarted with its old files. That could interrupt a migration of its database. Retry waits longer.",
			[]setup.Decision{setup.DecideRetry, setup.DecideBack}) == setup.DecideBack {
			return t.a.restartAndWait(ctx, i, c.Service, m, t.r.Plan.Run.RestartTimeout)
		}
		t.patience = t.r.Plan.Run.RestartTimeout
	}
}
