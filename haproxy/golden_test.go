package haproxy

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitgate/internal/node"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// tested are the versions that something changes with.
var tested = []Version{
	{Major: 1, Minor: 5, OpenSSL: "1.0.2k"},
	{Major: 1, Minor: 6},
	{Major: 1, Minor: 7},
	{Major: 1, Minor: 8, OpenSSL: "1.1.0l"},
	{Major: 1, Minor: 9},
	{Major: 2},
	{Major: 2, Minor: 2},
	{Major: 2, Minor: 6, OpenSSL: "3.0.19"},
	{Major: 3, Minor: 2, OpenSSL: "3.5.4"},
}

// What is written for a file of its own and beside others, for each version.
func TestGolden(t *testing.T) {
	for _, v := range tested {
		s := site(t, func(s *Site) {
			s.Version, s.RedirectListen, s.OldPath, s.SSHListen, s.SSHUpstream = v, []string{":80"}, "/stash", ":7999", "127.0.0.1:7998"
		})
		golden(t, s, fmt.Sprintf("haproxy-%d.%d.cfg", v.Major, v.Minor))
	}
}

// The nodes of a cluster, as the oldest and the newest version spell them.
func TestGoldenNodes(t *testing.T) {
	for _, v := range []Version{tested[0], tested[len(tested)-1]} {
		s := site(t, func(s *Site) {
			s.Version, s.SSHListen, s.SSHUpstream = v, ":7998", ":7999"
			s.Nodes = []node.Node{{Name: "one", Address: "10.0.0.1:7990"}, {Name: "two", Address: "[2001:db8::2]:7990"}, {Name: "three", Address: "git-3.example.com:7990"}}
		})
		golden(t, s, fmt.Sprintf("nodes-%d.%d.cfg", v.Major, v.Minor))
	}
}

// golden compares the whole file that is written for a site.
func golden(t *testing.T, s Site, name string) {
	t.Helper()
	m, err := merge(t, "", s)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, m.After, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(m.After)); diff != "" {
		t.Errorf("%s (go test ./haproxy -update rewrites it):\n%s", path, diff)
	}
}
