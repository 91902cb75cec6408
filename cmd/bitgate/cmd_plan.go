package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"sync"

	"github.com/spf13/cobra"

	"bitgate/cmd/bitgate/view"
	"bitgate/internal/problem"
	"bitgate/setup"
	"bitgate/setup/check"
)

type planOptions struct {
	*sharedFlags
	file     string // the plan to show, "" to make one
	out      string
	json     bool
	exitCode bool
	quiet    bool
}

func newPlan(p *process) *cobra.Command {
	o := planOptions{}
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show what would change",
		Long: `Looks at this machine and shows, as diffs with secrets masked, what apply would
change. It writes nothing but the file named with -o.`,
		Example: `  bitgate plan --url https://git.example.com/bitbucket --cert fullchain.pem --key privkey.pem
  bitgate plan --answers answers.yaml -o plan.json && bitgate apply plan.json`,
		Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return runPlan(c.Context(), p, o) },
	}
	c.Flags().StringVarP(&o.out, "out", "o", "", "write the plan to `FILE`, for bitgate apply FILE")
	c.Flags().BoolVar(&o.json, "json", false, "print the plan as JSON")
	c.Flags().BoolVar(&o.exitCode, "exit-code", false, "exit with 3 when there is something to do")
	c.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "print nothing but errors; for --exit-code and -o")
	o.sharedFlags = addShared(c)
	return c
}

func runPlan(ctx context.Context, p *process, o planOptions) error {
	ses, err := newSession(p, o.sharedFlags)
	if err != nil {
		return err
	}
	defer ses.creds.wipe()
	if !givenPassword(ses.creds) {
		ses.creds.prompt = nil // a preview asks nobody; the old base URL stays unknown
	}
	plan, err := ses.planOnly(ctx, o.file)
	if err != nil {
		return err
	}
	if !o.quiet {
		if err := ses.showAll(ctx, plan, o.json); err != nil {
			return err
		}
	}
	if o.out != "" {
		if err := writePlan(o.out, plan); err != nil {
			return err
		}
	}
	if o.exitCode && !plan.Empty() {
		return errPending
	}
	return nil
}

func givenPassword(c *credentials) bool { return c.user != "" && c.read != nil }

// planOnly is planFor without what only apply needs: a preview works without an
// administrator.
func (ses *session) planOnly(ctx context.Context, file string) (setup.Plan, error) {
	if file != "" {
		return ses.planOfFile(ctx, file)
	}
	if err := ses.detect(ctx); err != nil {
		return setup.Plan{}, err
	}
	if err := ses.signIn(ctx); err != nil {
		return setup.Plan{}, err
	}
	// Build names what is missing for a plan, all at once.
	return setup.Build(ses.facts, ses.answers)
}

func (ses *session) showPlan(plan setup.Plan, asJSON bool) error {
	if asJSON {
		return view.Value(ses.p.Out, plan.Spelt(ses.p.asCalled))
	}
	v := ses.p.text()
	if plan.Empty() {
		out(ses.p.Out, "Nothing to do: %s is set up as asked.", plan.Answers.URL.BaseURL())
		v.Pending(plan.Pending)
		return nil
	}
	v.Plan(plan, setup.Diffs(ses.facts, plan))
	return nil
}

// showAll shows a plan, and below it what apply would stop at, which is looked for
// meanwhile. A program that reads the plan is not told.
func (ses *session) showAll(ctx context.Context, plan setup.Plan, asJSON bool) error {
	if asJSON || plan.Empty() {
		return ses.showPlan(plan, asJSON)
	}
	look := sync.OnceValues(func() ([]problem.Finding, error) { return ses.prover(ctx).Plan(ctx, ses.facts, plan) })
	go func() { _, _ = look() }()
	err := ses.showPlan(plan, asJSON)
	found, failed := look()
	if ctx.Err() != nil {
		err = cmp.Or(err, failed)
	}
	if err != nil {
		return err
	}
	if failed != nil {
		found = append(found, problem.Failure("plan", failed))
	}
	ses.showObstacles(found)
	return nil
}

// showObstacles says what apply would stop at. A preview does not fail for it:
// the obstacle may be gone by then.
func (ses *session) showObstacles(found []problem.Finding) {
	v := ses.p.text()
	for _, f := range found {
		if f.ID == check.Rehearsal && f.Level != problem.Fail {
			out(ses.p.Out, "")
			v.Finding(f)
		}
	}
	if bad := problem.Failures(found); len(bad) > 0 {
		out(ses.p.Out, "\n%s", ses.p.style().Bold("As things are, apply would refuse this plan"))
		v.Findings(bad)
	}
}

func writePlan(file string, plan setup.Plan) error {
	var b bytes.Buffer
	if err := view.Value(&b, plan); err != nil {
		return err
	}
	return writePrivate(file, b.Bytes())
}

// readPlan reads what writePlan wrote, strictly: a plan is a list of deeds.
func readPlan(file string) (setup.Plan, error) {
	var plan setup.Plan
	data, err := readTrusted("the plan", file)
	if err != nil {
		return plan, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&plan); err != nil {
		return plan, problem.Wrap(err, file+" is not a plan", "", "make one: bitgate plan -o FILE").WithKind(problem.Usage)
	}
	return plan, nil
}
