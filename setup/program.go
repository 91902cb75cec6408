package setup

import (
	"fmt"
	"slices"
)

// InstalledPath is where a run installs this program, below the root, if systemd and
// cron cannot or must not run it from where it lies.
const InstalledPath = "/usr/local/bin/bitgate"

// ProgramChange installs this program, owned by root and executable by all.
type ProgramChange struct {
	Path   string `json:"path"`
	Before string `json:"before"` // SHA-256 hex or Absent
	After  string `json:"after"`
	From   string `json:"from"` // this program
}

// Installation is this program as it is to be installed, which Facts.ProgramPath names.
type Installation struct {
	From    string // this program
	Before  string // SHA-256 of what lies there, or Absent
	After   string
	Ours    bool   // a run that stands has installed what lies there
	Package string // the program of a package, "" for none
}

func (c *ProgramChange) text() string {
	if c.Before == Absent {
		return fmt.Sprintf("install this program as %s (mode 0755) from %s", c.Path, c.From)
	}
	return fmt.Sprintf("replace the program %s by this one, %s", c.Path, c.From)
}

// ProgramOf is the change of the plan that installs the program, nil for none.
func (p Plan) ProgramOf() *ProgramChange {
	for _, c := range p.Changes() {
		if c.Program != nil {
			return c.Program
		}
	}
	return nil
}

// Starts reports whether a file that the plan writes names a program: a unit, a line
// of cron's, a hook.
func (p Plan) Starts(program string) bool { return p.puts(program) }

// installProgram plans what units, cron and hooks start: this program, where they can.
func (b *builder) installProgram(s *Step) {
	in := b.f.Installation
	if in == nil || in.Before == in.After || slices.ContainsFunc(s.Changes, func(c Change) bool { return c.Program != nil }) {
		return
	}
	path := b.f.ProgramPath
	s.Changes = append(s.Changes, Change{
		Phase: PhaseProgram, Program: &ProgramChange{Path: path, Before: in.Before, After: in.After, From: in.From},
	})
	b.plan.Inputs[path] = in.Before
	if in.Before != Absent && !in.Ours {
		b.warn("program", path+" is another bitgate, which no run has installed: this run replaces it",
			"services start what lies there, and they cannot start "+in.From, "to keep it, run that one instead; undo puts it back")
	}
	if in.Package != "" {
		b.warn("program", "the package's "+in.Package+" is not what the services of this run start, but "+path,
			"the next version of the package does not reach them", "to use the package, run "+in.Package+" instead")
	}
}
