package peers

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// GitEnv is an environment in which git knows no configuration but the given
// "NAME=value" pairs and never asks a person. Its HOME is a temporary folder.
func GitEnv(t testing.TB, extra ...string) []string {
	t.Helper()
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + t.TempDir(),
		"LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com",
		"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
	}
	return append(env, extra...)
}

// Git runs git in dir and returns its trimmed output; failure ends the test.
func Git(t testing.TB, dir string, env []string, args ...string) string {
	t.Helper()
	out, err := TryGit(t, dir, env, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// TryGit is Git for commands that may fail.
func TryGit(t testing.TB, dir string, env []string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(Path(t, "git"), args...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// BareRepo makes a bare repository with one commit on "main" that holds a file
// of the given size in MiB. The content cannot be compressed, so that as many
// bytes travel, and is the same each time.
func BareRepo(t testing.TB, mebibytes int) string {
	t.Helper()
	env := GitEnv(t)
	work, bare := t.TempDir(), filepath.Join(t.TempDir(), "repo.git")
	Git(t, work, env, "init", "-q", "-b", "main")
	WriteBlob(t, filepath.Join(work, "blob.bin"), mebibytes)
	Git(t, work, env, "add", ".")
	Git(t, work, env, "-c", "core.compression=0", "commit", "-q", "-m", "content")
	Git(t, work, env, "clone", "-q", "--bare", work, bare)
	return bare
}

// WriteBlob writes a file of incompressible but reproducible content.
func WriteBlob(t testing.TB, path string, mebibytes int) {
	t.Helper()
	data := make([]byte, mebibytes<<20)
	source := rand.NewChaCha8([32]byte{byte(mebibytes)})
	_, _ = source.Read(data) // never fails
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
