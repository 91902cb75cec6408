package check

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"bitgate/bitbucket"
	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/internal/trusted"
	"bitgate/setup"
	"bitgate/setup/journal"
)

// checkFiles proves, without writing, that each file of the plan can be
// replaced or created: links that can be trusted, a plain file with one name,
// a folder that nobody else can change, no read-only or full file system, no
// immutable flag, no mount of its own. For a file whose folder is still to be
// made, the first folder to be made is examined in its stead.
func checkFiles(f setup.Facts, p setup.Plan) []problem.Finding {
	var out []problem.Finding
	program := p.ProgramOf()
	for _, path := range p.TouchedPaths() {
		examine := atomicfile.Examine
		if program != nil && program.Path == path {
			examine = atomicfile.ExamineProgram
		}
		if missing := journal.MissingDirs(filepath.Dir(path)); len(missing) > 0 && p.MakesFolderOf(path) {
			path = missing[0]
		} else if len(missing) > 0 && !isLink(missing[0]) {
			examine = func(string) []problem.Finding { return []problem.Finding{noFolder(f.Bitbucket, missing)} }
		}
		for _, o := range examine(path) {
			if !slices.Contains(out, o) { // two files in one folder, and the folder is the obstacle
				out = append(out, o)
			}
		}
	}
	return out
}

// noFolder: a folder of Bitbucket's is missing, and those in it.
func noFolder(in bitbucket.Install, missing []string) problem.Finding {
	found := problem.Finding{
		ID: "file", Level: problem.Fail, Found: "the folder " + missing[0] + " does not exist",
		Why: "Bitbucket has its settings there, and makes it as its own user when it is started",
	}
	if slices.Contains(missing, filepath.Clean(in.Home)) {
		found.Found = fmt.Sprintf("Bitbucket's home %s does not exist", in.Home)
		found.Why = "what is written there no Bitbucket would read"
		found.Do = "check the path (--home), and whether something is not mounted"
		return found
	}
	found.Do = fmt.Sprintf("check whether something is not mounted; else start Bitbucket once, or: install -d -o %s -g %d -m 0750 %s",
		problem.ShellWord(trusted.UserName(uint32(in.UID))), in.GID, problem.ShellWord(missing[len(missing)-1]))
	return found
}

func isLink(path string) bool {
	_, err := os.Readlink(path)
	return err == nil
}
