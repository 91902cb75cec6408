package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"bitgate/internal/problem"
	trust "bitgate/internal/trusted"
)

// found runs Examine and makes sure that it changed nothing and that every
// obstacle says why it matters and what to do.
func found(t *testing.T, path, tree string) []problem.Finding {
	t.Helper()
	before := snapshot(t, tree)
	out := Examine(path)
	if now := snapshot(t, tree); now != before {
		t.Errorf("Examine changed:\n%s\nbefore:\n%s", now, before)
	}
	for _, o := range out {
		if o.Found == "" || o.Why == "" || o.Do == "" {
			t.Errorf("half an obstacle: %+v", o)
		}
	}
	return out
}

// one wants exactly one obstacle with the given words in it.
func one(t *testing.T, path, tree, words string) {
	t.Helper()
	out := found(t, path, tree)
	if len(out) != 1 || !strings.Contains(out[0].Found+out[0].Why, words) {
		t.Errorf("obstacles %+v, want one about %q", out, words)
	}
}

func TestNoObstacle(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, "old", 0o640)
	for _, path := range []string{path, filepath.Join(dir, "absent")} {
		if out := found(t, path, dir); len(out) > 0 {
			t.Errorf("%s: %+v", path, out)
		}
	}
}

func TestObstaclesOfKind(t *testing.T) {
	needRoot(t)
	for words, prepare := range map[string]func(path string) error{
		"a FIFO":             func(path string) error { return unix.Mkfifo(path, 0o600) },
		"a folder":           func(path string) error { return os.Mkdir(path, 0o700) },
		"a character device": func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))) },
		"a block device":     func(path string) error { return unix.Mknod(path, unix.S_IFBLK|0o600, int(unix.Mkdev(7, 99))) },
		"a socket":           func(path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o600, 0) },
		"larger than 5 MiB: it has 5242881 bytes": func(path string) error {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return err
			}
			return os.Truncate(path, MaxSize+1)
		},
		"does not exist": func(path string) error { return os.Symlink("nowhere", path) },
		"go in a circle": func(path string) error { return os.Symlink(filepath.Base(path), path) },
		"2 hard links": func(path string) error {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				return err
			}
			return os.Link(path, path+"-too")
		},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "f")
		if err := prepare(path); err != nil {
			t.Fatal(err)
		}
		before := snapshot(t, dir)
		one(t, path, dir, words)
		f, err := Read(path)
		if err == nil {
			err = Writer{}.Replace(f, []byte("new"))
		}
		refused(t, err)
		if now := snapshot(t, dir); now != before {
			t.Errorf("%s: changed:\n%s\nbefore:\n%s", words, now, before)
		}
	}
}

func TestMissingFolder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "etc", "bitgate", "f")
	one(t, path, dir, "the folder "+filepath.Join(dir, "etc")+" does not exist")
	if f, err := Read(path); err != nil || !f.Absent {
		t.Errorf("Read: %v, absent %v", err, f.Absent)
	}
	refused(t, Writer{}.Create(path, []byte("new"), 0o600, -1, -1))
	write(t, filepath.Join(dir, "etc"), "a file", 0o600)
	one(t, path, dir, "not a folder")
}

// Who else could put another file in its place.
func TestOutsiders(t *testing.T) {
	const other = 65533
	for _, c := range []struct {
		name   string
		things []thing
		words  string // "" = nobody
	}{
		{"the service user's own", []thing{{"etc/", nobody, 0o755}, {"etc/f", nobody, 0o600}}, ""},
		{"to be made by its folder's owner", []thing{{"etc/", nobody, 0o755}}, ""},
		{"root's file in root's folder", []thing{{"etc/", 0, 0o755}, {"etc/f", 0, 0o600}}, ""},
		{"the user's file in root's folder", []thing{{"etc/", 0, 0o755}, {"etc/f", nobody, 0o600}}, ""},
		{"their group, which bears another name", []thing{{"etc/", nobody, 0o775}, {"etc/f", nobody, 0o644}}, "the group"},
		{"a group that may write the file", []thing{{"etc/", nobody, 0o775}, {"etc/f", nobody, 0o664}}, ""},
		{"root's group", []thing{{"etc/", 0, 0o775}, {"etc/f", 0, 0o644}}, ""},
		{"everybody", []thing{{"etc/", 0, 0o777}, {"etc/f", 0, 0o644}}, "everybody"},
		{"a sticky folder", []thing{{"etc/", 0, fs.ModeSticky | 0o777}, {"etc/f", 0, 0o644}}, ""},
		{"root's file in a user's folder", []thing{{"etc/", nobody, 0o755}, {"etc/f", 0, 0o644}}, "nobody"},
		{"another user's sticky folder", []thing{{"etc/", other, fs.ModeSticky | 0o777}, {"etc/f", nobody, 0o644}}, "uid 65533"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := tree(t, c.things...)
			if path := filepath.Join(root, "etc/f"); c.words != "" {
				one(t, path, root, c.words)
			} else if out := found(t, path, root); len(out) > 0 {
				t.Errorf("%+v", out)
			}
		})
	}
	root := tree(t, thing{"home/", other, 0o755}, thing{"home/etc/", nobody, 0o755}, thing{"home/etc/f", nobody, 0o600})
	one(t, filepath.Join(root, "home/etc/f"), root, filepath.Join(root, "home")+" can be changed by uid 65533")
}

// Whom an ACL lets write: the group's bits are its mask then, and the group that they seem
// to be of is not the one that may.
func TestOutsidersByACL(t *testing.T) {
	needRoot(t)
	const daemon, other = 1, 65533 // daemon's group is a private one, where there is such an account
	for _, c := range []struct {
		name string
		uid  int
		mode fs.FileMode // of the file; of the folder 0775
		list string      // what has the ACL
		want string
	}{
		{"a private group's folder", daemon, 0o640, "etc", "somebody whom its ACL names"},
		{"root's group's folder", 0, 0o640, "etc", "somebody whom its ACL names"},
		{"a folder whose group may write the file", nobody, 0o660, "etc", "somebody whom its ACL names"},
		{"a file that its group only seems to write", nobody, 0o660, "etc/f", "the group"},
	} {
		root := tree(t, thing{"etc/", c.uid, 0o775}, thing{"etc/f", c.uid, c.mode})
		setAttr(t, filepath.Join(root, c.list), trust.ACL, acl(other, 7, 7))
		t.Run(c.name, func(t *testing.T) { one(t, filepath.Join(root, "etc/f"), root, c.want) })
	}
}

// Without root: what belongs to others cannot be replaced, and Examine says so.
func TestObstaclesWithoutRoot(t *testing.T) {
	root := tree(t, thing{"etc/", 0, 0o755}, thing{"etc/f", 0, 0o644})
	for dir := root; dir != filepath.Clean(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	out, err := asNobody(t, "examine", filepath.Join(root, "etc/f")).Output()
	if err != nil || !strings.Contains(string(out), "belongs to root") || !strings.Contains(string(out), "run bitgate as root") {
		t.Errorf("%v: %s", err, out)
	}
}

// Putting a file back, or taking it away, is judged by what makes just that fail.
func TestExamineBack(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, "new", 0o640)
	if err := os.Chmod(dir, 0o777); err != nil { // which Examine refuses
		t.Fatal(err)
	}
	if len(Examine(path)) == 0 || len(ExamineBack(path, false)) > 0 || len(ExamineBack(path, true)) > 0 {
		t.Errorf("an open folder: %+v, %+v", ExamineBack(path, false), ExamineBack(path, true))
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Link(path, path+".second")); err != nil {
		t.Fatal(err)
	}
	if back := ExamineBack(path, false); len(back) != 1 || !strings.Contains(back[0].Found, "2 hard links") || len(ExamineBack(path, true)) > 0 {
		t.Errorf("a second name: %+v, %+v", back, ExamineBack(path, true))
	}
}

// Neither of them can be done below an immutable folder.
func TestExamineBackOfFlags(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	write(t, path, "new", 0o640)
	for _, marked := range []string{path, dir} {
		setFlag(t, marked, immutableFlag)
		for _, gone := range []bool{false, true} {
			if found := ExamineBack(path, gone); len(found) != 1 || !strings.Contains(found[0].Found, marked+" is immutable") {
				t.Errorf("%s, to be removed %v: %+v", marked, gone, found)
			}
		}
		setFlag(t, marked, 0)
	}
}
