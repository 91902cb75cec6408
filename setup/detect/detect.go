package detect

import (
	"context"
	"errors"

	"bitgate/bitbucket"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// Probe says how Detect looks at the machine. Root and Proc are "" and "/proc"
// outside tests.
type Probe struct {
	Input    setup.Answers // hints: --home, --haproxy-cfg, --cert ...
	StateDir string
	Root     string                               // prefix before default paths
	Proc     string                               // process table
	Program  string                               // path of this binary, for the systemd unit
	Proxies  []string                             // variables of the way out, NAME=value; see child.Proxies
	Unlock   func(locked error) ([][]byte, error) // see certs.Unlock; nil where nobody can be asked
}

// facts are being gathered.
type facts struct {
	setup.Facts
	plainAddress string // where the connector of PlainPort listens
}

// Facts looks at the machine. It reads only: files, the process table, and
// what Bitbucket tells without credentials. When ctx has ended meanwhile it returns
// that error: what was not found then may be there.
func Facts(ctx context.Context, p Probe) (setup.Facts, error) {
	if p.Proc == "" {
		p.Proc = "/proc"
	}
	f := facts{Facts: setup.Facts{Root: p.Root, ProgramPath: p.Program, Systemd: service.HasSystemd(p.Root), Proxies: setup.ProxiesOf(p.Proxies)}}
	f.StateDir = p.StateDir
	haproxy := haproxyMeanwhile(ctx, p)
	defer func() { _, _ = haproxy() }() // whose programs end with this
	var err error
	f.Bitbucket, err = bitbucket.Detect(ctx, bitbucket.Search{
		Home: p.Input.Home, Install: p.Input.Install, Version: p.Input.Version, Proc: p.Proc, Root: p.Root,
	})
	if err != nil {
		return f.Facts, err
	}
	if err := f.detectInstance(ctx, p); err != nil {
		return f.Facts, err
	}
	if f.Bitbucket.Container != nil {
		f.BitbucketCtl, _ = service.UnitOf(p.Root, f.Bitbucket.PID) // a service of this machine by its name is another
	} else {
		f.BitbucketCtl, _ = service.FindBitbucket(ctx, p.Root, f.Bitbucket.PID)
	}
	if f.Listeners, err = Listeners(p.Proc); err != nil {
		f.Findings = append(f.Findings, problem.Finding{
			ID: "listeners", Level: problem.Note,
			Found: "who listens on which port could not be read: " + err.Error(),
		})
	}
	if err := f.detectFront(ctx, p, haproxy); err != nil {
		return f.Facts, err
	}
	if err := f.findProgram(p); err != nil {
		return f.Facts, err
	}
	f.rememberSSH(p.StateDir)
	f.OpenRun, err = journal.Unfinished(p.StateDir)
	if d, found, derr := journal.LastDeployment(p.StateDir); derr == nil && found { // what cannot be read is told of by Unfinished
		f.Deployed = &d
	}
	return f.Facts, errors.Join(err, ctx.Err())
}
