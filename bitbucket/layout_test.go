package bitbucket

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitgate/internal/problem"
)

// put writes files ("dir/" makes a directory) under a new directory.
func put(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if name[len(name)-1] == '/' {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestLayout follows the table of generations at and around each threshold.
func TestLayout(t *testing.T) {
	root := put(t, map[string]string{
		"plain/shared/": "", "with/shared/server.xml": "<Server/>",
		"install/conf/server.xml": "<Server/>", "bare/bin/": "",
	})
	in := func(p string) string { return filepath.Join(root, p) }
	for _, tc := range []struct {
		version, home, dir string
		want               Layout
	}{
		{"1.3.1", "plain", "install", Layout{"stash-1", "install/conf/server.xml", "plain/stash-config.properties", "", ""}},
		{"2.0", "plain", "install", Layout{"stash-2", "install/conf/server.xml", "plain/stash-config.properties", "", ""}},
		{"2.12.5", "with", "install", Layout{"stash-2", "install/conf/server.xml", "with/stash-config.properties", "", ""}},
		{"3.1.7", "plain", "install", Layout{"stash-2", "install/conf/server.xml", "plain/stash-config.properties", "install/conf/scripts.cfg", ""}},
		{"3.2.0", "plain", "install", Layout{"stash-3.2", "install/conf/server.xml", "plain/shared/stash-config.properties", "install/conf/scripts.cfg", ""}},
		{"3.7.4", "with", "install", Layout{"stash-3.2", "install/conf/server.xml", "with/shared/stash-config.properties", "install/conf/scripts.cfg", ""}},
		{"3.8.0", "with", "install", Layout{"stash-3.8", "with/shared/server.xml", "with/shared/stash-config.properties", "install/conf/scripts.cfg", ""}},
		{"3.11.6", "plain", "install", Layout{"stash-3.8", "install/conf/server.xml", "plain/shared/stash-config.properties", "install/conf/scripts.cfg", ""}},
		{"4.0.0", "with", "install", Layout{"bitbucket-4", "with/shared/server.xml", "with/shared/bitbucket.properties", "install/conf/scripts.cfg", ""}},
		{"4.14.12", "plain", "install", Layout{"bitbucket-4", "install/conf/server.xml", "plain/shared/bitbucket.properties", "install/conf/scripts.cfg", ""}},
		{"4.14.12", "plain", "bare", Layout{"bitbucket-4", "plain/shared/server.xml", "plain/shared/bitbucket.properties", "bare/conf/scripts.cfg", ""}},
		{"4.14.12", "with", "", Layout{"bitbucket-4", "with/shared/server.xml", "with/shared/bitbucket.properties", "", ""}},
		{"5.0.0", "plain", "bare", Layout{"bitbucket-5", "", "plain/shared/bitbucket.properties", "", ""}},
		{"7.21.16", "with", "bare", Layout{"bitbucket-5", "", "with/shared/bitbucket.properties", "", "with/shared/server.xml"}},
		{"9.4.16", "plain", "install", Layout{"bitbucket-5", "", "plain/shared/bitbucket.properties", "", "install/conf/server.xml"}},
		{"10.0.1-rc2", "plain", "", Layout{"bitbucket-5", "", "plain/shared/bitbucket.properties", "", ""}},
	} {
		t.Run(tc.version+" "+tc.home+" "+tc.dir, func(t *testing.T) {
			i := Install{Version: tc.version, Home: in(tc.home)}
			if tc.dir != "" {
				i.Dir = in(tc.dir)
			}
			got, err := i.Layout()
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range []*string{&tc.want.ServerXML, &tc.want.Properties, &tc.want.ScriptsCfg, &tc.want.DeadXML} {
				if *p != "" {
					*p = in(*p)
				}
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
			if got.UsesProperties() != (tc.want.Generation == "bitbucket-5") {
				t.Errorf("UsesProperties = %v", got.UsesProperties())
			}
		})
	}
}

func TestLayoutSaysWhatIsMissing(t *testing.T) {
	for name, i := range map[string]Install{
		"no home":                 {Version: "9.4.16"},
		"no version":              {Home: "/var/bb"},
		"unreadable version":      {Home: "/var/bb", Version: "latest"},
		"no install directory":    {Home: "/var/bb", Version: "3.2.0"},
		"home is a relative path": {Home: "bb", Version: "9.4.16"},
	} {
		l, err := i.Layout()
		if err == nil || problem.KindOf(err) != problem.Usage {
			t.Errorf("%s: layout %+v, error %v", name, l, err)
		}
	}
}

// Without a version the app directory shows that it is 5.0 or later.
func TestLayoutByInstallDirectory(t *testing.T) {
	root := put(t, map[string]string{"app/META-INF/": ""})
	l, err := Install{Home: "/var/bb", Dir: root}.Layout()
	if err != nil || l.Generation != "bitbucket-5" {
		t.Errorf("got %+v, %v", l, err)
	}
}

// Settings in files that the version does not read are told of, once each.
func TestUnreadFilesAreTold(t *testing.T) {
	for _, c := range []struct {
		version string
		files   map[string]string
		want    []string
	}{
		{"8.19.1", map[string]string{"home/bitbucket.properties": "", "home/shared/bitbucket.properties": ""}, []string{"home/bitbucket.properties"}},
		{"8.19.1", map[string]string{"home/shared/bitbucket.properties": ""}, nil},
		{"7.21.0", map[string]string{"home/shared/": "", "program/conf/bitbucket.properties": "", "program/conf/scripts.cfg": ""}, []string{"program/conf/bitbucket.properties", "program/conf/scripts.cfg"}},
		{"7.21.0", map[string]string{"home/shared/": "", "program/bitbucket.properties": ""}, []string{"program/bitbucket.properties"}},
		{"4.14.3", map[string]string{"home/shared/": "", "home/bitbucket.properties": "", "program/conf/scripts.cfg": "", "program/conf/server.xml": "<Server/>"}, []string{"home/bitbucket.properties"}},
		{"2.12.0", map[string]string{"home/stash-config.properties": "", "home/shared/stash-config.properties": "", "program/conf/server.xml": "<Server/>"}, []string{"home/shared/stash-config.properties"}},
		{"3.5.0", map[string]string{"home/stash-config.properties": "", "home/shared/stash-config.properties": "", "program/conf/server.xml": "<Server/>"}, []string{"home/stash-config.properties"}},
	} {
		root := put(t, c.files)
		in := Install{Home: filepath.Join(root, "home"), Dir: filepath.Join(root, "program"), Version: c.version}
		in.lookForTraps()
		var told []string
		for _, n := range in.Notes {
			if path, _, ok := strings.Cut(n, " is not read"); ok {
				told = append(told, strings.TrimPrefix(path, root+"/"))
			}
		}
		if !slices.Equal(told, c.want) {
			t.Errorf("%s with %v: told of %q, want %q", c.version, c.files, told, c.want)
		}
	}
}
