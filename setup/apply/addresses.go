package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// address is one of those that a run sets in Bitbucket, on its way back.
type address struct {
	name    string // "base URL" or "SSH base URL"
	old     string // before the run; "" is an empty field
	new     string // as the run set it
	now     string // as it stands
	unknown bool   // what it was before could not be read: a person sets it back
}

// addresses are those that c sets, the base URL first.
func addresses(c *setup.BaseURLChange, p journal.Progress) []address {
	all := []address{{name: "base URL", old: p.OldURL, new: c.New, unknown: p.OldURL == ""}}
	if c.SSHNew == "" {
		return all
	}
	ssh := address{name: "SSH base URL", old: p.OldSSH, new: c.SSHNew, unknown: p.OldSSH == ""}
	if p.SSHField != nil {
		ssh.old, ssh.unknown = *p.SSHField, false
	}
	return append(all, ssh)
}

// isBack: it is as before the run or, where nobody knows that, no more as the run set it.
func (x address) isBack() bool {
	if x.unknown {
		return !x.isOurs()
	}
	return bitbucket.SameURL(x.now, x.old)
}

func (x address) isOurs() bool { return bitbucket.SameURL(x.now, x.new) }

// back is what is to be done, after the word "set".
func (x address) back() string {
	switch {
	case x.unknown:
		return "the " + x.name + " from " + x.new + " back to what it was before, by hand"
	case x.old == "":
		return "the " + x.name + " back to an empty field"
	}
	return "the " + x.name + " back to " + x.old
}

// setURLsBack says what is done about the addresses of a change.
func setURLsBack(c setup.Change, p journal.Progress) string { return setBack(addresses(c.BaseURL, p)) }

func setBack(all []address) string {
	var out []string
	for _, x := range all {
		out = append(out, x.back())
	}
	return "set " + strings.Join(out, " and ")
}

// standing signs in and reads how the addresses of a change stand.
func (a *Applier) standing(ctx context.Context, base string, p journal.Progress, c *setup.BaseURLChange) (*bitbucket.Session, []address, error) {
	s, have, err := a.settings(ctx, base)
	if err != nil {
		return nil, nil, err
	}
	all := addresses(c, p)
	for i := range all {
		switch {
		case i == 0:
			all[i].now = have.BaseURL
		case p.SSHField == nil:
			all[i].now = have.SSHBaseURL
		default:
			if all[i].now, err = a.sshField(ctx, s); err != nil {
				return nil, nil, err
			}
		}
	}
	return s, all, nil
}

// restoreBaseURL sets the old values again under whichever base answers now.
func (a *Applier) restoreBaseURL(ctx context.Context, r *journal.Run, p journal.Progress, c *setup.BaseURLChange, force bool) error {
	base, err := a.answering(ctx, r.Plan)
	if err != nil {
		return err
	}
	if urlIsBack(ctx, base, p, c) {
		return nil
	}
	page := adminPage(c.New, base)
	if a.byHand(c) {
		all := addresses(c, p)
		return a.restoreByHand(page, all, func() []address {
			if all[0].now, err = publicBaseURL(ctx, base); err != nil {
				return nil // what cannot be read must be believed
			}
			return all[:1]
		})
	}
	s, all, err := a.standing(ctx, base, p, c)
	if err != nil {
		return err
	}
	if err := foreignURL(all, r.ID); err != nil && !force {
		return err
	}
	var want bitbucket.URLs
	var left []address
	for i, x := range all {
		switch {
		case x.isBack():
		case x.unknown:
			left = append(left, x)
		case i == 0:
			want.Base = x.old
		default:
			want.SSH = &x.old
		}
	}
	if err := a.setURLs(ctx, s, want); err != nil || left == nil {
		return err
	}
	return a.restoreByHand(page, left, func() []address {
		_, all, _ := a.standing(ctx, base, p, c)
		return all
	})
}

// foreignURL: somebody has changed an address since, and neither to what it was before.
func foreignURL(all []address, run string) error {
	for _, x := range all {
		if !x.isBack() && !x.isOurs() {
			is := x.now
			if is == "" {
				is = "empty"
			}
			return problem.New(fmt.Sprintf("the %s is %s, which this run did not set", x.name, is), "taking the run back would throw that change away",
				"set it back by hand, or let it be thrown away: bitgate undo "+run+" --force")
		}
	}
	return nil
}

// byHand: a person sets the base URL back. A manual run can do with a login where
// nobody can be asked.
func (a *Applier) byHand(c *setup.BaseURLChange) bool {
	return a.Login == nil || c.Method == setup.Manual && a.Ask != nil
}

// urlIsBack looks without a login. The SSH base URL cannot be read so.
func urlIsBack(ctx context.Context, base string, p journal.Progress, c *setup.BaseURLChange) bool {
	all := addresses(c, p)
	if len(all) > 1 {
		return false
	}
	got, err := publicBaseURL(ctx, base)
	all[0].now = got
	return err == nil && all[0].isBack()
}

// restoreByHand has a person set addresses back, until look finds none that is not.
func (a *Applier) restoreByHand(page string, all []address, look func() []address) error {
	for {
		if a.Ask == nil || a.Ask("Open "+page+" as an administrator", setBack(all)+", save, then say done.",
			[]setup.Decision{setup.DecideDone, setup.DecideBack}) != setup.DecideDone {
			return notByHand(page, all)
		}
		wrong := slices.DeleteFunc(slices.Clone(look()), address.isBack)
		if len(wrong) == 0 {
			return nil
		}
		for _, x := range wrong {
			a.tell(setup.Event{Kind: setup.EventProgress, Step: setup.StepBaseURL, Change: -1, Text: "the " + x.name + " still reads " + x.now})
		}
	}
}

// notByHand is the error where nobody has set them back, or could be asked to.
func notByHand(page string, all []address) error {
	for _, x := range all {
		if x.unknown {
			return problem.New("what the "+x.name+" was before is not known", "somebody must set it back and say so",
				"run it on a terminal, or set it back first, on "+page+", and give --admin-user and --admin-password-file, so that it can be seen").WithKind(problem.Usage)
		}
	}
	return problem.New("nobody is logged in to set the base URL back", "", "give --admin-user and --admin-password-file")
}
