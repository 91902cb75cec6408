package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"bitgate/interview"
	"bitgate/setup"
)

// answerGroups are the headings under which help lists the answers of a setup.
var answerGroups = []struct{ step, title string }{
	{interview.StepBitbucket, "Bitbucket"},
	{setup.StepContextPath, "Public URL and context path"},
	{setup.StepBaseURL, "Base URL"},
	{setup.StepConnector, "Connector and restart"},
	{setup.StepHAProxy, "Front and certificate"},
	{setup.StepSSH, "SSH"},
	{interview.StepReview, "The run"},
}

// fewAnswers marks a command that has the answers of the run it is about.
const fewAnswers = "few answers"

// backAnswers are those that such a command may need all the same.
var backAnswers = []string{"admin-user", "admin-password-file", "base-url-method", "restart-timeout"}

// flagGroups lists the flags of a command: its own, then the answers step by step, or
// only those that it may need. Lines have so many columns at most, 0 for any.
func flagGroups(c *cobra.Command, columns int) string {
	few := c.Annotations[fewAnswers] != ""
	step := map[string]string{}
	for _, q := range interview.Questions() {
		if !few || !slices.Contains(backAnswers, q.ID) {
			step[q.ID] = q.Step
		}
	}
	own, groups, left := pflag.NewFlagSet("", pflag.ContinueOnError), map[string]*pflag.FlagSet{}, 0
	own.SortFlags = c.LocalFlags().SortFlags
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		s, answer := step[f.Name]
		switch {
		case !answer:
			own.AddFlag(f)
		case few:
			left++
		default:
			if groups[s] == nil {
				groups[s] = pflag.NewFlagSet(s, pflag.ContinueOnError)
				groups[s].SortFlags = false
			}
			groups[s].AddFlag(f)
		}
	})
	var b strings.Builder
	b.WriteString(own.FlagUsagesWrapped(columns))
	if left > 0 {
		fmt.Fprintf(&b, "\nThe answers are those of the run; bitgate setup --help lists all of them.\n")
	}
	for _, g := range answerGroups {
		if set := groups[g.step]; set != nil {
			fmt.Fprintf(&b, "\n%s:\n%s", g.title, set.FlagUsagesWrapped(columns))
		}
	}
	return b.String()
}
