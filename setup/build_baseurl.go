package setup

import (
	"slices"

	"bitgate/bitbucket"
	"bitgate/internal/service"
	"bitgate/tomcat"
)

// baseURL is step 2. A fresh instance takes it from setup.baseUrl; otherwise
// Bitbucket itself is asked to change it.
func (b *builder) baseURL(s Step) (Step, error) {
	want, sshWant := b.a.URL.BaseURL(), SSHBaseURL(b.a)
	in := b.f.Instance
	switch {
	case b.a.Skips(s.ID) || b.a.BaseURLMethod == MethodSkip:
		s.Skipped = "left out on request"
		if !in.BaseURL.Set || in.BaseURL.Value != want {
			b.plan.Pending = append(b.plan.Pending, "set the base URL to "+want+" (Administration, Server settings)")
		}
		return s, nil
	case in.State == bitbucket.FirstRun && b.f.Properties.Path != "":
		return b.setProperties(s, []tomcat.Property{{Key: "setup.baseUrl", Value: want}})
	case in.State == bitbucket.Unreachable && b.a.Restart == Never:
		s.Skipped = "Bitbucket does not answer, and its services are not to be touched"
		b.plan.Pending = append(b.plan.Pending, "set the base URL to "+want+" once Bitbucket runs")
		return s, nil
	case !needsBaseURL(in, want, sshWant):
		s.Skipped = "the base URL is " + want + " already"
		return s, nil
	}
	c := &BaseURLChange{New: want, SSHNew: sshWant, Method: b.a.BaseURLMethod}
	if in.BaseURL.Set {
		c.Old = in.BaseURL.Value
	}
	if in.SSH.Set && sshWant != "" {
		c.SSHOld = in.SSH.Value
	}
	s.Changes = []Change{{Phase: PhaseBaseURL, BaseURL: c}}
	return s, nil
}

func needsBaseURL(in Instance, want, sshWant string) bool {
	if !in.BaseURL.Set || in.BaseURL.Value != want {
		return true
	}
	return sshWant != "" && (!in.SSH.Set || in.SSH.Value != sshWant)
}

// restart adds Bitbucket's restart to the last upstream step that changed a
// file, or where the running instance is behind its files.
func (b *builder) restart() {
	at := -1
	for i, s := range b.plan.Steps {
		for _, c := range s.Changes {
			if c.Phase == PhaseUpstreamFiles {
				at = i
			}
		}
	}
	restarts := b.restartChanges(at < 0)
	if len(restarts) == 0 {
		return
	}
	if at < 0 {
		// The files are right, the process has not read them yet.
		at = slices.IndexFunc(b.plan.Steps, func(s Step) bool { return s.ID == StepConnector })
	}
	ctl := b.plan.Run.Bitbucket
	if ctl.How == service.Never {
		what := "restart Bitbucket"
		if len(b.a.Nodes) > 0 {
			what += " on each node"
		}
		b.plan.Pending = append(b.plan.Pending, what+": it reads its files only when it starts")
		return
	}
	b.plan.Steps[at].Changes = append(b.plan.Steps[at].Changes, restarts...)
	b.plan.Steps[at].Skipped = ""
}
