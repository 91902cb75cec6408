package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// printUsage is what help says of a command after its description: cobra's own text
// with the flags in groups, and `bitgate --help` without any, for setup lists them. It
// is no template of cobra's: those have the linker keep every method of every type,
// 2.5 MB that nobody calls.
func (p *process) printUsage(c *cobra.Command) error {
	var b strings.Builder
	b.WriteString("Usage:")
	if c.Runnable() {
		b.WriteString("\n  " + c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		b.WriteString("\n  " + c.CommandPath() + " [command]")
	}
	if c.HasExample() {
		b.WriteString("\n\nExamples:\n" + c.Example)
	}
	if c.HasAvailableSubCommands() {
		for _, g := range c.Groups() {
			listCommands(&b, g.Title, c, g.ID)
		}
		if len(c.Groups()) == 0 {
			listCommands(&b, "Available Commands:", c, "")
		} else if !c.AllChildCommandsHaveGroup() {
			listCommands(&b, "Additional Commands:", c, "")
		}
	}
	if c.HasAvailableLocalFlags() && c.HasParent() {
		b.WriteString("\n\nFlags:\n" + strings.TrimRight(flagGroups(c, p.columns()), " \n"))
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n\nUse \"%s [command] --help\" for more information about a command.", c.CommandPath())
	}
	_, err := fmt.Fprintln(c.OutOrStderr(), b.String())
	return err
}

func listCommands(b *strings.Builder, title string, c *cobra.Command, group string) {
	b.WriteString("\n\n" + title)
	for _, sub := range c.Commands() {
		if sub.GroupID == group && (sub.IsAvailableCommand() || sub.Name() == "help") {
			fmt.Fprintf(b, "\n  %-*s %s", sub.NamePadding(), sub.Name(), sub.Short)
		}
	}
}
