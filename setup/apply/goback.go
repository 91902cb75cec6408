package apply

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// readyBack refuses to take r back where a file could not be put back, or its base URL not
// be set back, before anything is touched. Kinds: Usage (nobody can sign in), Credentials,
// Failed, Cancelled.
func (a *Applier) readyBack(ctx context.Context, r *journal.Run, force bool) error {
	if err := restorable(r); err != nil {
		return problem.Wrap(err, "nothing was taken back, for not every file could be put back", "old and new settings would be mixed", "")
	}
	progress := r.Progress()
	for i, c := range r.Plan.Changes() {
		if setsURLBack(c, progress[i]) {
			err := a.ableBack(ctx, r, c, progress[i], force)
			if ctx.Err() != nil {
				break
			}
			if err != nil {
				return problem.Wrap(err, "nothing was taken back, for the base URL could not be set back to "+cmp.Or(progress[i].OldURL, "what it was before"),
					"files and front would be as before the run, and Bitbucket's links not", "").WithKind(problem.KindOf(err))
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return problem.Wrap(err, "cancelled; nothing was taken back", "", "").WithKind(problem.Cancelled)
	}
	return nil
}

// restorable looks at every file that is to be put back.
func restorable(r *journal.Run) error {
	var all []error
	seen, progress := map[string]bool{}, r.Progress()
	for i, c := range r.Plan.Changes() {
		path, _, _ := c.Writes()
		if path == "" || seen[path] || !progress[i].Begun || progress[i].Undone {
			continue
		}
		seen[path] = true
		all = append(all, r.Restorable(path))
	}
	return errors.Join(all...)
}

// setsURLBack: the base URL was changed, by bitgate, which knew the old one, or by a person
// whom it asked to.
func setsURLBack(c setup.Change, p journal.Progress) bool {
	return c.BaseURL != nil && p.Begun && !p.Undone && (p.OldURL != "" || c.BaseURL.Method == setup.Manual)
}

func (a *Applier) ableBack(ctx context.Context, r *journal.Run, c setup.Change, p journal.Progress, force bool) error {
	base, state, detail := a.look(ctx, r.Plan.Back())
	switch {
	case state.Runs() && urlIsBack(ctx, base, p, c.BaseURL):
		return nil
	case a.byHand(c.BaseURL) && a.Ask == nil && p.OldURL == "":
		return notByHand(adminPage(c.BaseURL.New, r.Plan.Run.UpstreamBefore), addresses(c.BaseURL, p))
	case a.byHand(c.BaseURL) && a.Ask == nil:
		do := "give --admin-user and --admin-password-file, or run it on a terminal with --base-url-method manual"
		if c.BaseURL.SSHNew == "" {
			do += ", or set the base URL back first, on " + adminPage(c.BaseURL.New, r.Plan.Run.UpstreamBefore)
		}
		return problem.New("it needs an administrator's login", "it is changed through Bitbucket itself", do).WithKind(problem.Usage)
	case !state.Runs() && (state == bitbucket.Maintenance || !changesBitbucket(r)):
		return notRunning(base, state, detail, r.Plan)
	case !state.Runs() || a.byHand(c.BaseURL):
		return nil // it may be down because of the run: the files go first then
	}
	_, all, err := a.standing(ctx, base, p, c.BaseURL)
	if err != nil {
		return err
	}
	if err := foreignURL(all, r.ID); err != nil && !force {
		return err
	}
	left := slices.DeleteFunc(all, func(x address) bool { return !x.unknown || x.isBack() })
	if len(left) > 0 && a.Ask == nil {
		return notByHand(adminPage(c.BaseURL.New, r.Plan.Run.UpstreamBefore), left)
	}
	return nil
}

// changesBitbucket: r began to change Bitbucket's files or to restart it.
func changesBitbucket(r *journal.Run) bool {
	progress := r.Progress()
	for i, c := range r.Plan.Changes() {
		if progress[i].Begun && !progress[i].Undone && (c.Phase == setup.PhaseUpstreamFiles || c.RestartsBitbucket()) {
			return true
		}
	}
	return false
}
