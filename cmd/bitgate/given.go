package main

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"bitgate/interview"
	"bitgate/setup"
)

// given reports whether the command line says this answer, by a flag or in the file of
// --answers. A variable of the environment stands for every command, and so for none.
func (ses *session) given(id string) bool {
	from := ses.inputSources[id].From
	return from == setup.FromFlag || from == setup.FromFile && ses.answersFlag
}

// ofTheRun are the answers that say how a plan is carried out, and not what is planned.
var ofTheRun = []string{"admin-user", "admin-password-file", "cert-password-file", "on-failure", "restart-timeout", "ca-file", "accept"}

// beside gives the plan of a file what was said of the run. What says otherwise than the
// plan is refused: a plan is carried out as it was shown.
func (ses *session) beside(file string, plan *setup.Plan) error {
	var other []string
	for _, q := range asked() {
		text := q.Get(ses.input)
		if q.Virtual || !ses.given(q.ID) || text == "" {
			continue
		}
		orders := q.ID == "ca-file" && plan.Answers.ACME != "" // the order is made with it
		if slices.Contains(ofTheRun, q.ID) && !orders {
			if err := q.Set(&plan.Answers, text); err != nil {
				return err
			}
			continue
		}
		says := []string{q.Get(plan.Answers)}
		if q.ID == "cert" {
			says = append(says, plan.Answers.PEM) // what it is called where the key is in it
		}
		if !slices.Contains(says, strings.TrimRight(text, "/")) && !slices.Contains(says, text) {
			other = append(other, "--"+q.ID)
		}
	}
	if len(other) > 0 {
		return usage(strings.Join(other, " ")+": "+file+" says otherwise, and a plan is carried out as it is",
			"leave them out, or make a new plan with them: bitgate plan -o FILE")
	}
	if ses.given("on-failure") {
		plan.Run.OnFailure = plan.Answers.OnFailure
	}
	if ses.given("restart-timeout") {
		plan.Run.RestartTimeout = plan.Answers.RestartTimeout
	}
	return nil
}

// upon puts what was given on top of what a run has set up.
func (ses *session) upon(plan *setup.Plan) error {
	a := &plan.Answers
	for _, q := range asked() {
		if q.Virtual || !ses.given(q.ID) {
			continue
		}
		if err := q.Set(a, q.Get(ses.input)); err != nil {
			return err
		}
	}
	if ses.given("no-ssh") && a.NoSSH && !ses.given("ssh-listen") {
		a.SSHListen, a.SSHUpstream = "", ""
	}
	if was, err := url.Parse(plan.Run.UpstreamAfter); err == nil && ses.given("upstream") {
		plan.Run.UpstreamAfter = strings.TrimRight(a.Upstream, "/") + was.Path
	}
	return nil
}

// foundAnew are the answers that are found on the machine, and are others after an upgrade.
var foundAnew = []string{"home", "install", "bitbucket-version", "upstream", "haproxy-bin", "max-header"}

// asSaid leaves out of a plan's answers, which hold what was found too, what is found
// without them, so that it is found anew by the next run. Others are found only where the
// home was said.
func (ses *session) asSaid(ctx context.Context, plan setup.Answers) setup.Answers {
	said := plan
	for _, id := range foundAnew {
		if q, _ := interview.Find(id); q.Set(&said, "") != nil {
			return plan
		}
	}
	for range foundAnew {
		f, err := ses.look(ctx, said)
		if err != nil {
			return plan
		}
		found, _ := setup.Resolve(f, said, setup.Sources{})
		lacks := slices.DeleteFunc(slices.Clone(foundAnew), func(id string) bool {
			q, _ := interview.Find(id)
			return q.Get(found) == q.Get(plan)
		})
		if len(lacks) == 0 {
			return said
		}
		q, _ := interview.Find(lacks[0])
		if q.Set(&said, q.Get(plan)) != nil {
			return plan
		}
	}
	return plan
}
