package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"bitgate/internal/problem"
)

// newRoot builds the command tree. A command is listed only because it works.
func newRoot(p *process) *cobra.Command {
	root := &cobra.Command{
		Use:   "bitgate",
		Short: "Put Bitbucket behind HTTPS",
		Long: `bitgate puts a Bitbucket Server, Data Center or Stash behind HTTPS: it does the
documented steps (context path, base URL, Tomcat connector, HAProxy), proves from
outside that the result works, and can take everything back.

Without a command it starts the guided setup.`,
		Example: `  bitgate                     guided setup
  bitgate demo                try it on a stand-in Bitbucket, nothing on this machine changes
  bitgate plan --url https://git.example.com --cert fullchain.pem --key privkey.pem
  bitgate apply --answers answers.yaml --yes
  bitgate undo                take the last run back`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownCommand,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage(err.Error(), "see "+c.CommandPath()+" --help")
	})
	root.SuggestionsMinimumDistance = 2
	version := root.Flags().Bool("version", false, "print the version") // cobra's own would be -v, too
	root.SetUsageFunc(p.printUsage)
	addGroups(root)
	listed(root, groupProxy, newProxy(p))
	if p.serves() { // for months, so it does without what it will not need
		return root
	}
	setup := newSetup(p)
	root.RunE = func(c *cobra.Command, args []string) error {
		if *version {
			return newVersion(p).RunE(c, args)
		}
		return setup.RunE(c, args)
	}
	root.Flags().AddFlagSet(setup.Flags())
	listed(root, groupSetUp, setup, newPlan(p), newApply(p), newRehearse(p), newRender(p), newDemo(p))
	listed(root, groupLook, newVerify(p), newHistory(p), newReport(p))
	listed(root, groupBack, newUndo(p), newRecover(p))
	listed(root, groupCertificates, newCert(p))
	listed(root, groupHelp, newMan(p), newVersion(p))
	root.AddCommand(newStandIn(p), newStage(p)) // hidden
	if p.completes() {
		addCompletions(root)
	}
	return root
}

// Headings of the commands in help and manual.
const (
	groupSetUp        = "Set up"
	groupLook         = "Look"
	groupBack         = "Take back"
	groupCertificates = "Certificates"
	groupProxy        = "Built-in proxy"
	groupHelp         = "Help"
)

func addGroups(root *cobra.Command) {
	for _, title := range []string{groupSetUp, groupLook, groupBack, groupCertificates, groupProxy, groupHelp} {
		root.AddGroup(&cobra.Group{ID: title, Title: title + ":"})
	}
	root.SetHelpCommandGroupID(groupHelp)
	root.SetCompletionCommandGroupID(groupHelp)
}

// listed adds commands under a heading.
func listed(root *cobra.Command, group string, commands ...*cobra.Command) {
	for _, c := range commands {
		c.GroupID = group
	}
	root.AddCommand(commands...)
}

func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	do := "see bitgate --help"
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		do = "did you mean bitgate " + strings.Join(near, " or bitgate ") + "?"
	}
	return usage(fmt.Sprintf("%q is not a command", args[0]), do)
}

// args accepts at most most arguments, and at least least.
func args(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usage("an argument is missing", "usage: "+c.UseLine())
		case len(args) > most:
			return usage(fmt.Sprintf("%q is one argument too many", args[most]), "usage: "+c.UseLine())
		}
		return nil
	}
}

// cancelled is leaving before consent.
func cancelled() error {
	return problem.New("cancelled; nothing was changed", "", "").WithKind(problem.Cancelled)
}
