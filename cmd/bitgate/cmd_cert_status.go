package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"bitgate/certs/renewal"
	"bitgate/cmd/bitgate/view"
	"bitgate/internal/problem"
	"bitgate/proxy/metrics"
	"bitgate/setup/renew"
)

func newCertStatus(p *process) *cobra.Command {
	var dir string
	var as statusForm
	c := &cobra.Command{
		Use:   "status",
		Short: "Show how the front's certificate stands and who renews it",
		Long: `Shows the certificate that the front reads, the one that each of its addresses shows,
where it comes from, who renews it, when that is due, and how the last attempt went.
It changes nothing. With --metrics it is what Prometheus reads, for whatever collects
files (the textfile collector of the node exporter); the built-in proxy has the same
about failures at /metrics.`,
		Example: `  bitgate cert status
  bitgate cert status --metrics > /var/lib/prometheus/node-exporter/bitgate.prom`,
		Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			return runCertStatus(c.Context(), p, stateDirOf(p, dir), as)
		},
	}
	c.Flags().BoolVar(&as.json, "json", false, "print the status as JSON")
	c.Flags().BoolVar(&as.metrics, "metrics", false, "print the status as metrics, in Prometheus's text format")
	c.MarkFlagsMutuallyExclusive("json", "metrics")
	addStateDir(c, &dir)
	return c
}

// statusForm is how the status is printed, for people where neither is set.
type statusForm struct{ json, metrics bool }

func runCertStatus(ctx context.Context, p *process, stateDir string, as statusForm) error {
	s, found, err := newRenewer(p, stateDir, nil, nil).Status(ctx, p.Root)
	switch {
	case err != nil:
		return err
	case as.json && !found:
		return view.Value(p.Out, []renew.Status{})
	case as.json:
		s.Why, s.Error = p.asCalled(s.Why), p.asCalled(s.Error)
		return view.Value(p.Out, []renew.Status{s})
	case as.metrics && !found:
		return nil
	case as.metrics:
		return writeStatusMetrics(p.Out, s)
	case !found:
		out(p.Out, "No run here has set up a front.")
		return nil
	}
	printCertStatus(p, s, time.Now())
	return nil
}

func writeStatusMetrics(w io.Writer, s renew.Status) error {
	var ends []metrics.End
	if s.Leaf != "" {
		ends = append(ends, metrics.End{Source: "file", At: s.Until.Unix()})
	}
	for _, shown := range s.Shown {
		if shown.Leaf != "" {
			ends = append(ends, metrics.End{Source: shown.Address, At: shown.Until.Unix()})
		}
	}
	return metrics.WriteRenewal(w, metrics.Renewal{Host: s.Host, Failures: s.Failures, LastGood: max(0, s.LastGood.Unix())}, ends)
}

func printCertStatus(p *process, s renew.Status, now time.Time) {
	line := func(name, text string) { out(p.Out, "  %-9s %s", name, text) }
	out(p.Out, "%s", s.Host)
	line("Source", s.Source)
	line("File", s.Bundle)
	if s.Leaf != "" {
		line("", fmt.Sprintf("valid until %s: %s, %.0f %% of its life", s.Until.Local().Format("2006-01-02 15:04"), renewal.In(s.Life().Left(now)), 100*s.Left))
		line("", "SHA-256 "+s.Leaf)
	}
	for _, shown := range s.Shown {
		text := shown.Address + ": the same"
		switch {
		case shown.Error != "":
			text = shown.Address + ": " + shown.Error
		case s.Leaf == "":
			text = shown.Address + ": SHA-256 " + shown.Leaf
		case shown.Leaf != s.Leaf:
			text = shown.Address + ": another, SHA-256 " + shown.Leaf
		}
		line("Shown at", text)
	}
	by := cmp.Or(s.Renewer, "nobody that is known")
	if s.Runs != "" {
		by += " (" + s.Runs + ")"
	}
	if !s.Next.IsZero() {
		by += ", due " + s.Next.Local().Format("2006-01-02 15:04")
	}
	line("Renewed", "by "+by)
	timer := p.asCalled("none: bitgate cert deploy installs a renewed one")
	if s.Timer != "" {
		timer = s.Timer
		if !s.Alive {
			timer += ", which does not run"
		}
	}
	line("Installed", "by "+timer)
	if !s.LastGood.IsZero() {
		line("Last", s.LastGood.Local().Format("2006-01-02 15:04"))
	}
	p.text().Findings(s.Findings(now))
}

// renewalFindings tell verify of the renewal, from the same state as cert status.
func (ses *session) renewalFindings(ctx context.Context, host string) []problem.Finding {
	s, found, err := newRenewer(ses.p, ses.probe.StateDir, nil, nil).Status(ctx, ses.probe.Root)
	if err != nil {
		return unseen(err)
	}
	if !found || s.Host != host {
		return nil
	}
	return s.Findings(time.Now())
}

// unseen tells that nobody knows how renewals go; not where that is root's alone.
func unseen(err error) []problem.Finding {
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return []problem.Finding{{
		ID: "renewal", Level: problem.Warn, Title: "Renewal of the certificate", Found: "how it goes cannot be seen: " + err.Error(),
		Why: "what is kept of the runs is needed for every renewal", Do: "mend what it says, then bitgate cert status",
	}}
}

// renewal is the same for the guided setup's first screen.
func (ses *session) renewal(ctx context.Context) (stands string, wrong []problem.Finding) {
	s, found, err := newRenewer(ses.p, ses.probe.StateDir, nil, nil).Status(ctx, ses.probe.Root)
	if err != nil {
		return "", unseen(err)
	}
	if !found {
		return "", nil
	}
	return s.Line(), s.Findings(time.Now())
}
