package setup

import (
	"context"
	"time"

	"bitgate/bitbucket"
)

// Probe says how Detect looks at the machine. Root and Proc are "" and "/proc"
// outside tests.
type Probe struct {
	Said     Answers // hints: --home, --haproxy-cfg, --cert ...
	StateDir string
	Root     string
	Proc     string
	Program  string // path of this binary, for the systemd unit
	Now      time.Time
}

// Detect looks at the machine. It reads only.
func Detect(ctx context.Context, p Probe) (Facts, error) { panic("not built yet") }

// Resolve fills what was not said from the facts and the defaults, and says
// where each value comes from. said carries the sources of the given ones.
func Resolve(f Facts, said Answers, given Sources) (Answers, Sources) { panic("not built yet") }

// Missing names the flags that must still be given, all at once.
func Missing(f Facts, a Answers) []string { panic("not built yet") }

// Build makes the plan from facts and resolved answers. Pure.
func Build(f Facts, a Answers) (Plan, error) { panic("not built yet") }

// CheckPlan proves the plan before anything changes: haproxy -c on a private
// copy, ports, permissions, Bitbucket's state. A Fail finding forbids apply.
func CheckPlan(ctx context.Context, f Facts, p Plan) ([]Finding, error) { panic("not built yet") }

// FileDiff is one file before and after all changes of the plan.
type FileDiff struct {
	Path    string
	Unified string // unified diff, secrets masked by key name
}

// Diffs makes the diffs people review. Pure.
func Diffs(f Facts, p Plan) []FileDiff { panic("not built yet") }

// Applier carries plans out.
type Applier struct {
	StateDir string
	// Login gives an administrator's session under the upstream base; nil
	// where no credentials were given.
	Login  func(ctx context.Context, base string) (*bitbucket.Session, error)
	Serve  func(ctx context.Context, config string) error // starts the built-in front in this process; nil otherwise
	Ask    Ask                                            // nil without a terminal
	Notify func(Event)                                    // may be nil
	Now    func() time.Time
}

// Apply carries out p. The errors' kinds follow design "Exit codes".
func (a *Applier) Apply(ctx context.Context, p Plan) (Result, error) { panic("not built yet") }

// Undo takes a committed run back ("" = the last). force overwrites foreign edits.
func (a *Applier) Undo(ctx context.Context, run string, force bool) (Result, error) {
	panic("not built yet")
}

// Recover settles an open run: back by default, forward on demand.
func (a *Applier) Recover(ctx context.Context, forward bool) (Result, error) { panic("not built yet") }

// RunInfo is a line of `bitgate history`.
type RunInfo struct {
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
	State   RunState  `json:"state"`
	URL     string    `json:"url"`
	Changes int       `json:"changes"`
	Backups string    `json:"backups"`
}

// History lists the kept runs, the newest first.
func History(stateDir string) ([]RunInfo, error) { panic("not built yet") }

// RunPlan returns the plan of a run ("" = the last), for undo's preview.
func RunPlan(stateDir, run string) (Plan, error) { panic("not built yet") }
