package setup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/internal/service"
)

// Undo takes a committed run back ("" = the last that stands). It refuses over
// edits made since, unless force is given, and then they are lost but kept in
// the run's folder.
func (a *Applier) Undo(ctx context.Context, id string, force bool) (Result, error) {
	l, err := takeLock(a.StateDir, a.now())
	if err != nil {
		return Result{}, err
	}
	defer l.release()
	if err := refuseOpen(a.StateDir); err != nil {
		return Result{}, err
	}
	if id == "" {
		if id, err = lastCommitted(a.StateDir); err != nil {
			return Result{}, err
		}
	}
	r, err := loadRun(a.StateDir, id, a.now)
	if err != nil {
		return Result{}, err
	}
	if s := r.state(); s != RunCommitted {
		return Result{Run: id, State: s}, problem.New("run "+id+" is "+string(s)+" already", "", "see bitgate history")
	}
	if err := r.foreignEdits(); err != nil && !force {
		return Result{Run: id, State: RunCommitted}, err
	}
	if err := r.openJournal(); err != nil {
		return Result{}, err
	}
	defer r.close()
	if err := r.write(record{Kind: recUndoBegin, Change: -1, Forced: force}); err != nil {
		return Result{}, err
	}
	a.tell(Event{Kind: EventBegin, Step: "journal", Title: "take back run " + id, Change: -1, Text: id})
	return a.settleBack(ctx, r, force, RunUndone)
}

// Recover settles an open run: back by default, forward on demand. A run that
// was already being taken back goes on being taken back.
func (a *Applier) Recover(ctx context.Context, forward bool) (Result, error) {
	l, err := takeLock(a.StateDir, a.now())
	if err != nil {
		return Result{}, err
	}
	defer l.release()
	id, err := openRun(a.StateDir)
	if err != nil {
		return Result{}, err
	}
	if id == "" {
		return Result{State: RunNothing}, nil
	}
	r, err := loadRun(a.StateDir, id, a.now)
	if err != nil {
		return Result{}, err
	}
	if err := r.openJournal(); err != nil {
		return Result{}, err
	}
	defer r.close()
	removeTemporaries(r)
	a.tell(Event{Kind: EventBegin, Step: "journal", Title: "settle run " + id, Change: -1, Text: id})
	incomplete := r.state() == RunIncomplete
	if forward && !r.undoing() && !incomplete {
		return a.forward(ctx, r)
	}
	end := RunTakenBack
	if r.committed() {
		end = RunUndone
	}
	return a.settleBack(ctx, r, r.forced(), end)
}

func (r *run) forced() bool {
	for _, rec := range r.Records {
		if rec.Forced {
			return true
		}
	}
	return false
}

func (a *Applier) settleBack(ctx context.Context, r *run, force bool, end RunState) (Result, error) {
	left := a.takeBack(ctx, r, force)
	res := Result{Run: r.ID, State: end, Changes: len(r.Plan.Ordered()), Backups: filepath.Join(r.Dir, "backups")}
	if len(left) > 0 {
		res.State, res.Pending = RunIncomplete, left
		return res, a.incomplete(r, nil, left)
	}
	return res, r.write(record{Kind: recClosed, Change: -1, State: end})
}

// takeBack reverses what was done, in the order that keeps Bitbucket reachable:
// the base URL while Bitbucket answers, its files, its restart, the base URL if
// it could not be done before, the front last. It returns what is left to do.
func (a *Applier) takeBack(ctx context.Context, r *run, force bool) (left []string) {
	t := &taker{a: a, r: r, p: r.progress(), force: force}
	refs := r.Plan.Ordered()
	urlErr := t.each(ctx, refs, func(c Change) bool { return c.BaseURL != nil }, t.baseURL)
	upstream := t.each(ctx, refs, func(c Change) bool { return c.Phase == PhaseUpstreamFiles }, t.file)
	if upstream == nil {
		upstream = t.each(ctx, refs, func(c Change) bool { return c.Phase == PhaseRestart }, t.restart)
	}
	if urlErr != nil && upstream == nil {
		urlErr = t.each(ctx, refs, func(c Change) bool { return c.BaseURL != nil }, t.baseURL)
	}
	front := t.front(ctx, refs)
	for _, err := range []error{urlErr, upstream, front} {
		if err != nil {
			left = append(left, t.describe(err))
		}
	}
	return left
}

type taker struct {
	a     *Applier
	r     *run
	p     []progress
	force bool
}

func (t *taker) describe(err error) string {
	text := err.Error()
	var p *problem.Error
	if errors.As(err, &p) && p.Do != "" {
		text += " (" + p.Do + ")"
	}
	return text
}

// each takes back the picked changes that were begun, the last first.
func (t *taker) each(ctx context.Context, refs []Ref, pick func(Change) bool, back func(context.Context, int, Change) error) error {
	for i := len(refs) - 1; i >= 0; i-- {
		c := t.r.Plan.At(refs[i])
		if !pick(c) || !t.p[i].begun || t.p[i].undone {
			continue
		}
		step := t.r.Plan.Steps[refs[i].Step].ID
		t.a.tell(Event{Kind: EventUndoStart, Step: step, Title: c.What, Change: i})
		if err := back(ctx, i, c); err != nil {
			t.a.tell(Event{Kind: EventFailed, Step: step, Title: c.What, Change: i, Text: err.Error()})
			return err
		}
		if err := t.r.write(record{Kind: recUndone, Change: i}); err != nil {
			return err
		}
		t.p[i].undone = true
		t.a.tell(Event{Kind: EventUndone, Step: step, Title: c.What, Change: i})
	}
	return nil
}

func (t *taker) baseURL(ctx context.Context, i int, c Change) error {
	if t.p[i].oldURL == "" {
		return nil // it was never known, so it was never changed by us
	}
	if err := t.a.restoreBaseURL(ctx, t.r, t.p[i], c.BaseURL); err != nil {
		return problem.Wrap(err, "the base URL must be set back to "+t.p[i].oldURL+" on "+t.r.Plan.Run.UpstreamBefore+"/admin/server-settings", "", "bitgate recover")
	}
	return nil
}

// file puts the whole file back as it was before the run.
func (t *taker) file(_ context.Context, _ int, c Change) error {
	path := ""
	if c.File != nil {
		path = c.File.Path
	} else {
		path = c.Certificate.Path
	}
	return t.r.restore(t.a.Files, path, t.force)
}

func (t *taker) restart(ctx context.Context, i int, c Change) error {
	ctl := c.Service.Control
	return t.a.restartAndWait(ctx, i, ctl, t.r.Plan.Run.UpstreamBefore, t.r.Plan.Run.RestartTimeout)
}

// front stops a front of our own before its files go, and reloads a foreign
// one after its file is back.
func (t *taker) front(ctx context.Context, refs []Ref) error {
	isService := func(c Change) bool { return c.Phase == PhaseFrontService }
	isFile := func(c Change) bool { return c.Phase == PhaseFrontFiles }
	own := func(c Change) bool { return isService(c) && c.Service.Target == "proxy" && t.r.frontCreated() }
	if err := t.each(ctx, refs, own, t.stopFront); err != nil {
		return err
	}
	if err := t.each(ctx, refs, isFile, t.file); err != nil {
		return err
	}
	return t.each(ctx, refs, isService, func(ctx context.Context, i int, c Change) error {
		if c.Service.Control.How == service.Manual {
			return nil
		}
		return service.Do(ctx, c.Service.Control, c.Service.Verb, t.a.log(i))
	})
}

func (t *taker) stopFront(ctx context.Context, i int, c Change) error {
	if c.Service.Control.How != service.Systemd {
		return nil // started in the foreground: it ends with the command that started it
	}
	return service.Do(ctx, c.Service.Control, service.Stop, t.a.log(i))
}

// frontCreated reports whether this run made the built-in proxy's configuration.
func (r *run) frontCreated() bool {
	for _, f := range r.Files {
		if f.Path == r.Plan.Answers.ProxyConfig {
			return f.Digest == Absent
		}
	}
	return false
}

// restore puts one file back: its bytes with owner and mode, or its absence.
func (r *run) restore(w atomicfile.Writer, path string, force bool) error {
	i := slices.IndexFunc(r.Files, func(s savedFile) bool { return s.Path == path })
	if i < 0 {
		return problem.New("the run has no backup of "+path, "", "")
	}
	saved := r.Files[i]
	now, err := atomicfile.Read(path)
	if err != nil {
		return err
	}
	if now.DigestOrAbsent() == saved.Digest {
		return removeDirs(saved.MadeDirs)
	}
	if !force && !slices.Contains(r.digests(path), now.DigestOrAbsent()) {
		return foreign(path)
	}
	if saved.Digest == Absent {
		if err := w.Remove(now); err != nil {
			return err
		}
		return removeDirs(saved.MadeDirs)
	}
	data, err := os.ReadFile(filepath.Join(r.Dir, "backups", saved.Backup))
	if err != nil {
		return err
	}
	if atomicfile.Digest(data) != saved.Digest {
		return problem.New("the backup of "+path+" is damaged", "its checksum does not fit", "compare "+filepath.Join(r.Dir, "backups", saved.Backup)+" by hand")
	}
	if now.Absent {
		return w.Create(path, data, saved.Mode, saved.UID, saved.GID)
	}
	now.Mode, now.UID, now.GID = saved.Mode, saved.UID, saved.GID
	return w.Replace(now, data)
}

// digests lists what this run made of a file, step by step.
func (r *run) digests(path string) []string {
	var out []string
	for _, ref := range r.Plan.Ordered() {
		c := r.Plan.At(ref)
		if c.File != nil && c.File.Path == path {
			out = append(out, c.File.Before, c.File.After)
		}
		if c.Certificate != nil && c.Certificate.Path == path {
			out = append(out, c.Certificate.Before, c.Certificate.After)
		}
	}
	return out
}

// foreignEdits refuses when a file is not what this run left.
func (r *run) foreignEdits() error {
	var all []error
	for _, saved := range r.Files {
		now := digestOf(saved.Path)
		if now != saved.Digest && !slices.Contains(r.digests(saved.Path), now) {
			all = append(all, foreign(saved.Path))
		}
	}
	return errors.Join(all...)
}

func foreign(path string) error {
	return problem.New(path+" was changed after this run", "taking the run back would throw that change away",
		"compare with the backup, or use --force")
}

func removeDirs(dirs []string) error {
	for _, dir := range slices.Backward(dirs) {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil // somebody else uses it now
		}
	}
	return nil
}

// removeTemporaries deletes what a killed run may have left beside its files.
func removeTemporaries(r *run) {
	for _, f := range r.Files {
		left, _ := filepath.Glob(filepath.Join(filepath.Dir(f.Path), atomicfile.TempPrefix+"*"))
		for _, path := range left {
			os.Remove(path)
		}
	}
}
