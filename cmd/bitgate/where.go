package main

import (
	"cmp"
	"context"
	"net/url"
	"slices"

	"bitgate/doctor/local"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/setup"
)

// onThisMachine reports whether the front, or Bitbucket, is to be looked for here:
// not where the address that is connected to is another machine's.
func (ses *session) onThisMachine(ctx context.Context, plan setup.Plan, v verifyFlags) bool {
	if v.connect != "" {
		return local.Here(ctx, v.connect)
	}
	said := ses.input
	return plan.Run.UpstreamAfter != "" || said.Home != "" || said.HAProxyCfg != "" || v.nginxConf != "" || v.apache != "" || local.Here(ctx, plan.Answers.URL.HostPort())
}

// where is what a run and the administrator know about the machine.
func (ses *session) where(plan setup.Plan, v verifyFlags) local.Where {
	a := plan.Answers
	w := local.Where{
		URL: a.URL, Root: ses.probe.Root, Proc: ses.probe.Proc,
		Home: a.Home, Install: a.Install, Version: a.Version, NginxConf: v.nginxConf, Apache: v.apache, HAProxyCfg: a.HAProxyCfg,
		NoBitbucket: len(a.Nodes) > 0,
	}
	if u, err := url.Parse(plan.Run.UpstreamAfter); err == nil && u.Host != "" && len(a.Nodes) == 0 {
		w.Upstream = u.Scheme + "://" + u.Host
	} else if a.Upstream != "" && len(a.Nodes) == 0 {
		w.Upstream = a.Upstream
	}
	if plan.Run.UpstreamAfter == "" {
		return w
	}
	front := func(s *setup.ServiceChange) bool { return s.OfFront() }
	bitbucket := func(s *setup.ServiceChange) bool { return s.Target == "bitbucket" }
	w.StartBitbucket, w.RestartBitbucket = serviceCommand(plan, service.Start, bitbucket), serviceCommand(plan, service.Restart, bitbucket)
	if a.Skips(setup.StepHAProxy) {
		return w
	}
	w.Listen = slices.Clone(a.Listen)
	w.Front, w.StartFront, w.ReloadFront = "haproxy", serviceCommand(plan, service.Start, front), serviceCommand(plan, service.Reload, front)
	switch a.Front {
	case setup.FrontBuiltin:
		w.Front, w.HAProxyCfg = "bitgate", ""
		w.StartFront = cmp.Or(w.StartFront, "bitgate proxy --config "+problem.ShellWord(a.ProxyConfig))
	case setup.FrontTomcat:
		w.Front, w.HAProxyCfg, w.StartFront, w.ReloadFront = "tomcat", "", w.StartBitbucket, w.RestartBitbucket
	}
	return w
}

// serviceCommand is how a service that the run reloaded or restarted is driven; ""
// where only a person knows.
func serviceCommand(p setup.Plan, verb service.Verb, is func(*setup.ServiceChange) bool) string {
	for _, r := range p.Ordered() {
		s := p.At(r).Service
		if s == nil || !is(s) {
			continue
		}
		switch {
		case s.Control.How == service.Systemd:
			return "systemctl " + string(verb) + " " + s.Control.Name
		case s.Control.How == service.Init:
			return s.Control.Name + " " + string(verb)
		case s.Control.How == service.Command && (s.Verb == verb || s.Verb == service.Restart && verb == service.Start):
			return s.Control.Command
		}
	}
	return ""
}
