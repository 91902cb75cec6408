package apply

import (
	"context"
	"errors"
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
	want := bitbucket.URLs{Base: c.New}
	if c.SSHNew != "" {
		field, err := a.sshField(ctx, s)
		if err != nil {
			return err
		}
		old.OldSSH, old.SSHField, want.SSH = have.SSHBaseURL, &field, &c.SSHNew
	}
	if p := r.Progress()[i]; p.Begun && p.OldURL != "" {
		old.OldURL, old.OldSSH, old.SSHField = p.OldURL, p.OldSSH, p.SSHField // a run that goes on keeps what it found first
	} else if err := asWhenPlanned(c, old); err != nil {
		return err
	}
	if err := r.Write(old); err != nil {
		return err
	}
	if have.BaseURL == c.New && (c.SSHNew == "" || have.SSHBaseURL == c.SSHNew) {
		return nil
	}
	return a.setURLs(ctx, s, want)
}

// asWhenPlanned: nobody has changed an address since the plan was made. The SSH base URL
// that Bitbucket makes up goes along with the base URL.
func asWhenPlanned(c *setup.BaseURLChange, now journal.Record) error {
	name, is, was := "base URL", now.OldURL, c.Old
	if was == "" || is == was || is == c.New {
		if c.SSHNew == "" || c.SSHOld == "" || *now.SSHField == "" && is != was {
			return nil
		}
		name, is, was = "SSH base URL", now.OldSSH, c.SSHOld
		if is == was || is == c.SSHNew {
			return nil
		}
	}
	return problem.New(fmt.Sprintf("the %s is %s, not %s as when the plan was made", name, is, was), "somebody has changed it since", "make a new plan")
}

// sshField reads what an administrator typed.
func (a *Applier) sshField(ctx context.Context, s *bitbucket.Session) (string, error) {
	ctx, done := a.limited(ctx)
	defer done()
	return s.SSHField(ctx)
}

// setURLs sets and, where the answer was lost, decides by reading. A Ctrl-C does
// not cut it short: nobody could say then what a request under way will still do.
func (a *Applier) setURLs(ctx context.Context, s *bitbucket.Session, want bitbucket.URLs) error {
	if err := ctx.Err(); err != nil {
		return problem.Wrap(err, "interrupted", "", "")
	}
	ctx, done := a.limited(context.WithoutCancel(ctx))
	defer done()
	err := s.SetURLs(ctx, want)
	if err == nil {
		return nil
	}
	now, rerr := s.Settings(ctx)
	if rerr != nil || want.Base != "" && now.BaseURL != want.Base || problem.KindOf(err) == problem.Incomplete {
		return err
	}
	if want.SSH != nil {
		if field, rerr := s.SSHField(ctx); rerr != nil || field != *want.SSH {
			return err
		}
	}
	return nil
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
	old := journal.Record{Kind: journal.Doing, Change: i, OldURL: c.Old, OldSSH: c.SSHOld}
	p := r.Progress()[i]
	if p.Begun {
		old.OldURL, old.OldSSH = p.OldURL, p.OldSSH
	} else if c.Old == "" {
		old.OldURL, _ = publicBaseURL(ctx, r.Plan.Run.UpstreamBefore) // it may tell by now
	}
	if err := r.Write(old); err != nil {
		return err
	}
	page := adminPage(old.OldURL, r.Plan.Run.UpstreamBefore)
	for asked := p.Begun; ; asked = true {
		what := "set Base URL to " + c.New
		if c.SSHNew != "" {
			what += " and SSH base URL to " + c.SSHNew
		}
		if a.Ask("Open "+page+" as an administrator", what+", save, then say done.", []setup.Decision{setup.DecideDone, setup.DecideBack}) != setup.DecideDone {
			err := error(problem.New("the base URL was not changed by hand", "", ""))
			unchanged := bitbucket.SameURL(old.OldURL, c.New) || !a.isPublic(ctx, r.Plan.Run.UpstreamBefore, c.New)
			if !asked && unchanged { // nothing is to be set back of what nobody began
				err = errors.Join(err, r.Write(journal.Record{Kind: journal.Undone, Change: i}))
			}
			return err
		}
		got, err := publicBaseURL(ctx, r.Plan.Run.UpstreamBefore)
		if err != nil || got == c.New {
			return nil //nolint:nilerr // what cannot be read must be believed
		}
		a.tell(setup.Event{Kind: setup.EventProgress, Step: setup.StepBaseURL, Change: i, Text: "the base URL still reads " + got})
	}
}

// isPublic reports whether Bitbucket tells that it has this base URL, also to somebody who
// leaves: he may have saved it before.
func (a *Applier) isPublic(ctx context.Context, upstream, baseURL string) bool {
	ctx, done := a.limited(context.WithoutCancel(ctx))
	defer done()
	got, err := publicBaseURL(ctx, upstream)
	return err == nil && bitbucket.SameURL(got, baseURL)
}

// publicBaseURL is what Bitbucket tells of its base URL without a login.
func publicBaseURL(ctx context.Context, base string) (string, error) {
	client, err := bitbucket.NewClient(base, bitbucket.Options{OwnTLS: true})
	if err != nil {
		return "", err
	}
	return client.PublicBaseURL(ctx)
}
