package check

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"bitgate/bitbucket"
	"bitgate/certs"
	"bitgate/haproxy/live"
	"bitgate/internal/hostport"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// Prover proves plans.
type Prover struct {
	DNS      DNS                                  // who is asked before an order
	Unlock   func(locked error) ([][]byte, error) // see certs.Unlock; nil where there are none
	Progress func(what string)                    // told of a rehearsal; may be nil
}

// Plan proves the plan before anything changes: `haproxy -c` on a
// copy, free ports, writable folders, the certificate, Bitbucket's state. A
// finding of level Fail forbids apply.
func (pr Prover) Plan(ctx context.Context, f setup.Facts, p setup.Plan) ([]problem.Finding, error) {
	out := slices.Concat(checkBitbucket(f, p), checkNodes(f, p), f.Certificate.Findings, Ports(f, p), checkTomcat(f, p), checkFiles(f, p),
		Host(ctx, f.Root, p.Answers), pr.checkOrder(ctx, f, p), checkSystemd(ctx, f, p))
	if p.Answers.Front == setup.FrontHAProxy && f.HAProxy.Bin != "" && !p.Answers.Skips(setup.StepHAProxy) {
		found, err := pr.checkHAProxy(ctx, f, p)
		if err != nil {
			return nil, err
		}
		out = slices.Concat(out, found, checkService(f, p))
	}
	if p.Answers.Front == setup.FrontBuiltin && p.TouchesFront() {
		found, err := pr.rehearseBuiltin(ctx, f, p)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

func checkBitbucket(f setup.Facts, p setup.Plan) []problem.Finding {
	restarts, url := false, false
	for _, c := range p.Changes() {
		restarts = restarts || c.Phase == setup.PhaseRestart
		url = url || c.BaseURL != nil
	}
	in := f.Instance
	found := problem.Finding{ID: "bitbucket", Level: problem.OK, Found: fmt.Sprintf("Bitbucket at %s says %s", in.Base, in.State)}
	switch {
	case in.State.Runs():
	case !restarts && !url:
		found.Level = problem.Note
	case in.State == bitbucket.Unreachable:
		found.Level, found.Found = problem.Fail, fmt.Sprintf("Bitbucket does not answer at %s (%s)", in.Base, in.Detail)
		found.Why = "its base URL is changed through Bitbucket itself, and a restart must not hide an older fault"
		found.Do = "start it and wait until it runs, or check --upstream"
	default:
		found.Level = problem.Fail
		found.Why = "a restart now would interrupt what it is doing"
		found.Do = "wait until " + in.Base + "/status says RUNNING"
	}
	return []problem.Finding{found}
}

// Ports checks that each port is free, or held by the front that is about to take it.
func Ports(f setup.Facts, p setup.Plan) []problem.Finding {
	if !p.TouchesFront() {
		return nil
	}
	listens := append([]string{}, p.Answers.Listen...)
	for _, one := range []string{p.Answers.SSHListen, p.Answers.HealthListen, p.Answers.PlainListen} {
		if one != "" {
			listens = append(listens, one)
		}
	}
	if p.Answers.HTTPRedirect == setup.Always {
		listens = append(listens, setup.RedirectAddresses(p.Answers)...)
	}
	happens := "reloaded"
	if slices.ContainsFunc(p.Changes(), func(c setup.Change) bool {
		return c.Service != nil && c.Service.Target == "proxy" && c.Service.Verb == service.Restart
	}) {
		happens = "restarted"
	}
	var out []problem.Finding
	for _, l := range listens {
		if found, ok := absentAddress(l); ok {
			out = append(out, found)
		}
		h, held := setup.Holder(f.Listeners, l)
		front := p.Answers.Front == setup.FrontHAProxy && h.Process == "haproxy" ||
			p.Answers.Front == setup.FrontBuiltin && h.Ours()
		at, _ := hostport.Parse(l) // judged by validate
		found := problem.Finding{ID: "port", Level: problem.OK, Found: "port " + l + " is free"}
		switch {
		case !held:
		case p.Run.GivesUp == strconv.Itoa(at.Port):
			found.Found = "port " + l + " is held by Bitbucket, which gives it up when it is restarted"
		case front && apart(h, p.Run.Front):
			found = startedTwice(l, h, p.Run.Front)
		case front:
			found.Found = fmt.Sprintf("port %s is held by %s, which will be %s", l, h.Process, happens)
		default:
			found = inUse(l, h, "the front could not start there", "stop that program, or choose another address (--listen, --ssh-listen; --http-redirect never for port 80)")
		}
		out = append(out, found)
	}
	return out
}

// inUse is for a port that somebody else holds.
func inUse(listen string, by setup.Listener, why, do string) problem.Finding {
	return problem.Finding{
		ID: "port", Level: problem.Fail, Found: fmt.Sprintf("%s is in use by %s (process %d, %s)", listen, by.Program(), by.PID, by.Address), Why: why, Do: do,
	}
}

// checkHAProxy runs the real program over the set as it will be. What bitgate
// adds may mend the present set (the first listener, the end of the last line),
// so that one is looked at only to tell whose fault a refusal is.
func (pr Prover) checkHAProxy(ctx context.Context, f setup.Facts, p setup.Plan) ([]problem.Finding, error) {
	var set, present []live.Candidate
	for _, file := range f.HAProxyFiles {
		after, err := p.Applied(file.Path, file.Data)
		if err != nil {
			return nil, err
		}
		if len(after) > 0 || !file.Absent {
			set = append(set, live.Candidate{Path: file.Path, Data: after})
		}
		if !file.Absent {
			present = append(present, live.Candidate{Path: file.Path, Data: file.Data})
		}
	}
	extra, err := pr.newFiles(p)
	if err != nil {
		return nil, err
	}
	report, err := f.HAProxy.Service.Check(ctx, f.HAProxy.Bin, set, extra)
	if err != nil {
		return nil, err
	}
	if !report.OK {
		before, err := f.HAProxy.Service.Check(ctx, f.HAProxy.Bin, present, nil)
		if err != nil {
			return nil, err
		}
		if len(present) > 0 && !before.OK {
			return brokenBefore(f, before), nil
		}
		return []problem.Finding{{
			ID: "haproxy", Level: problem.Fail, Found: "HAProxy refuses the merged configuration: " + FirstAlert(report),
			Why: "it would not start with it; nothing has been changed", Do: "see the line it names",
		}}, nil
	}
	accepted := problem.Finding{ID: "haproxy", Level: problem.OK, Found: "haproxy -c accepts the merged configuration"}
	return append([]problem.Finding{accepted}, pr.rehearse(ctx, f, p, present, set, extra)...), nil
}

// newFiles are the certificate bundles that the run would write.
func (pr Prover) newFiles(p setup.Plan) ([]live.Candidate, error) {
	var out []live.Candidate
	for _, c := range p.Changes() {
		if c.Certificate == nil {
			continue
		}
		bundle, err := pr.bundle(p, c.Certificate)
		if err != nil {
			return nil, err
		}
		out = append(out, live.Candidate{Path: c.Certificate.Path, Data: bundle})
	}
	return out, nil
}

// bundle is that of a change; one of our own for the certificate that is still to be issued.
func (pr Prover) bundle(p setup.Plan, c *setup.CertificateChange) ([]byte, error) {
	if c.After == setup.Ordered {
		_, cert, key, err := certs.Dev([]string{p.Answers.URL.Host()}, 1, time.Now())
		return append(cert, key...), err
	}
	m, err := certs.LoadWith(certs.Open, c.Paths, certs.Unlock{Ask: pr.Unlock})
	if err != nil {
		return nil, err
	}
	return m.Bundle(), nil
}

// brokenBefore tells of every line that HAProxy refuses in the file as it is, and
// what replaces the keywords that it removed.
func brokenBefore(f setup.Facts, report live.Report) []problem.Finding {
	var out []problem.Finding
	add := func(said, do string) {
		out = append(out, problem.Finding{
			ID: "haproxy-before", Level: problem.Fail, Found: "the present HAProxy configuration is refused by HAProxy itself: " + said,
			Why: "a reload would fail whatever bitgate adds", Do: do,
		})
	}
	const repair = "repair it first (haproxy -c -f FILE)"
	for _, m := range report.Messages {
		if m.Level != "ALERT" || m.Line == 0 || len(out) == maxAlerts {
			continue
		}
		do := repair
		if instead := f.HAProxyConfig.Instead(m.File, m.Line); instead != "" {
			do = "use " + instead
		}
		add(fmt.Sprintf("%s, line %d: %s", m.File, m.Line, m.Text), do)
	}
	if len(out) == 0 {
		add(FirstAlert(report), repair)
	}
	return out
}

// maxAlerts is how many refused lines are told of; more follow from the first ones.
const maxAlerts = 10

func FirstAlert(r live.Report) string {
	for _, m := range r.Messages {
		if m.Level != "ALERT" {
			continue
		}
		if m.File != "" {
			return fmt.Sprintf("%s, line %d: %s", m.File, m.Line, m.Text)
		}
		return m.Text
	}
	return r.Output
}

// Stale refuses a plan whose files are not as they were when it was made.
func Stale(p setup.Plan) error {
	for name, want := range p.Inputs {
		if filepath.IsAbs(name) && journal.DigestOf(name) != want {
			return problem.New(name+" has changed since the plan was made",
				"the diff that was reviewed is not what would happen now", "make a new plan (bitgate plan) and review it")
		}
	}
	return nil
}

// The unit of the built-in proxy becomes its user by DynamicUser=, which came with
// systemd 235, and may call what @system-service lists, which came with 239 (its NEWS
// file). Older ones do not know these lines: the proxy would be root, or not start.
const leastSystemd = 239

// checkSystemd: the unit means on this machine what it says.
func checkSystemd(ctx context.Context, f setup.Facts, p setup.Plan) []problem.Finding {
	if !f.Systemd || p.Answers.Front != setup.FrontBuiltin || !p.TouchesFront() {
		return nil
	}
	version := service.SystemdVersion(ctx)
	if version == 0 || version >= leastSystemd { // 0: systemctl is missing, and so says the start
		return nil
	}
	return []problem.Finding{{
		ID: "systemd", Level: problem.Fail,
		Found: fmt.Sprintf("systemd %d is older than %d", version, leastSystemd),
		Why:   "it does not know what the unit asks for: the built-in proxy would run as root, or not start (SystemCallFilter=@system-service)",
		Do:    "choose HAProxy (--front haproxy), or run \"bitgate proxy --config " + f.ProxyConfig.Path + "\" under a supervisor of your own",
	}}
}

// checkNodes: each node must be in a state in which it can be restarted, and one
// that is down needs consent.
func checkNodes(f setup.Facts, p setup.Plan) []problem.Finding {
	restarts := map[string]bool{}
	for _, c := range p.Changes() {
		if c.RestartsBitbucket() {
			restarts[c.Service.Node] = true
		}
	}
	var out []problem.Finding
	for _, n := range f.Nodes {
		found := problem.Finding{ID: "node", Level: problem.OK, Found: fmt.Sprintf("node %s at %s says %s", n.Name, n.Base, n.State)}
		switch {
		case n.State == bitbucket.Unreachable:
			found.Level, found.Found = problem.Fail, fmt.Sprintf("node %s does not answer at %s (%s)", n.Name, n.Base, n.Detail)
			found.Why = "users would be served by a part of the cluster"
			found.Do = "start it, or give --partial-service to go on without it"
			if p.Answers.PartialService || !p.ServesFront() && !restarts[n.Name] {
				found.Level = problem.Warn
			}
		case n.State.Busy() && restarts[n.Name]:
			found.Level, found.Why = problem.Fail, "a restart now would interrupt what it is doing"
			found.Do = "wait until " + n.Base + "/status says RUNNING"
		case !n.State.Serves():
			found.Level = problem.Warn
		}
		out = append(out, found)
	}
	return out
}
