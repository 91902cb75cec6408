package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"bitgate/interview"
	"bitgate/proxy/config"
)

func newMan(p *process) *cobra.Command {
	dir := ""
	c := &cobra.Command{
		Use:   "man [PAGE]",
		Short: "Print a manual page",
		Long: `Prints the manual page of bitgate, of a command ("apply", "cert inspect"), or of a
file: "answers.yaml" and "proxy.yaml".`,
		Example: `  bitgate man | man -l -
  bitgate man proxy.yaml | man -l -
  bitgate man --dir /usr/local/share/man`,
		Args: args(0, 2),
		RunE: func(c *cobra.Command, args []string) error {
			pages := manPages(c.Root())
			if dir != "" {
				return writePages(dir, pages)
			}
			name := strings.Join(append([]string{"bitgate"}, args...), "-")
			at := slices.IndexFunc(pages, func(p manPage) bool { return p.name == name })
			if at < 0 {
				return usage(fmt.Sprintf("there is no manual page for %q", strings.Join(args, " ")), "see bitgate --help for the commands; the files are answers.yaml and proxy.yaml")
			}
			_, err := p.Out.Write(pages[at].text())
			return err
		},
	}
	c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, p := range manPages(c.Root()) {
			name, whole := strings.CutPrefix(p.name, strings.Join(append([]string{"bitgate"}, args...), "-")+"-")
			if first, _, more := strings.Cut(name, "-"); whole && (!more || len(args) == 0) {
				names = append(names, first)
			}
		}
		return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
	}
	c.Flags().StringVar(&dir, "dir", "", "write all pages into the folders man1 and man5 of `DIR`")
	return c
}

// manPage is one page in man(7) macros.
type manPage struct {
	name    string // "bitgate-apply"
	section int    // 1 for commands, 5 for files
	brief   string
	body    bytes.Buffer
}

func writePages(dir string, pages []manPage) error {
	for _, p := range pages {
		folder := filepath.Join(dir, fmt.Sprintf("man%d", p.section))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s.%d", p.name, p.section)), p.text(), 0o644); err != nil { //nolint:gosec // for everybody to read
			return err
		}
	}
	return nil
}

// text is the whole page.
func (p *manPage) text() []byte {
	var b bytes.Buffer
	made := thisBuild()
	kind := map[int]string{1: "User Commands", 5: "File Formats"}[p.section]
	out(&b, `.TH %s %d "%s" "bitgate %s" "%s"`, roff(strings.ToUpper(p.name)), p.section, made.day(), roff(made.Version), kind)
	out(&b, ".SH NAME\n%s \\- %s", roff(p.name), roff(p.brief))
	b.Write(p.body.Bytes())
	return b.Bytes()
}

// manPages are the page of bitgate itself, those of its commands, and those of its files.
func manPages(root *cobra.Command) []manPage {
	var commands []manPage
	var list bytes.Buffer
	for _, g := range root.Groups() {
		out(&list, ".SS %s", roff(strings.TrimSuffix(g.Title, ":")))
		for _, c := range root.Commands() {
			if c.GroupID != g.ID {
				continue
			}
			pages := commandPages(c)
			for _, p := range pages {
				out(&list, ".TP\n.BR %s (1)\n%s", roff(p.name), roff(p.brief))
			}
			commands = append(commands, pages...)
		}
	}
	files := []manPage{answersPage(), proxyPage()}
	main := manPage{name: "bitgate", section: 1, brief: root.Short}
	b := &main.body
	out(b, ".SH SYNOPSIS\n.B bitgate\n[command] [flags]")
	out(b, ".SH DESCRIPTION\n%s", roff(root.Long))
	out(b, ".SH COMMANDS\n%s", strings.TrimSuffix(list.String(), "\n"))
	exitStatus(b)
	out(b, ".SH FILES")
	for _, f := range manFiles {
		out(b, ".TP\n.I %s\n%s", roff(f[0]), roff(f[1]))
	}
	example(b, root.Example)
	out(b, ".SH SEE ALSO\n.BR %s (5),\n.BR %s (5)", roff(files[0].name), roff(files[1].name))
	return append(append([]manPage{main}, commands...), files...)
}

// manFiles are what bitgate leaves on a machine.
var manFiles = [][2]string{
	{"/var/lib/bitgate", "Journals and backups of the runs, which undo needs, and the answers of the last one."},
	{"/etc/bitgate/proxy.yaml", "The built-in proxy's configuration."},
	{"/etc/bitgate", "The certificate with its key that the built-in proxy reads."},
}

// commandPages are those of a command, or of the commands below it.
func commandPages(c *cobra.Command) []manPage {
	if !c.IsAvailableCommand() || c.Name() == "help" {
		return nil
	}
	var pages []manPage
	for _, sub := range c.Commands() {
		pages = append(pages, commandPages(sub)...)
	}
	if len(pages) > 0 {
		return pages
	}
	text := cmp.Or(c.Long, c.Short+".")
	p := manPage{name: strings.ReplaceAll(c.CommandPath(), " ", "-"), section: 1, brief: c.Short}
	out(&p.body, ".SH SYNOPSIS\n.B %s", roff(c.UseLine()))
	out(&p.body, ".SH DESCRIPTION\n%s", roff(text))
	options(&p.body, c)
	exitStatus(&p.body)
	example(&p.body, c.Example)
	out(&p.body, ".SH SEE ALSO\n.BR bitgate (1)")
	return []manPage{p}
}

func options(w io.Writer, c *cobra.Command) {
	first := true
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		if first {
			out(w, ".SH OPTIONS")
			first = false
		}
		arg, help := pflag.UnquoteUsage(f)
		out(w, ".TP\n.B %s\n%s", roff(strings.TrimSpace(fmt.Sprintf("--%s %s", f.Name, arg))), roff(help))
	})
}

func exitStatus(w io.Writer) {
	out(w, ".SH EXIT STATUS")
	for _, e := range exitTexts {
		out(w, ".TP\n.B %d\n%s", e.code, roff(e.text))
	}
}

func example(w io.Writer, text string) {
	if text != "" {
		out(w, ".SH EXAMPLES\n.nf\n%s\n.fi", roff(text))
	}
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

// answersPage explains the answers file.
func answersPage() manPage {
	p := manPage{name: "bitgate-answers.yaml", section: 5, brief: "answers to bitgate's questions"}
	b := &p.body
	out(b, ".SH DESCRIPTION\n%s", roff(`The answers file, YAML, is named by --answers or BITGATE_ANSWERS. Each key is also a
flag (--url for "url:") and a variable (BITGATE_URL); a flag beats the variable, and the
variable the file. A run writes the answers that repeat it to /var/lib/bitgate/answers.yaml.

No key holds a password.`))
	out(b, ".SH KEYS")
	for _, q := range interview.Questions() {
		if q.Virtual {
			continue
		}
		help := q.Help + "."
		if q.Default != "" {
			help += " Default: " + q.Default + "."
		}
		out(b, ".TP\n.B %s\n%s", roff(strings.TrimSpace(q.ID+": "+q.Arg)), roff(help))
	}
	example(b, "  url: https://git.example.com/bitbucket\n  cert: /etc/ssl/git.example.com/fullchain.pem\n  key: /etc/ssl/git.example.com/privkey.pem\n  front: builtin")
	out(b, ".SH SEE ALSO\n.BR bitgate (1),\n.BR bitgate-apply (1)")
	return p
}

// proxyPage explains the built-in proxy's file.
func proxyPage() manPage {
	p := manPage{name: "bitgate-proxy.yaml", section: 5, brief: "configuration of bitgate's built-in proxy"}
	b := &p.body
	out(b, ".SH DESCRIPTION\n%s", roff(`The file is YAML, /etc/bitgate/proxy.yaml where setup writes it. Unknown keys are refused.
Words in brackets are those of HAProxy for the same. A duration is a number with its
unit: 90s, 15m, 1h.

systemctl reload bitgate-proxy makes changes take effect; no connection is cut.`))
	out(b, ".SH SETTINGS")
	for _, s := range config.Settings() {
		what := s.What + "."
		if s.Default != "" {
			what += " Default: " + s.Default + "."
		}
		out(b, ".TP\n%s\n%s", manWords(s.Keys), manWords(what))
	}
	example(b, "  url: https://git.example.com/bitbucket\n  upstream: http://127.0.0.1:7990\n  pem: /etc/bitgate/git.example.com.pem")
	out(b, ".SH SEE ALSO\n.BR bitgate (1),\n.BR bitgate-proxy (1)")
	return p
}

// manWords sets what stands between back quotes in bold.
func manWords(text string) string {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 {
			part = `\fB` + roff(part) + `\fR`
		} else {
			part = roff(part)
		}
		b.WriteString(part)
	}
	return b.String()
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
		if l == "" && len(lines) > 1 {
			lines[i] = ".PP"
		}
	}
	return strings.Join(lines, "\n")
}
