package setup

import (
	"context"
	"errors"
	"time"

	"bitgate/bitbucket"
	"bitgate/internal/service"
)

// DefaultPort is the port of Bitbucket's own connector unless its files say
// otherwise (Atlassian: "by default, will listen on port 7990").
const DefaultPort = "7990"

// Probe says how Detect looks at the machine. Root and Proc are "" and "/proc"
// outside tests.
type Probe struct {
	Said     Answers // hints: --home, --haproxy-cfg, --cert ...
	StateDir string
	Root     string // prefix before default paths
	Proc     string // process table
	Program  string // path of this binary, for the systemd unit
	Now      time.Time
}

// Detect looks at the machine. It reads only: files, the process table, and
// what Bitbucket tells without credentials. When ctx has ended meanwhile it returns
// that error: what was not found then may be there.
func Detect(ctx context.Context, p Probe) (Facts, error) {
	if p.Proc == "" {
		p.Proc = "/proc"
	}
	f := Facts{ProgramPath: p.Program, Systemd: service.HasSystemd(p.Root)}
	var err error
	f.Bitbucket, err = bitbucket.Detect(ctx, bitbucket.Search{
		Home: p.Said.Home, Install: p.Said.Install, Version: p.Said.Version, Proc: p.Proc, Root: p.Root,
	})
	if err != nil {
		return f, err
	}
	if err := f.detectInstance(ctx, p); err != nil {
		return f, err
	}
	f.BitbucketCtl, _ = service.FindBitbucket(ctx, p.Root, f.Bitbucket.PID)
	if f.Listeners, err = listeners(p.Proc); err != nil {
		f.Findings = append(f.Findings, Finding{
			ID: "listeners", Level: Note,
			Seen: "who listens on which port could not be read: " + err.Error(),
		})
	}
	if err := f.detectFront(ctx, p); err != nil {
		return f, err
	}
	f.OpenRun, err = unfinished(p.StateDir)
	return f, errors.Join(err, ctx.Err())
}
