package renew

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"bitgate/certs"
	"bitgate/certs/renewal"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/internal/unit"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// Status is how the certificate of a front stands: what its source holds, what the
// front reads and shows, who renews it and how that went.
type Status struct {
	Host     string    `json:"host"`
	Source   string    `json:"source"`         // files, or the authority that bitgate orders from
	New      string    `json:"new,omitempty"`  // fingerprint of what the source holds; "" where it cannot be read
	Bundle   string    `json:"bundle"`         // the file that the front reads
	Leaf     string    `json:"leaf,omitempty"` // fingerprint of its certificate
	From     time.Time `json:"from,omitzero"`  // its life
	Until    time.Time `json:"until,omitzero"`
	Days     int       `json:"days"`            // that are left of it
	Left     float64   `json:"left"`            // share of its life that is left
	Shown    []Shown   `json:"shown"`           // by the front, on each address
	Renewer  string    `json:"renewer"`         // "bitgate", "certbot", ...; "" for nobody that is known
	Runs     string    `json:"runs,omitempty"`  // what runs the renewer
	Timer    string    `json:"timer,omitempty"` // of bitgate's: unit or file
	Alive    bool      `json:"alive"`           // it runs
	Next     time.Time `json:"next,omitzero"`   // when the certificate is due
	Why      string    `json:"why,omitempty"`
	LastTry  time.Time `json:"last-try,omitzero"`
	LastGood time.Time `json:"last-good,omitzero"`
	Failures int       `json:"failures,omitempty"` // since then
	Error    string    `json:"error,omitempty"`    // of the last one
	Open     string    `json:"open,omitempty"`     // the run that somebody has to settle before anything is renewed
	// Unreached is why the authority was not reached when it was last asked when to renew.
	Unreached string `json:"unreached,omitempty"`

	inPlace bool
	ownTLS  bool              // Bitbucket terminates TLS itself
	rivals  []problem.Finding // who else renews a certificate for the host
}

// Shown is what an address of the front shows.
type Shown struct {
	Address string    `json:"address"`
	Leaf    string    `json:"leaf,omitempty"` // fingerprint
	Until   time.Time `json:"until,omitzero"`
	Error   string    `json:"error,omitempty"` // why nothing was seen
}

// Status looks at the front of the last run that set one up; false where there is none.
func (r *Renewer) Status(ctx context.Context, root string) (Status, bool, error) {
	d, found, err := journal.LastDeployment(r.Applier.StateDir)
	if err != nil || !found {
		return Status{}, false, err
	}
	st, err := r.store().State(d.URL.Host())
	if err != nil {
		return Status{}, false, err
	}
	s := Status{
		Host: d.URL.Host(), Source: setup.SourceNames(d.Paths), Bundle: d.Bundle, Shown: []Shown{}, inPlace: d.InPlace,
		LastTry: st.LastTry, LastGood: st.LastGood, Failures: st.Failures, Error: st.LastError,
	}
	by := certs.RenewerOf(d.PEM + d.Cert)
	s.Renewer, s.Runs = by.Name, by.TimerBelow(root)
	if d.Order != nil {
		s.Source, s.Renewer, s.Runs = d.Order.Directory+" ("+d.Order.Challenge+")", "bitgate", ""
		s.rivals = certs.Rivals(root, s.Host)
	}
	source, _ := r.sourced(d, Options{}) // a store that cannot be read shows in the attempts
	m, err := r.material(source)
	if err == nil {
		s.New = m.LeafDigest()
	}
	if s.ownTLS = d.Front == setup.FrontTomcat; s.ownTLS { // its key store is made of the source
		s.Bundle = s.Source
	} else {
		m, err = certs.LoadBy(certs.OpenTrusted, certs.Paths{PEM: d.Bundle})
	}
	if err == nil {
		r.reads(&s, m.LeafDigest(), m.Life())
	}
	if d.Order != nil {
		if leaf, err := r.issued(d, Options{}); err == nil {
			dec := r.decide(leaf, st, Options{})
			s.Why = dec.Why
			if st.Renewal != nil && leaf != nil && st.Renewal.Leaf == certs.Fingerprint(leaf) {
				s.Unreached = st.Renewal.Unreached
			}
			switch said := st.Renewal; {
			case dec.Act == renewal.Renew:
				s.Next = r.now().UTC()
			case st.Failures > 0:
				s.Next = dec.At.UTC()
			case said != nil && said.Leaf == certs.Fingerprint(leaf) && !said.Selected.IsZero() && said.Selected.Before(s.Life().Last()):
				s.Next = said.Selected.UTC()
			}
		}
	}
	for _, address := range d.Dial() {
		one := Shown{Address: address}
		if leaf, err := certs.Served(ctx, address, s.Host); err != nil {
			one.Error = err.Error()
		} else {
			one.Leaf, one.Until = certs.Fingerprint(leaf), leaf.NotAfter.UTC()
			if s.ownTLS && s.Leaf == "" { // its source is under a password
				r.reads(&s, one.Leaf, renewal.Life{From: leaf.NotBefore, To: leaf.NotAfter})
			}
		}
		s.Shown = append(s.Shown, one)
	}
	s.Timer, s.Alive = timer(ctx, root)
	s.Open = r.blocked()
	return s, true, nil
}

// blocked is the open run that settle leaves to a person; "" for none.
func (r *Renewer) blocked() string {
	id, err := journal.Unfinished(r.Applier.StateDir)
	if err != nil { // a process is at it
		return ""
	}
	if run, err := journal.Look(r.Applier.StateDir, id); id != "" && err == nil && run.CertificateOnly() && run.State() != setup.RunIncomplete {
		return "" // the next look takes it back
	}
	return id
}

// reads says which certificate the front reads.
func (r *Renewer) reads(s *Status, leaf string, life renewal.Life) {
	s.Leaf, s.From, s.Until, s.Next = leaf, life.From.UTC(), life.To.UTC(), life.Due().UTC()
	s.Days, s.Left = int(max(0, life.Left(r.now()))/(24*time.Hour)), life.Share(r.now())
}

// timer is what runs bitgate cert renew, and whether it does. A masked one is none:
// somebody wants it so.
func timer(ctx context.Context, root string) (string, bool) {
	there := func(path string) bool { _, err := os.Stat(filepath.Join(root, path)); return err == nil }
	switch {
	case unit.Masked(root, setup.RenewTimer):
		return "", false
	case service.HasSystemd(root) && there(setup.RenewTimerPath):
		return setup.RenewTimer, service.Active(ctx, setup.RenewTimer)
	case !service.HasSystemd(root) && there(setup.RenewCronPath):
		return setup.RenewCronPath, true
	}
	return "", false
}

// Life of the certificate that the front reads.
func (s Status) Life() renewal.Life { return renewal.Life{From: s.From, To: s.Until} }

// Line is how the certificate stands, in a line; "" where that cannot be seen.
func (s Status) Line() string {
	if s.Leaf == "" {
		return ""
	}
	text := "certificate until " + s.Until.Local().Format(time.DateOnly)
	if s.Renewer != "" {
		text += ", renewed by " + s.Renewer
	}
	if !s.LastGood.IsZero() {
		text += " (last on " + s.LastGood.Local().Format(time.DateOnly) + ")"
	}
	if s.Renewer != "" {
		text += ", due " + s.Next.Local().Format(time.DateOnly)
	}
	return text
}

// Findings are what is wrong with the renewal of the certificate; none where all is well.
func (s Status) Findings(now time.Time) []problem.Finding {
	out := slices.Clone(s.rivals)
	add := func(level problem.Level, found, why, do string) {
		out = append(out, problem.Finding{ID: "renewal", Level: level, Title: "Renewal of the certificate", Found: found, Why: why, Do: do})
	}
	unit := setup.RenewServicePath
	if s.Timer == setup.RenewCronPath {
		unit = s.Timer
	}
	ends, deploy, worst := "the certificate ends in "+renewal.In(s.Life().Left(now)), "bitgate cert deploy", problem.Warn
	if s.Life().Left(now) <= 0 {
		ends = "the certificate has ended"
	}
	if s.Life().Urgent(now) {
		worst = problem.Fail
	}
	if s.ownTLS {
		deploy = "bitgate apply, when Bitbucket may be restarted"
	}
	switch {
	case s.Leaf == "":
		add(problem.Warn, s.Bundle+" cannot be read as a certificate", "what the front does at its next start is not known", "bitgate cert inspect --pem "+problem.ShellWord(s.Bundle))
		return out
	case s.Open != "":
		add(worst, "run "+s.Open+" is not finished, and until then no certificate is renewed or installed", ends, "settle it: bitgate recover")
	case s.Failures > 0:
		add(worst, fmt.Sprintf("%d attempts have failed, the last on %s: %s", s.Failures, clock(s.LastTry), s.Error), ends, "mend what it says, then bitgate cert renew --force")
	case s.Unreached != "":
		add(worst, "the authority was not reached when it was last asked when to renew: "+s.Unreached, ends+", and it cannot be renewed without the authority",
			"see that this machine reaches it when nobody is logged in (a firewall, or a proxy that "+unit+" does not have)")
	case s.missed(now):
		add(worst, "the certificate was due on "+clock(s.Life().Due())+", and was not renewed", ends, s.byHand())
	}
	for _, shown := range s.Shown {
		if shown.Leaf != "" && shown.Leaf != s.Leaf {
			add(problem.Warn, fmt.Sprintf("%s shows the certificate %s, and %s holds %s", shown.Address, shown.Leaf, s.Bundle, s.Leaf),
				"clients get another certificate than the one that is renewed", deploy)
		}
	}
	automatic := s.Alive && (s.Renewer == "bitgate" || s.Runs != "" || s.Renewer == "")
	switch {
	case s.Timer != "" && !s.Alive:
		add(worst, s.Timer+" does not run", ends+", and nothing looks after it", "systemctl enable --now "+s.Timer)
	case s.Renewer == "bitgate" && s.Timer == "":
		add(worst, "bitgate orders this certificate, and nothing has it renewed", ends, "have cron, or what runs programs here regularly, run bitgate cert renew every hour, as root")
	case s.Renewer == "" && s.Life().Overdue(now):
		add(worst, "nobody renews this certificate", ends, "have a new one issued into "+s.Source+", or have bitgate order it")
	case s.Renewer == "" && !automatic && !s.inPlace:
		add(problem.Note, "nobody renews this certificate, and nothing installs a new one", ends, "after a renewal: "+deploy)
	case s.Renewer != "" && s.Renewer != "bitgate" && s.Runs == "":
		add(worst, s.Renewer+" made this certificate, and nothing that runs it was found", ends, "enable its timer")
	case s.Renewer != "" && s.renewed() && (!automatic || s.Life().Late(now)):
		add(worst, s.Renewer+" has renewed the certificate, and the front has the one of before", ends, deploy)
	}
	return out
}

// renewed: the source holds another certificate than the front.
func (s Status) renewed() bool { return s.New != "" && s.New != s.Leaf }

// missed reports whether somebody renews the certificate and should have by now,
// whatever keeps him from it: not every cause is an attempt that failed.
func (s Status) missed(now time.Time) bool {
	if s.Renewer == "bitgate" && s.Next.After(now) { // its authority has said when
		return false
	}
	return s.Renewer != "" && !s.renewed() && s.Life().Late(now)
}

// byHand is how whoever renews the certificate is made to say what keeps him from it.
func (s Status) byHand() string {
	switch s.Renewer {
	case "bitgate":
		return "bitgate cert renew --force, and mend what it says"
	case "certbot":
		return "certbot renew --dry-run, and mend what it says"
	}
	return "run " + s.Renewer + " by hand, and mend what it says"
}
