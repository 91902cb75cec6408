package apply

import (
	"fmt"
	"slices"
	"time"

	"bitgate/internal/service"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// Outlook says which run Undo or Recover is about, and what it will do there. It
// is made for the moment before consent, from the journal and the plan alone.
type Outlook struct {
	Run     string         `json:"run"`
	Started time.Time      `json:"started"`
	State   setup.RunState `json:"state"`
	URL     string         `json:"url"`
	Back    bool           `json:"back"`            // taken back; false: finished
	Changes int            `json:"changes"`         // of the whole run
	Done    int            `json:"done"`            // of these, carried out and not taken back yet
	Begun   int            `json:"begun,omitempty"` // of these, begun only: nobody knows
	Will    []string       `json:"will"`            // what will be done
	Notice  []string       `json:"notice,omitempty"`
	CanGoOn bool           `json:"can-go-on,omitempty"` // --forward is possible instead
	SignIn  bool           `json:"sign-in,omitempty"`   // it needs an administrator's login
}

// Foresee is the outlook of taking run id ("" = the last that stands) back, or of
// finishing it. A run on its way back goes on in that direction.
func Foresee(stateDir, id string, forward bool) (Outlook, error) {
	r, err := journal.Look(stateDir, id)
	if err != nil {
		return Outlook{}, err
	}
	o := Outlook{
		Run: r.ID, Started: r.Records[0].At, State: r.State(), URL: r.Plan.Answers.URL.BaseURL(),
		Back: !forward || r.GoingBack(), Changes: len(r.Plan.Ordered()), Will: []string{},
		CanGoOn: !forward && !r.State().Settled() && !r.GoingBack(),
	}
	progress := r.Progress()
	for _, p := range progress {
		switch {
		case p.Undone:
		case p.Done:
			o.Done++
		case p.Begun:
			o.Begun++
		}
	}
	say := func(text string, c setup.Change) {
		o.SignIn = o.SignIn || c.BaseURL != nil && c.BaseURL.Method != setup.Manual && text != ""
		if text == "" || slices.Contains(o.Will, text) {
			return
		}
		o.Will = append(o.Will, text)
		if c.Service != nil && !slices.Contains(o.Notice, c.Service.Notice()) && c.Service.Target == "bitbucket" {
			o.Notice = append(o.Notice, c.Service.Notice())
		}
	}
	if !o.Back {
		for i, c := range r.Plan.Changes() {
			if !progress[i].Done {
				say(c.Text(), c)
			}
		}
		return o, nil
	}
	// takeBack's order: the base URL, Bitbucket's files, its restart, the front.
	groups := []func(setup.Change) bool{
		func(c setup.Change) bool { return c.BaseURL != nil },
		func(c setup.Change) bool { return c.Phase == setup.PhaseUpstreamFiles },
		setup.Change.RestartsBitbucket,
		func(c setup.Change) bool { return c.Phase == setup.PhaseRenewal },
		setup.Change.OfFrontFile,
		func(c setup.Change) bool { return c.Program != nil && c.Program.Before != setup.Absent },
		func(c setup.Change) bool { return c.Service != nil && c.Service.OfFront() },
		func(c setup.Change) bool { return c.Program != nil },
		setup.Change.Reorders,
	}
	if r.Plan.Run.GivesUp != "" {
		groups = []func(setup.Change) bool{groups[0], groups[1], groups[3], groups[4], groups[5], groups[6], groups[7], groups[8], groups[2]}
	}
	for _, group := range groups {
		for i, c := range slices.Backward(r.Plan.Changes()) {
			if group(c) && progress[i].Begun && !progress[i].Undone {
				text, err := backText(r, c, progress[i])
				if err != nil {
					return Outlook{}, err
				}
				say(text, c)
			}
		}
	}
	return o, nil
}

// backText is one line about how a change is taken back, "" where nothing is done.
func backText(r *journal.Run, c setup.Change, p journal.Progress) (string, error) {
	path, _, _ := c.Writes()
	if why, err := r.Stays(path); why != "" || err != nil {
		return "leave " + path + ": " + why, err
	}
	return backOf(r, c, p), nil
}

func backOf(r *journal.Run, c setup.Change, p journal.Progress) string {
	switch path, before, _ := c.Writes(); {
	case path != "" && before == setup.Absent:
		return "remove " + path
	case path != "":
		return "put " + path + " back as it was"
	case setsURLBack(c, p):
		return setURLsBack(c, p)
	case c.Renewal != nil:
		return setup.Change{Renewal: &setup.RenewalChange{Was: c.Renewal.Order, Order: c.Renewal.Was}}.Text()
	case c.Service == nil:
		return ""
	case c.Service.Target == "renewal" && r.Created(setup.RenewTimer):
		return fmt.Sprintf("stop the timer that renews the certificate (%s)", c.Service.Control)
	case startsProxy(r, c.Service):
		if c.Service.Control.How != service.Systemd {
			return ""
		}
		return fmt.Sprintf("stop the built-in proxy (%s)", c.Service.Control)
	case c.Service.Control.How == service.Manual && c.Service.Target != "bitbucket":
		return ""
	}
	s := *c.Service
	if !r.CertificateOnly() {
		s.Swap = "" // a reload reads every file that is back
	}
	return setup.Change{Service: &s}.Text()
}
