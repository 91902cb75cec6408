package setup

import (
	"hash/fnv"
	"path/filepath"

	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/templates"
)

// Paths of what has certificates renewed, below the root.
const (
	RenewServicePath = "/etc/systemd/system/bitgate-renew.service"
	RenewTimerPath   = "/etc/systemd/system/" + RenewTimer
	RenewCronPath    = "/etc/cron.d/bitgate"
	RenewTimer       = "bitgate-renew.timer"
)

// Timer is what has certificates renewed on this machine.
type Timer struct {
	Service, Timer atomicfile.File // units of systemd
	Cron           atomicfile.File // where there is no systemd, but cron; zero where neither is
	Masked         string          // which of the units must not be started, "" for none
}

// renewalTimer plans what looks hourly whether the front's certificate is to be
// renewed: the front reads a copy, so somebody has to make it anew.
func (b *builder) renewalTimer(s *Step, bundle string) error {
	if b.f.Certificate.InPlace != "" || b.f.RenewFault != nil || b.f.ProgramPath == "" || b.f.StateDir == "" {
		return nil
	}
	cron := !b.f.Systemd && b.f.Timer.Cron.Path != ""
	masked := b.f.Timer.Masked
	timed := b.f.Systemd && masked == "" || cron
	b.plan.Deployment.Timed = timed
	if timed || b.f.Certificate.Hook.Path != "" {
		b.installProgram(s)
		b.deployHook(s)
	}
	if masked != "" {
		b.plan.Notes = append(b.plan.Notes, problem.Finding{
			ID: "renewal", Level: problem.Note, Found: masked + " is masked, so no timer looks for a renewed certificate",
			Why: "the front serves a copy, and a renewed certificate would not reach it", Do: "systemctl unmask " + masked + ", then apply again; or have bitgate cert renew run every hour",
		})
	}
	if !timed {
		return nil
	}
	unit := templates.RenewUnit{Program: b.f.ProgramPath, StateDir: b.f.StateDir, Writable: []string{filepath.Dir(bundle)}, Environment: b.wayOut()}
	if cron {
		sum := fnv.New32()
		_, _ = sum.Write([]byte(b.a.URL.Host())) // never fails
		text, err := templates.RenewCron(unit, int(sum.Sum32()%60))
		if err != nil {
			return nil //nolint:nilerr // such a path is the administrator's own business: verify tells that nobody renews
		}
		b.wholeIn(PhaseRenewal, s, b.f.Timer.Cron, []byte(text))
		return nil
	}
	if how := b.plan.Deployment.Control.How; how == service.Init || how == service.Command {
		unit.Writable = append(unit.Writable, "/run", "/var/lib") // where such programs keep what they note
	}
	text, err := templates.RenewService(unit)
	if err != nil {
		return err
	}
	timer, err := templates.RenewTimer()
	if err != nil {
		return err
	}
	before := len(s.Changes)
	b.wholeIn(PhaseRenewal, s, b.f.Timer.Service, []byte(text))
	b.wholeIn(PhaseRenewal, s, b.f.Timer.Timer, []byte(timer))
	if len(s.Changes) == before {
		return nil
	}
	if b.a.Reload == Never {
		b.plan.Pending = append(b.plan.Pending, "systemctl enable --now "+RenewTimer)
		return nil
	}
	s.Changes = append(s.Changes, Change{Phase: PhaseRenewal, Service: &ServiceChange{
		Target: "renewal", Verb: service.Start, Control: service.Control{How: service.Systemd, Name: RenewTimer},
	}})
	return nil
}
