package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/internal/peers"
	"bitgate/internal/publicurl"
)

const serviceUser = 65534

// lookSquashed looks at the Bitbucket of top, and prints what it has of it.
func lookSquashed(top string) {
	u, err := publicurl.Parse("https://git.example.com")
	home := filepath.Join(top, "data", "home")
	in := Look(context.Background(), Where{URL: u, Root: filepath.Join(top, "root"), Proc: filepath.Join(top, "proc"), Home: home}).Instance
	_, denied := os.Stat(in.Home)
	fmt.Fprintln(os.Stdout, err, os.IsPermission(denied), in.Name.Value, filepath.Base(in.TwoFiles), filepath.Base(in.Log), in.LastError)
}

// TestInstanceWhereRootMayNotEnter: in a home on a file server with root_squash, whose
// version nobody has said.
func TestInstanceWhereRootMayNotEnter(t *testing.T) {
	top := t.TempDir()
	data := filepath.Join(top, "data")
	home := filepath.Join(data, "home")
	write(t, filepath.Join(home, "shared", "bitbucket.properties"), "server.proxy-name=git.example.com\n")
	write(t, filepath.Join(home, "shared", "stash-config.properties"), "")
	write(t, filepath.Join(home, "log", "atlassian-stash.log"), "12:00 ERROR it broke\n")
	if err := errors.Join(os.Chmod(filepath.Dir(top), 0o755), os.Chmod(data, 0o750), os.Chmod(home, 0o750)); err != nil {
		t.Fatal(err)
	}
	look := peers.Squashed(t, "look", top) // skips where this is not root
	err := filepath.WalkDir(data, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, serviceUser, serviceUser)
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := look.CombinedOutput()
	if want := "<nil> true git.example.com stash-config.properties atlassian-stash.log 12:00 ERROR it broke"; err != nil || strings.TrimSpace(string(got)) != want {
		t.Errorf("%v: %s, want %s", err, got, want)
	}
}

// TestLinesOfServerXML: a file says the same whatever ends its lines.
func TestLinesOfServerXML(t *testing.T) {
	shipped, err := os.ReadFile("../../tomcat/testdata/bitbucket4.xml")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		end  string
		line int // of the connector
	}{"LF": {"\n", 19}, "CRLF": {"\r\n", 19}, "lone CR": {"\r", 19}, "CRCRLF": {"\r\r\n", 37}} {
		path := filepath.Join(t.TempDir(), "server.xml")
		write(t, path, strings.ReplaceAll(string(shipped), "\n", c.end))
		var in Instance
		in.readXML(path, "")
		if in.Doubt != "" || in.Port.Value != "7990" || in.Port.Line != c.line || !strings.HasPrefix(in.Port.Text, "<Connector port=\"7990\"") {
			t.Errorf("%s: %q %+v", name, in.Doubt, in.Port)
		}
	}
}
