package setup

import (
	"github.com/aymanbagabas/go-udiff"

	"bitgate/internal/printable"
)

// FileDiff is one file before and after all changes of the plan.
type FileDiff struct {
	Path    string `json:"path"`
	Unified string `json:"diff"` // unified diff, secrets masked by key name
}

// Diffs makes the diffs people review: one per file, however many steps touch
// it. Certificates are described by their change's What and never shown.
func Diffs(f Facts, p Plan) []FileDiff {
	var out []FileDiff
	files := f.files()
	for _, path := range p.EditedPaths() {
		before := files[path].Data
		after, err := p.Applied(path, before)
		if err != nil {
			continue // a stale plan: apply says so, with the reason
		}
		out = append(out, FileDiff{Path: path, Unified: Unified(path, before, after)})
	}
	return out
}

// Unified is a diff for people: secrets are masked, and what a terminal would obey
// is written out.
func Unified(path string, before, after []byte) string {
	return printable.Text(unified(path, before, after))
}

func unified(path string, before, after []byte) string {
	return udiff.Unified(path, path+" (after)", mask(string(before)), mask(string(after)))
}
