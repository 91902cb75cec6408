package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/peers"
)

// TestGitMovesALargeRepository pushes and clones 100 MiB that cannot be
// compressed, through each front: nothing may buffer it whole, cut it short or
// lose patience with it.
func TestGitMovesALargeRepository(t *testing.T) {
	const mebibytes = 100
	for name, start := range fronts {
		t.Run(name, func(t *testing.T) {
			peers.Need(t, "git")
			standIn, err := bitbuckettest.New(bitbuckettest.Options{Dir: t.TempDir(), Version: "9.4.16", Context: "/bitbucket"})
			must(t, err)
			must(t, standIn.Start())
			t.Cleanup(standIn.Close)

			s := site{
				listen:   peers.FreeAddress(t),
				upstream: strings.TrimPrefix(standIn.Upstream(), "http://"),
			}
			_, port, _ := strings.Cut(s.listen, ":")
			s.public = publicURL(t, "https://localhost:"+port+"/bitbucket")
			bundle, authority := certificate(t, s.public)
			s.bundle = bundle
			start(t, s)

			env := peers.GitEnv(t,
				"GIT_SSL_CAINFO="+authority, "GIT_CONFIG_COUNT=2",
				"GIT_CONFIG_KEY_0=http.extraHeader", "GIT_CONFIG_VALUE_0=Authorization: Bearer "+standIn.Token(),
				"GIT_CONFIG_KEY_1=core.compression", "GIT_CONFIG_VALUE_1=0") // random bytes: only slower
			remote := s.public.BaseURL() + standIn.RepoPath()
			work, again := t.TempDir(), t.TempDir()
			peers.Git(t, work, env, "clone", "-q", remote, ".")
			blob := filepath.Join(work, "blob.bin")
			peers.WriteBlob(t, blob, mebibytes)
			peers.Git(t, work, env, "add", "blob.bin")
			peers.Git(t, work, env, "commit", "-q", "-m", "A large file")
			peers.Git(t, work, env, "push", "-q", "origin", "HEAD:refs/heads/large")
			peers.Git(t, again, env, "clone", "-q", "-b", "large", remote, ".")
			if !sameContent(t, blob, filepath.Join(again, "blob.bin")) {
				t.Error("what was cloned is not what was pushed")
			}
		})
	}
}

func sameContent(t *testing.T, a, b string) bool {
	t.Helper()
	one, err := os.ReadFile(a)
	must(t, err)
	two, err := os.ReadFile(b)
	must(t, err)
	return bytes.Equal(one, two)
}
