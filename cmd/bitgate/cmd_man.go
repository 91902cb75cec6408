package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newMan(p *process) *cobra.Command {
	return &cobra.Command{
		Use:     "man",
		Short:   "Print the manual page",
		Example: `  bitgate man | man -l -`,
		Args:    args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			manPage(p.Out, c.Root())
			return nil
		},
	}
}

// manPage writes man(7) macros: one page for the whole tree.
func manPage(w io.Writer, root *cobra.Command) {
	out(w, `.TH BITGATE 1 "" "bitgate" "User commands"`)
	out(w, ".SH NAME\nbitgate \\- %s", roff(root.Short))
	out(w, ".SH SYNOPSIS\n.B bitgate\n[command] [flags]")
	out(w, ".SH DESCRIPTION\n%s", roff(root.Long))
	out(w, ".SH COMMANDS")
	for _, c := range root.Commands() {
		manCommand(w, c)
	}
	out(w, ".SH EXIT STATUS")
	for _, e := range exitTexts {
		out(w, ".TP\n.B %d\n%s", e.code, roff(e.text))
	}
	out(w, ".SH EXAMPLES\n.nf\n%s\n.fi", roff(root.Example))
}

// exitTexts explains the numbers of exitCode.
var exitTexts = []struct {
	code int
	text string
}{
	{0, "done, nothing to do, or done with listed pendings"},
	{1, "failed, refused or locked; nothing changed"},
	{2, "usage, or missing answers (all missing flags are named at once)"},
	{3, "changes pending (plan --exit-code)"},
	{4, "Bitbucket refused the credentials"},
	{5, "verification found a fault"},
	{6, "apply failed or was interrupted, and was taken back"},
	{7, "rollback is incomplete; what is left is printed"},
	{130, "cancelled before consent, or before the run had begun"},
}

func manCommand(w io.Writer, c *cobra.Command) {
	if !c.IsAvailableCommand() {
		return
	}
	if c.HasAvailableSubCommands() {
		for _, sub := range c.Commands() {
			manCommand(w, sub)
		}
		return
	}
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	out(w, ".SS %s\n%s", roff(strings.TrimPrefix(c.UseLine(), "bitgate ")), roff(text))
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		arg, help := pflag.UnquoteUsage(f)
		out(w, ".TP\n.B %s\n%s", roff(strings.TrimSpace(fmt.Sprintf("--%s %s", f.Name, arg))), roff(help))
	})
}

// roff escapes what has a meaning in man pages.
func roff(text string) string {
	text = strings.ReplaceAll(text, `\`, `\e`)
	text = strings.ReplaceAll(text, "-", `\-`)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
		if l == "" {
			lines[i] = ".PP"
		}
	}
	return strings.Join(lines, "\n")
}
