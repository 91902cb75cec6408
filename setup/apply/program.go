package apply

import (
	"context"
	"path/filepath"

	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// installProgram puts the program where services can start it. One that runs goes on
// with the bytes that it was started from.
func (a *Applier) installProgram(c *setup.ProgramChange) error {
	source, err := atomicfile.ReadProgram(c.From)
	if err != nil {
		return err
	}
	if source.DigestOrAbsent() != c.After {
		return problem.New(c.From+" is not the program this plan was made by", "another one would be installed than the one reviewed", "make a new plan")
	}
	f, err := atomicfile.ReadProgram(c.Path)
	if err != nil {
		return err
	}
	if done, err := a.asPlanned(f, c.Before, c.After); done || err != nil {
		return err
	}
	if err := a.disk().Mkdirs(filepath.Dir(c.Path), 0o755); err != nil {
		return err
	}
	return a.Files.Private(f, source.Data, 0o755, -1)
}

// programs takes back the programs that this run has installed, those alone that were
// others before, or those alone that were not there.
func (t *rollback) programs(ctx context.Context, replaced bool) error {
	return t.each(ctx, func(c setup.Change) bool {
		return c.Program != nil && replaced == (c.Program.Before != setup.Absent)
	}, t.file)
}
