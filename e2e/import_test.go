package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/bitbucket/bitbuckettest"
	"bitgate/internal/peers"
)

// TestCloneOverKeyStores: what companies have instead of PEM is served by each front
// after the program made its bundle of it, and git clones over it with nothing but the
// authority's root.
func TestCloneOverKeyStores(t *testing.T) {
	peers.Need(t, "git", "openssl", "keytool")
	for name, start := range fronts {
		t.Run(name, func(t *testing.T) {
			standIn, err := bitbuckettest.New(bitbuckettest.Options{Dir: t.TempDir(), Version: "9.4.16", Context: "/bitbucket"})
			must(t, err)
			must(t, standIn.Start())
			t.Cleanup(standIn.Close)
			for _, store := range []string{"server.pfx", "legacy.pfx", "server.jks"} {
				t.Run(store, func(t *testing.T) {
					s := site{listen: peers.FreeAddress(t), upstream: strings.TrimPrefix(standIn.Upstream(), "http://")}
					_, port, _ := strings.Cut(s.listen, ":")
					s.public = publicURL(t, "https://localhost:"+port+"/bitbucket")
					pem, authority := certificate(t, s.public)
					dir := t.TempDir()
					s.bundle = filepath.Join(dir, "bundle.pem")
					for _, command := range []string{
						"printf secret >password",
						"openssl pkcs12 -export -in " + pem + " -out server.pfx -passout file:password -name git",
						"openssl pkcs12 -export -legacy -in " + pem + " -out legacy.pfx -passout file:password",
						"keytool -importkeystore -noprompt -srckeystore server.pfx -srcstorepass secret -destkeystore server.jks -deststoretype JKS -deststorepass secret",
						binary(t) + " cert bundle --cert " + store + " --cert-password-file password -o bundle.pem",
					} {
						cmd := exec.Command("sh", "-c", command)
						cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
						if out, err := cmd.CombinedOutput(); err != nil {
							t.Fatalf("%s: %v\n%s", command, err, out)
						}
					}
					start(t, s)
					env := peers.GitEnv(t, "GIT_SSL_CAINFO="+authority, "GIT_CONFIG_COUNT=1",
						"GIT_CONFIG_KEY_0=http.extraHeader", "GIT_CONFIG_VALUE_0=Authorization: Bearer "+standIn.Token())
					peers.Git(t, t.TempDir(), env, "clone", "-q", s.public.BaseURL()+standIn.RepoPath(), ".")
				})
			}
		})
	}
}
