package check

import (
	"path/filepath"
	"slices"

	"bitgate/internal/atomicfile"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// checkFiles proves, without writing, that each file of the plan can be
// replaced or created: links that can be trusted, a plain file with one name,
// a folder that nobody else can change, no read-only or full file system, no
// immutable flag, no mount of its own. For a file whose folder is still to be
// made, the first folder to be made is examined in its stead.
func checkFiles(p setup.Plan) []setup.Finding {
	var out []setup.Finding
	var seen []atomicfile.Obstacle
	for _, path := range p.TouchedPaths() {
		if made := journal.MissingDirs(filepath.Dir(path)); len(made) > 0 {
			path = made[0]
		}
		for _, o := range atomicfile.Examine(path) {
			if slices.Contains(seen, o) {
				continue // two files in one folder, and the folder is the obstacle
			}
			seen = append(seen, o)
			out = append(out, setup.Finding{ID: "file", Level: setup.Fail, Seen: o.Found, Why: o.Why, Do: o.Do})
		}
	}
	return out
}
