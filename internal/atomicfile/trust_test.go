package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/internal/problem"
)

// thing is a file, folder or link of a test tree.
type thing struct {
	path string // a trailing slash makes a folder, "a -> b" a link
	uid  int
	mode fs.FileMode
}

// tree makes things below a folder of root's; "$" in a link stands for it.
func tree(t *testing.T, things ...thing) string {
	t.Helper()
	needRoot(t)
	root := t.TempDir()
	for _, th := range things {
		name, to, link := strings.Cut(th.path, " -> ")
		path := filepath.Join(root, name)
		var err error
		switch {
		case link:
			err = os.Symlink(strings.ReplaceAll(to, "$", root), path)
		case strings.HasSuffix(name, "/"):
			err = os.Mkdir(path, 0o700)
		default:
			err = os.WriteFile(path, []byte("old"), 0o600)
		}
		if err == nil && !link {
			err = os.Chmod(path, th.mode)
		}
		if err = errors.Join(err, os.Lchown(path, th.uid, th.uid)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// Whose links are followed, and to whose files.
func TestLinks(t *testing.T) {
	const other = 65533
	for _, c := range []struct {
		name   string
		things []thing
		target string // where the file is; "" = refused
	}{
		{"root's link in root's folder", []thing{{"etc/", 0, 0o755}, {"etc/real", 0, 0o644}, {"etc/f -> real", 0, 0}}, "etc/real"},
		{"root's link to a folder", []thing{{"etc/", 0, 0o755}, {"v2/", 0, 0o755}, {"v2/f", 0, 0o644}, {"current -> v2", 0, 0}, {"etc/f -> ../current/f", 0, 0}}, "v2/f"},
		{"root's absolute link to the user's file", []thing{{"etc/", 0, 0o755}, {"home/", nobody, 0o755}, {"home/f", nobody, 0o644}, {"etc/f -> $/home/f", 0, 0}}, "home/f"},
		{"root's link in a sticky folder", []thing{{"etc/", 0, fs.ModeSticky | 0o777}, {"etc/real", 0, 0o644}, {"etc/f -> real", 0, 0}}, "etc/real"},
		{"root's link in a folder for everybody", []thing{{"etc/", 0, 0o777}, {"etc/real", 0, 0o644}, {"etc/f -> real", 0, 0}}, ""},
		{"root's link in a folder for a group", []thing{{"etc/", 0, 0o775}, {"etc/real", 0, 0o644}, {"etc/f -> real", 0, 0}}, ""},
		{"a user's link in a sticky folder", []thing{{"etc/", 0, fs.ModeSticky | 0o777}, {"etc/real", nobody, 0o644}, {"etc/f -> real", nobody, 0}}, ""},
		{"a user's link to their own file", []thing{{"etc/", nobody, 0o755}, {"etc/real", nobody, 0o644}, {"etc/f -> real", nobody, 0}}, "etc/real"},
		{"a user's link to their own folder", []thing{{"etc -> data", nobody, 0}, {"data/", nobody, 0o755}, {"data/f", nobody, 0o644}}, ""},
		{"a user's home on another disk", []thing{{"home/", nobody, 0o755}, {"disk/", nobody, 0o755}, {"disk/f", nobody, 0o640}, {"home/etc -> $/disk", nobody, 0}, {"etc -> home/etc", 0, 0}}, "disk/f"},
		{"a link that root made in a user's folder", []thing{{"etc/", nobody, 0o755}, {"etc/real", nobody, 0o644}, {"etc/f -> real", 0, 0}}, "etc/real"},
		{"a user's link to root's file", []thing{{"etc/", nobody, 0o755}, {"root/", 0, 0o755}, {"root/f", 0, 0o644}, {"etc/f -> ../root/f", nobody, 0}}, ""},
		{"a user's link to their file in root's folder", []thing{{"etc/", nobody, 0o755}, {"root/", 0, 0o755}, {"root/f", nobody, 0o644}, {"etc/f -> ../root/f", nobody, 0}}, ""},
		{"a user's link to root's file in their folder", []thing{{"etc/", nobody, 0o755}, {"etc/real", 0, 0o644}, {"etc/f -> real", nobody, 0}}, ""},
		{"a user's link to another user's file", []thing{{"etc/", nobody, 0o755}, {"data/", other, 0o755}, {"data/f", other, 0o644}, {"etc/f -> ../data/f", nobody, 0}}, ""},
		{"another user's link in a user's folder", []thing{{"etc/", nobody, 0o777}, {"etc/real", nobody, 0o644}, {"etc/f -> real", other, 0}}, ""},
		{"a user's link out of their folder by ..", []thing{{"etc/", nobody, 0o755}, {"root/", 0, 0o700}, {"root/f", 0, 0o600}, {"etc/f -> ../../../../../../../../../../../etc/passwd", nobody, 0}}, ""},
		{"dangling", []thing{{"etc/", 0, 0o755}, {"etc/f -> nowhere", 0, 0}}, ""},
		{"dangling folder", []thing{{"etc -> nowhere", 0, 0}}, ""},
		{"in a circle", []thing{{"etc/", 0, 0o755}, {"etc/f -> g", 0, 0}, {"etc/g -> f", 0, 0}}, ""},
		{"to a folder", []thing{{"etc/", 0, 0o755}, {"etc/f -> .", 0, 0}}, ""},
		{"to a device", []thing{{"etc/", 0, 0o755}, {"etc/f -> /dev/zero", 0, 0}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := tree(t, c.things...)
			path := filepath.Join(root, "etc/f")
			before := snapshot(t, root)
			f, err := Read(path)
			if c.target == "" {
				refused(t, err, Writer{}.Create(path, []byte("new"), 0o600, -1, -1))
				if obstacles := Examine(path); len(obstacles) != 1 {
					t.Errorf("Examine: %v", obstacles)
				}
				if now := snapshot(t, root); now != before {
					t.Errorf("changed:\n%s\nbefore:\n%s", now, before)
				}
				return
			}
			if err == nil {
				err = Writer{}.Replace(f, []byte("new"))
			}
			if want := filepath.Join(root, c.target); err != nil || f.Target != want || text(t, want) != "new" {
				t.Errorf("error %v, target %s, want %s, holding %q", err, f.Target, want, text(t, want))
			}
			if now, err := Read(path); err != nil || now.UID != f.UID || now.Target != f.Target {
				t.Errorf("read again: %v, owner %d, target %s", err, now.UID, now.Target)
			}
		})
	}
}

func refused(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		var told *problem.Error
		if !errors.As(err, &told) || told.Why == "" || told.Do == "" {
			t.Errorf("not refused, or without a reason: %v", err)
		}
	}
}

// What another user may have hard-linked into his folder is not read for him.
func TestPlanted(t *testing.T) {
	for _, c := range []struct {
		name string
		dir  thing
		file thing
		link bool // a second name in root's folder
		ok   bool
	}{
		{"the user's own file", thing{"etc/", nobody, 0o755}, thing{"etc/f", nobody, 0o600}, false, true},
		{"root's file that they can read", thing{"etc/", nobody, 0o755}, thing{"etc/f", 0, 0o644}, false, true},
		{"root's file that they cannot read", thing{"etc/", nobody, 0o755}, thing{"etc/f", 0, 0o600}, false, false},
		{"root's file with a second name", thing{"etc/", nobody, 0o755}, thing{"etc/f", 0, 0o644}, true, false},
		{"root's file with a second name in a sticky folder", thing{"etc/", 0, fs.ModeSticky | 0o777}, thing{"etc/f", 0, 0o600}, true, false},
		{"root's file in a sticky folder", thing{"etc/", 0, fs.ModeSticky | 0o777}, thing{"etc/f", 0, 0o600}, false, true},
		{"root's file with a second name in root's folder", thing{"etc/", 0, 0o755}, thing{"etc/f", 0, 0o600}, true, true},
	} {
		root := tree(t, c.dir, c.file)
		path := filepath.Join(root, "etc/f")
		if c.link {
			if err := os.Link(path, filepath.Join(root, "second-name")); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Read(path)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if !c.ok {
			refused(t, err)
		}
	}
}
