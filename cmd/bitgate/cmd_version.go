package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"bitgate/cmd/bitgate/view"
)

// What tools/release says of a build (-ldflags "-X main.release=1.2.3"): version,
// commit, and the commit's date. A build by hand leaves them empty.
var release, commit, date string

// build is what this program was made from.
type build struct {
	Version  string `json:"version"`          // "1.2.3"; "(devel)" where nobody knows
	Commit   string `json:"commit,omitempty"` // of git
	Date     string `json:"date,omitempty"`   // of the commit, RFC 3339 in UTC
	Go       string `json:"go"`
	Platform string `json:"platform"` // "linux/amd64"
}

// thisBuild takes what the release said, or what the Go tool recorded for a build
// from a checkout.
func thisBuild() build {
	b := build{Version: release, Commit: commit, Date: date, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if b.Version != "" {
		return b
	}
	b.Version = "(devel)"
	info, known := debug.ReadBuildInfo()
	if !known {
		return b
	}
	if v := info.Main.Version; v != "" {
		b.Version = strings.TrimPrefix(v, "v")
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Date = s.Value
		}
	}
	return b
}

// String is the line of --version.
func (b build) String() string {
	from := ""
	if b.Commit != "" {
		from = fmt.Sprintf(" (commit %.12s of %s)", b.Commit, b.day())
	}
	return fmt.Sprintf("bitgate %s%s %s %s", b.Version, from, b.Go, b.Platform)
}

// day is the date without the time, "" where it is unknown.
func (b build) day() string { return b.Date[:min(len(b.Date), len("2006-01-02"))] }

func newVersion(p *process) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return view.Value(p.Out, thisBuild())
			}
			out(p.Out, "%s", thisBuild())
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print version, commit and date as JSON")
	return c
}
