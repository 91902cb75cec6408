package mountinfo

import (
	"os"
	"path/filepath"
	"testing"
)

const table = `22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:26 / /run rw - tmpfs tmpfs rw
41 22 0:44 / /srv/with\040blank rw shared:20 master:1 - nfs4 nas:/x rw
50 22 254:1 /data /data rw - ext4 /dev/vda1 rw
51 50 254:2 / /data rw - ext4 /dev/vdb rw
nonsense
`

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mountinfo")
	if err := os.WriteFile(path, []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}
	all := Read(path)
	if len(all) != 5 {
		t.Fatalf("%+v", all)
	}
	for at, want := range map[string]Mount{
		"/etc":                  {"254:1", "/", "/", "ext4"},
		"/runner":               {"254:1", "/", "/", "ext4"},
		"/srv/with blank/a":     {"0:44", "/", "/srv/with blank", "nfs4"},
		"/data":                 {"254:2", "/", "/data", "ext4"}, // the later one covers the other
		"/data/bitbucket/share": {"254:2", "/", "/data", "ext4"},
	} {
		if got, ok := Of(all, at); !ok || got != want {
			t.Errorf("%s: %+v, %v", at, got, ok)
		}
	}
	if got := Read(filepath.Join(t.TempDir(), "none")); got != nil {
		t.Errorf("no table gives %v", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(table)
	f.Fuzz(func(_ *testing.T, line string) { parse(line) })
}
