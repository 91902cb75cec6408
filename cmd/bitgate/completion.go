package main

import (
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"bitgate/interview"
	"bitgate/setup/journal"
)

// completes reports whether a shell asks what may follow (cobra's hidden commands).
func (p process) completes() bool {
	return len(p.Args) > 0 && strings.HasPrefix(p.Args[0], cobra.ShellCompRequestCmd)
}

// addCompletions says for every flag below c what its value may be: what its
// placeholder says, or the words of its question. Only FILE is left to the shell.
func addCompletions(c *cobra.Command) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if complete := flagValues(f); complete != nil {
			_ = c.RegisterFlagCompletionFunc(f.Name, complete) // fails for a flag that has one
		}
	})
	for _, sub := range c.Commands() {
		addCompletions(sub)
	}
}

// flagValues is nil where the shell completes files.
func flagValues(f *pflag.Flag) cobra.CompletionFunc {
	arg, _ := pflag.UnquoteUsage(f)
	if q, is := f.Value.(*questionFlag); is && len(q.q.Options) > 0 {
		var words []string
		for _, o := range q.q.Options {
			words = append(words, cobra.CompletionWithDesc(o.Value, o.Label))
		}
		return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	}
	switch {
	case arg == "FILE":
		return nil
	case arg == "DIR":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	case arg == "STEP":
		return cobra.FixedCompletions(interview.Steps, cobra.ShellCompDirectiveNoFileComp)
	}
	var words []string
	for word := range strings.SplitSeq(arg, "|") {
		if strings.Contains(arg, "|") && strings.IndexFunc(word, unicode.IsUpper) < 0 {
			words = append(words, word)
		}
	}
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

// runIDs completes an argument that names a run.
func runIDs(p *process, dir func() string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		runs, _ := journal.History(stateDirOf(p, dir())) // none where it cannot be read
		var ids []string
		for _, r := range runs {
			ids = append(ids, cobra.CompletionWithDesc(r.ID, r.Started.Local().Format(time.DateTime)+", "+string(r.State)))
		}
		return ids, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}
