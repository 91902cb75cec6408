package journal

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// ForeignEdits shows what was done since to the files of a run ("" = the last
// that stands), by whoever: an undo would throw it away. Secrets are masked,
// and a certificate bundle is never shown.
func ForeignEdits(stateDir, id string) ([]setup.FileDiff, error) {
	if id == "" {
		var err error
		if id, err = LastCommitted(stateDir); err != nil {
			return nil, err
		}
	}
	r, err := Load(Disk{}, stateDir, id, time.Now)
	if err != nil {
		return nil, err
	}
	var out []setup.FileDiff
	for _, saved := range r.Files {
		if r.isForeign(saved) {
			out = append(out, setup.FileDiff{Path: saved.Path, Unified: r.foreignDiff(saved)})
		}
	}
	return out, nil
}

// isForeign: the file is neither as it was before the run nor as the run made it.
func (r *Run) isForeign(saved savedFile) bool {
	now := DigestOf(saved.Path)
	return now != saved.Digest && !slices.Contains(r.digests(saved.Path), now)
}

// ForeignEdits refuses when a file is not what this run left.
func (r *Run) ForeignEdits() error {
	var all []error
	for _, saved := range r.Files {
		if r.isForeign(saved) {
			all = append(all, r.foreign(saved))
		}
	}
	return errors.Join(all...)
}

func (r *Run) foreign(saved savedFile) error {
	return problem.New(saved.Path+" was changed after this run:\n"+r.foreignDiff(saved), "taking the run back would throw that change away",
		"take that change out again, or let it be thrown away: bitgate undo "+r.ID+" --force")
}

// foreignDiff compares what the run left with what is there.
func (r *Run) foreignDiff(saved savedFile) string {
	if !slices.Contains(r.Plan.EditedPaths(), saved.Path) {
		return "(another certificate bundle; it is not shown)\n"
	}
	now, err := atomicfile.Read(saved.Path)
	if err != nil {
		return "(" + err.Error() + ")\n"
	}
	var before []byte
	if saved.Backup != "" {
		if before, err = os.ReadFile(filepath.Join(r.Backups(), saved.Backup)); err != nil {
			return "(" + err.Error() + ")\n"
		}
	}
	after, err := r.Plan.Applied(saved.Path, before)
	if err != nil {
		return "(" + err.Error() + ")\n"
	}
	return setup.Unified(saved.Path, after, now.Data)
}
