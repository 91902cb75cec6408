package doctor

import (
	"context"
	"encoding/json"
	"fmt"

	"bitgate/bitbucket"
)

var statusChecks = []check{{
	id: "status", title: "Bitbucket answers through the front", https: true,
	why:  "the front must pass the context path on unchanged, and Bitbucket must run under the same one",
	do:   "compare the context path of Bitbucket's configuration with the public URL, and see that Bitbucket runs",
	look: lookStatus,
}}

// lookStatus reads {context}/status, which needs no authentication (Atlassian
// KB "How to monitor if Bitbucket Server is up and running").
func lookStatus(ctx context.Context, p *probe) verdict {
	a, err := p.get(ctx, p.t.URL.Origin()+p.t.URL.StatusPath())
	if err != nil {
		return fail(err.Error())
	}
	var body struct {
		State bitbucket.State `json:"state"`
	}
	if json.Unmarshal(a.body, &body) != nil || body.State == "" {
		return notStatus(p, a)
	}
	seen := fmt.Sprintf("%s says %s (HTTP %d)", p.t.URL.StatusPath(), body.State, a.status)
	switch body.State {
	case bitbucket.Running:
		return ok(seen)
	case bitbucket.FirstRun:
		return note(seen).because("Bitbucket waits for its first setup").doing("open " + p.t.URL.BaseURL())
	case bitbucket.Maintenance:
		return warn(seen).because("Bitbucket is in maintenance (backup or migration)").doing("verify again when it has ended")
	case bitbucket.Starting:
		return fail(seen).because("Bitbucket has not finished starting").doing("wait a minute and verify again")
	}
	return fail(seen)
}

func notStatus(p *probe, a answer) verdict {
	seen := fail(fmt.Sprintf("%s answers %s, not Bitbucket's state", p.t.URL.StatusPath(), a.line()))
	if a.withoutServer() {
		return seen.because("the front runs but gets no answer from Bitbucket").
			doing("see that Bitbucket runs and that the front's upstream address and health check path are right")
	}
	return seen
}
