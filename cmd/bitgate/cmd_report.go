package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"bitgate/internal/printable"
	"bitgate/internal/problem"
)

func newReport(p *process) *cobra.Command {
	var file string
	var shared *sharedFlags
	c := &cobra.Command{
		Use:   "report",
		Short: "Write what a support ticket needs into one file",
		Long: `Writes one file of text for a support ticket: versions, what was found on this machine,
what verify finds where the public URL is known, the configuration of Bitbucket and
its front, the last runs, the certificate, and the services with their last log lines.

It holds no password and no key. Of configuration, only values that bitgate manages
and those that cannot be a credential are shown, and no comments; of logs, words that
look like one are not. What was left out stands at its end, with the reason. It is
text: read it before you send it.

It changes nothing, needs no run of bitgate, and works without root, with less in it.`,
		Example: `  sudo bitgate report
  bitgate report --file - --url https://git.example.com/bitbucket`,
		Args: args(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return runReport(c.Context(), p, shared, file) },
	}
	c.Flags().StringVar(&file, "file", "", "write to `PATH`, which must not exist, instead of bitgate-report-TIME.txt in this folder; - for standard output")
	shared = addShared(c)
	return c
}

func runReport(ctx context.Context, p *process, shared *sharedFlags, file string) error {
	ses, err := newSession(p, shared)
	if err != nil {
		return err
	}
	defer ses.creds.wipe()
	ses.creds.prompt, ses.patience = nil, time.Minute
	now := time.Now()
	file = cmp.Or(file, "bitgate-report-"+now.UTC().Format("20060102-150405")+".txt")
	if file != "-" {
		if file, err = filepath.Abs(file); err != nil {
			return err
		}
		if err := vacant(file); err != nil {
			return err
		}
	}
	text := newReporter(ses, now).write(ctx)
	if err := ctx.Err(); err != nil {
		return problem.Wrap(err, "cancelled; nothing was written", "", "").WithKind(problem.Cancelled)
	}
	if file == "-" {
		_, err := p.Out.Write(text)
		return err
	}
	if err := vacant(file); err != nil { // it took a while
		return err
	}
	if err := writePrivate(file, []byte(printable.Text(string(text)))); err != nil {
		return err
	}
	out(p.Out, "Written: %s (%d lines, for you alone). Read it before you send it.", file, bytes.Count(text, []byte("\n")))
	return nil
}

// vacant refuses a path where something is: a report never takes another file's place.
func vacant(file string) error {
	_, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return problem.Wrap(err, "the report cannot be written", "", "name another place: --file PATH")
	}
	return problem.New(fmt.Sprintf("%s is there already", file), "a report never takes the place of another file", "name another place: --file PATH, or remove it").WithKind(problem.Usage)
}
