package check

import (
	"context"
	"slices"
	"strings"

	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/haproxy/live/stage"
	"bitgate/haproxy/rehearsal"
	"bitgate/internal/problem"
	"bitgate/proxy/config"
	"bitgate/setup"
)

// Rehearsal is the id of the finding that says how the rehearsal went; there is
// one also where all is well.
const Rehearsal = "rehearsal"

// rehearse tries the set as it is and as it will be in the real HAProxy. What
// would not reach Bitbucket, and what would change for others, forbids apply.
func (pr Prover) rehearse(ctx context.Context, f setup.Facts, p setup.Plan, present, set, extra []live.Candidate) []problem.Finding {
	r, err := stage.Of(f.HAProxy, f.RunsFrom())
	if err != nil {
		report := rehearsal.Report{Why: err.Error()}
		report.Untried(p.Unjudged)
		report.Accept(p.Answers.Accept)
		return report.List()
	}
	r.Before, r.After, r.Merged, r.Unjudged = sources(present), sources(set), true, p.Unjudged
	return pr.report(ctx, f, p, r, extra)
}

// rehearseBuiltin tries the configuration that the built-in proxy will have.
func (pr Prover) rehearseBuiltin(ctx context.Context, f setup.Facts, p setup.Plan) ([]problem.Finding, error) {
	data, err := p.Applied(f.ProxyConfig.Path, f.ProxyConfig.Data)
	if err != nil {
		return nil, err
	}
	c, err := config.Parse(f.ProxyConfig.Path, data)
	if err != nil {
		return nil, err
	}
	extra, err := pr.newFiles(p)
	if err != nil {
		return nil, err
	}
	r := stage.Rehearsal{Program: f.RunsFrom(), Proxy: &stage.Proxy{Path: f.ProxyConfig.Path, Config: c}}
	if now, err := config.Parse(f.ProxyConfig.Path, f.ProxyConfig.Data); err == nil && !f.ProxyConfig.Absent {
		r.Present = &stage.Proxy{Path: f.ProxyConfig.Path, Config: now}
	}
	return pr.report(ctx, f, p, r, extra), nil
}

// report is what the rehearsal says of what the answers want.
func (pr Prover) report(ctx context.Context, f setup.Facts, p setup.Plan, r stage.Rehearsal, extra []live.Candidate) []problem.Finding {
	for _, e := range extra {
		r.New = append(r.New, stage.File(e))
	}
	r.Bitbucket = Bitbucket(p.Answers)
	r.Bitbucket.Thumbprint = setup.Thumbprint(f, p.Answers)
	if r.Proxy != nil {
		r.Bitbucket.Plain = r.Proxy.Plain()
	}
	r.Progress = pr.Progress
	r.Bitbucket.Renewer = setup.RenewerAt(f, p.Answers)
	report := r.Run(ctx)
	report.HTTP2 = nil // the plan's notes say so
	report.Accept(p.Answers.Accept)
	all := report.List()
	if report.Rehearsed && len(report.Findings) == 0 && len(r.Unjudged) > 0 {
		all = append(all, problem.Finding{ID: "rehearsal-tried", Level: problem.Note, Found: "lines that hold for some requests were tried, and kept none of Bitbucket's from it but those named:\n" + strings.Join(r.Unjudged, "\n")})
	}
	return all
}

// Bitbucket is what the answers say of it to whoever asks a front for it and for others.
func Bitbucket(a setup.Answers) rehearsal.Bitbucket {
	b := rehearsal.Bitbucket{
		URL: a.URL, Listen: a.Listen, OldPath: a.RedirectOldPath, Names: slices.Concat(a.RedirectHosts, a.ServeHosts), ClientCA: a.ClientCA,
	}
	upstream, _ := a.UpstreamAt()
	b.Upstreams = []string{upstream}
	if !a.Skips(setup.StepSSH) {
		b.SSHListen, b.SSHUpstream = a.SSHListen, []string{a.SSHUpstream}
	}
	for i, n := range a.NodeList() {
		if i == 0 {
			b.Upstreams, b.SSHUpstream = nil, nil
		}
		b.Upstreams = append(b.Upstreams, n.Address)
		b.SSHUpstream = append(b.SSHUpstream, n.At(a.SSHUpstream))
	}
	return b
}

func sources(set []live.Candidate) []haproxy.Source {
	var out []haproxy.Source
	for _, c := range set {
		out = append(out, haproxy.Source(c))
	}
	return out
}
