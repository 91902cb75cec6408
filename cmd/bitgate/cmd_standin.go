package main

import (
	"github.com/spf13/cobra"

	"bitgate/bitbucket/bitbuckettest"
)

// standIn is the hidden command's name.
const standIn = "demo-bitbucket"

// newStandIn is the demo's Bitbucket as a process of its own, because a restart
// is a signal to a process. Hidden: it is of no use to people.
func newStandIn(p *process) *cobra.Command {
	o := bitbuckettest.Options{}
	c := &cobra.Command{
		Use:    standIn,
		Short:  "The demo's stand-in Bitbucket",
		Hidden: true,
		Args:   args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			o.Stdin = p.In
			return bitbuckettest.Run(c.Context(), o, p.Out)
		},
	}
	c.Flags().StringVar(&o.Dir, "dir", "", "its `DIR`")
	c.Flags().StringVar(&o.Version, "version", "", "which `VERSION` to be")
	c.Flags().BoolVar(&o.PublicRepo, "public", false, "its repository can be read anonymously")
	return c
}
