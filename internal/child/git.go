package child

import (
	"cmp"
	"slices"
)

// Git is git(1) with the configuration of nobody: not of the machine, not of the
// person who runs bitgate, and not of a repository but the one named, which is
// its .git folder; "" for none. git takes the folder it runs in for a bare
// repository when it holds HEAD, objects and refs, and carries out what the
// configuration in there says: in a shared folder, what any local user says.
// Nothing is asked on a terminal or by a window.
func Git(repository string, args ...string) Command {
	repository = cmp.Or(repository, nowhere)
	return Command{
		Name: "git",
		Args: slices.Concat([]string{"-c", "credential.helper=", "-c", "core.askPass="}, args),
		Env: []string{
			"GIT_DIR=" + repository, "GIT_CEILING_DIRECTORIES=/",
			"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
			"HOME=" + nowhere, "XDG_CONFIG_HOME=" + nowhere, // before git 2.32; and no .netrc
			"GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		},
	}
}

const nowhere = "/nonexistent"
