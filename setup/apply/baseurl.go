package apply

import (
	"context"
	"fmt"
	"strings"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// changeBaseURL is step 2: read, journal the old value, set, read back.
func (a *Applier) changeBaseURL(ctx context.Context, r *journal.Run, i int, c *setup.BaseURLChange) error {
	if c.Method == setup.Manual {
		return a.manualBaseURL(ctx, r, i, c)
	}
	base, err := a.answering(ctx, r.Plan)
	if err != nil {
		return err
	}
	s, have, err := a.settings(ctx, base)
	if err != nil {
		return err
	}
	old := journal.Record{Kind: journal.Doing, Change: i, OldURL: have.BaseURL}
	if c.SSHNew != "" {
		old.OldSSH = have.SSHBaseURL
	}
	if p := r.Progress()[i]; p.Begun && p.OldURL != "" {
		old.OldURL, old.OldSSH = p.OldURL, p.OldSSH // a run that goes on keeps what it found first
	} else if c.Old != "" && have.BaseURL != c.Old && have.BaseURL != c.New {
		return problem.New(fmt.Sprintf("the base URL is %s, not %s as when the plan was made", have.BaseURL, c.Old),
			"somebody has changed it since", "make a new plan")
	}
	if err := r.Write(old); err != nil {
		return err
	}
	if have.BaseURL == c.New && (c.SSHNew == "" || have.SSHBaseURL == c.SSHNew) {
		return nil
	}
	return a.setURLs(ctx, s, c.New, c.SSHNew)
}

// setURLs sets and, where the answer was lost, decides by reading. A Ctrl-C does
// not cut it short: nobody could say then what a request under way will still do.
func (a *Applier) setURLs(ctx context.Context, s *bitbucket.Session, url, ssh string) error {
	if err := ctx.Err(); err != nil {
		return problem.Wrap(err, "interrupted", "", "")
	}
	ctx, done := a.limited(context.WithoutCancel(ctx))
	defer done()
	err := s.SetURLs(ctx, url, ssh)
	if err == nil {
		return nil
	}
	now, rerr := s.Settings(ctx)
	if rerr == nil && now.BaseURL == url && (ssh == "" || now.SSHBaseURL == ssh) && problem.KindOf(err) != problem.Incomplete {
		return nil
	}
	return err
}

// adminPage is where an administrator finds the settings: with a browser elsewhere
// under the base URL of now, where that is known, and on this machine.
func adminPage(baseURL, upstream string) string {
	const page = "/admin/server-settings"
	here := upstream + page
	if there := strings.TrimSuffix(baseURL, "/") + page; baseURL != "" && there != here {
		return there + " (on this machine: " + here + ")"
	}
	return here
}

func (a *Applier) manualBaseURL(ctx context.Context, r *journal.Run, i int, c *setup.BaseURLChange) error {
	old := c.Old
	if err := r.Write(journal.Record{Kind: journal.Doing, Change: i, OldURL: old, OldSSH: c.SSHOld}); err != nil {
		return err
	}
	page := adminPage(old, r.Plan.Run.UpstreamBefore)
	for {
		what := "set Base URL to " + c.New
		if c.SSHNew != "" {
			what += " and SSH base URL to " + c.SSHNew
		}
		if a.Ask("Open "+page+" as an administrator", what+", save, then say done.", []setup.Decision{setup.DecideDone, setup.DecideBack}) != setup.DecideDone {
			return problem.New("the base URL was not changed by hand", "", "")
		}
		client, err := bitbucket.NewClient(r.Plan.Run.UpstreamBefore, bitbucket.Options{OwnTLS: true})
		if err != nil {
			return err
		}
		got, err := client.PublicBaseURL(ctx)
		if err != nil || got == c.New {
			return nil //nolint:nilerr // what cannot be read must be believed
		}
		a.tell(setup.Event{Kind: setup.EventProgress, Step: setup.StepBaseURL, Change: i, Text: "the base URL still reads " + got})
	}
}

// restoreBaseURL sets the old value again under whichever base answers now.
func (a *Applier) restoreBaseURL(ctx context.Context, r *journal.Run, p journal.Progress, c *setup.BaseURLChange) error {
	base, err := a.answering(ctx, r.Plan)
	if err != nil {
		return err
	}
	if urlIsBack(ctx, base, p, c) {
		return nil
	}
	if a.byHand(c) {
		return a.restoreByHand(base, p, c)
	}
	s, have, err := a.settings(ctx, base)
	if err != nil {
		return err
	}
	if have.BaseURL == p.OldURL && (c.SSHNew == "" || have.SSHBaseURL == p.OldSSH) {
		return nil
	}
	if have.BaseURL != c.New && have.BaseURL != p.OldURL {
		return problem.New("the base URL is "+have.BaseURL+", which this run did not set", "somebody has changed it since", "set it by hand as you want it")
	}
	return a.setURLs(ctx, s, p.OldURL, p.OldSSH)
}

// byHand: a person sets the base URL back. A manual run can do with a login where
// nobody can be asked.
func (a *Applier) byHand(c *setup.BaseURLChange) bool {
	return a.Login == nil || c.Method == setup.Manual && a.Ask != nil
}

// urlIsBack looks without a login. The SSH base URL cannot be read so.
func urlIsBack(ctx context.Context, base string, p journal.Progress, c *setup.BaseURLChange) bool {
	if c.SSHNew != "" {
		return false
	}
	client, err := bitbucket.NewClient(base, bitbucket.Options{OwnTLS: true})
	if err != nil {
		return false
	}
	got, err := client.PublicBaseURL(ctx)
	return err == nil && got == p.OldURL
}

func (a *Applier) restoreByHand(base string, p journal.Progress, c *setup.BaseURLChange) error {
	page := adminPage(c.New, base)
	if a.Ask != nil && a.Ask("Open "+page+" as an administrator", "set Base URL back to "+p.OldURL+", save, then say done.",
		[]setup.Decision{setup.DecideDone, setup.DecideBack}) == setup.DecideDone {
		return nil
	}
	return problem.New("nobody is logged in to set the base URL back", "", "give --admin-user and --admin-password-file")
}
