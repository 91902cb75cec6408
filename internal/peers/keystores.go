package peers

import (
	"embed"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// The script makes what OpenSSL makes, the program what Java and Bouncy Castle do.
//
//go:embed keystores
var keyStores embed.FS

var shared struct {
	sync.Mutex
	dir string
}

// removeShared is for the end of the tests.
func removeShared() {
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
		shared.dir = ""
	}
}

const bouncyCastle = "/usr/share/java/bcprov.jar"

// KeyStores returns a folder with a certificate for git.example.com, its key and its
// chain in the shapes that companies have them in, made by OpenSSL, keytool, Java
// and Bouncy Castle. The password is "secret" unless keystores/make.sh says another.
// All tests of a package that runs in a Suite share the folder: leave it as it is.
func KeyStores(t testing.TB) string {
	t.Helper()
	Need(t, "openssl", "keytool", "java", "bouncycastle")
	shared.Lock()
	defer shared.Unlock()
	if shared.dir != "" {
		return shared.dir
	}
	dir, err := os.MkdirTemp("", "bitgate-keystores-")
	must(t, err)
	shared.dir = dir
	for _, name := range []string{"make.sh", "Stores.java"} {
		data, err := keyStores.ReadFile("keystores/" + name)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	cmd := exec.Command("/bin/sh", "-e", "make.sh", bouncyCastle)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		removeShared()
		t.Fatalf("the key stores cannot be made: %v\n%s", err, out)
	}
	return dir
}

// SeedKeyStores gives a fuzz target the files of KeyStores that match the patterns.
func SeedKeyStores(f *testing.F, patterns ...string) {
	f.Helper()
	if slices.ContainsFunc(os.Args, fuzzWorker) {
		return // which gets its input from the process that has them
	}
	dir := KeyStores(f)
	for _, pattern := range patterns {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(names) == 0 {
			f.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			must(f, err)
			f.Add(data)
		}
	}
}
