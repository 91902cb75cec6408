package unit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"
)

// tree makes files below a new root.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// load returns x.service of the files, with paths as they are below the root.
func load(t *testing.T, files map[string]string) Service {
	t.Helper()
	root := tree(t, files)
	s, ok := Load(root, "x.service")
	if !ok {
		t.Fatal("there is no x.service")
	}
	for i := range s.Env {
		s.Env[i].Where = strings.ReplaceAll(s.Env[i].Where, root, "")
	}
	return s
}

func TestLoad(t *testing.T) {
	const (
		etc = "etc/systemd/system/x.service"
		lib = "lib/systemd/system/x.service"
	)
	tests := map[string]struct {
		files map[string]string
		args  []string
		env   []Variable
	}{
		"the stronger directory": {
			map[string]string{etc: "[Service]\nExecStart=/bin/a\n", lib: "[Service]\nExecStart=/bin/b\nEnvironment=A=1\n"}, []string{"/bin/a"}, nil,
		},
		"drop-ins by name, of the stronger directory": {
			map[string]string{
				lib:                "[Service]\nExecStart=/bin/a $A $B\nEnvironment=A=unit B=unit\n",
				lib + ".d/20.conf": "[Service]\nEnvironment=A=lib20\n", "run/systemd/system/x.service.d/20.conf": "[Service]\nEnvironment=A=run20\n",
				etc + ".d/10.conf": "\n[Service]\nEnvironment=A=etc10 B=etc10\n",
			},
			[]string{"/bin/a", "run20", "etc10"},
			[]Variable{{"A", "run20", "unit /run/systemd/system/x.service.d/20.conf, line 2"}, {"B", "etc10", "unit /etc/systemd/system/x.service.d/10.conf, line 3"}},
		},
		"resets": {
			map[string]string{etc: "Environment=A=1\nEnvironmentFile=/etc/env\nExecStart=/bin/a\nEnvironment=\nEnvironmentFile=\nExecStart=\nExecStart=/bin/b\n", "etc/env": "C=3\n"},
			[]string{"/bin/b"},
			nil,
		},
		"files override, wherever they stand": {
			map[string]string{etc: "EnvironmentFile=-/etc/none\nEnvironmentFile=/etc/env*\nEnvironment=A=1\nExecStart=/bin/a ${A} -x=${A}\n", "etc/env1": "\n# A=0\nA='two words'\n"},
			[]string{"/bin/a", "two words", "-x=two words"},
			[]Variable{{"A", "two words", "/etc/env1, line 3"}},
		},
		"words of a variable": {
			map[string]string{etc: "Environment='O=-a \"b c\"' E=\nExecStart=@/bin/a $O ${O} $E x$O $$O ${NONE} ${\n"},
			[]string{"/bin/a", "-a", "b c", `-a "b c"`, "x$O", "$O", "", "${"},
			[]Variable{{"O", `-a "b c"`, "unit /etc/systemd/system/x.service, line 1"}, {"E", "", "unit /etc/systemd/system/x.service, line 1"}},
		},
		"what systemd takes and go-systemd/unit does not": {
			map[string]string{etc: "[Service]\nno assignment\nExecStart=-/bin/a \\\n# a comment\n  -b " + strings.Repeat("-Dx=y ", 1000) + "\nEnvironment=A=1 \\\n; another\nB=2"},
			append([]string{"/bin/a", "-b"}, strings.Fields(strings.Repeat("-Dx=y ", 1000))...),
			[]Variable{{"A", "1", "unit /etc/systemd/system/x.service, line 6"}, {"B", "2", "unit /etc/systemd/system/x.service, line 6"}},
		},
		"line ends of Windows": {
			map[string]string{etc: "[Service]\r\nExecStart=/bin/a \\\r\n b\r\nEnvironment=A=1\r\n"},
			[]string{"/bin/a", "b"},
			[]Variable{{"A", "1", "unit /etc/systemd/system/x.service, line 4"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := load(t, tt.files)
			if diff := cmp.Diff(tt.args, s.Args(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("arguments:\n%s", diff)
			}
			if diff := cmp.Diff(tt.env, s.Env, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("environment:\n%s", diff)
			}
		})
	}
}

// A mask hides the package's unit, whose drop-ins do not bring it back.
func TestMasked(t *testing.T) {
	lib := map[string]string{"lib/systemd/system/x.service": "ExecStart=/bin/b\n", "lib/systemd/system/x.service.d/a.conf": "User=a\n"}
	if s, ok := Load(tree(t, lib), "x.service"); !ok || s.User != "a" {
		t.Fatalf("%+v", s)
	}
	for _, dir := range []string{"etc", "run"} {
		for _, how := range []string{"link", "empty file"} {
			root := tree(t, lib)
			path := filepath.Join(root, dir, "systemd/system/x.service")
			err := os.MkdirAll(filepath.Dir(path), 0o755)
			if how == "link" {
				err = errors.Join(err, os.Symlink(os.DevNull, path))
			} else {
				err = errors.Join(err, os.WriteFile(path, nil, 0o644))
			}
			if s, ok := Load(root, "x.service"); err != nil || ok || !Masked(root, "x.service") {
				t.Errorf("%s in /%s: %+v %v", how, dir, s, err)
			}
		}
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		` a  "b c"'d' `:        {"a", "b cd"},
		`"" ''`:                {"", ""},
		`a\x20b \s \t\n \101`:  {"a b", " ", "\t\n", "A"},
		`C:\dir \. \`:          {`C:\dir`, `\.`, `\`},
		`"a\"b" 'c\'d' e\\f ü`: {`a"b`, "c'd", `e\f`, "ü"},
		`"open`:                {"open"},
		``:                     nil,
	} {
		if diff := cmp.Diff(want, Words(text)); diff != "" {
			t.Errorf("%s:\n%s", text, diff)
		}
	}
}

func TestReadEnvironment(t *testing.T) {
	root := tree(t, map[string]string{"env": strings.Join([]string{
		"# comment A=1", "; comment", "not a line", "=nothing",
		"A=1", "  B = two  words \t", "export C=\"quoted  \"", `JSON='{"a":"b\\c","d":"e f"}'`,
		`D="a \"b\" \$c \d"`, `E=a\ b\"c`, "F=one \\", "two", "G=\"first", "# second\"", `H=a"b c"'d'`, "I=", "J=last",
	}, "\n")})
	want := []Variable{
		{"A", "1", "5"},
		{"B", "two  words", "6"},
		{"C", "quoted  ", "7"},
		{"JSON", `{"a":"b\\c","d":"e f"}`, "8"},
		{"D", `a "b" $c \d`, "9"},
		{"E", `a b"c`, "10"},
		{"F", "one two", "11"},
		{"G", "first\n# second", "13"},
		{"H", "ab cd", "15"},
		{"I", "", "16"},
		{"J", "last", "17"},
	}
	file := filepath.Join(root, "env")
	for i := range want {
		want[i].Where = file + ", line " + want[i].Where
	}
	if diff := cmp.Diff(want, ReadEnvironment(file)); diff != "" {
		t.Error(diff)
	}
	if got := ReadEnvironment(root); got != nil {
		t.Errorf("a directory gives %v", got)
	}
}

func TestFind(t *testing.T) {
	root := tree(t, map[string]string{
		"etc/systemd/system/b.service":             "ExecStart=/bin/b\n",
		"usr/local/lib/systemd/system/b.service":   "ExecStart=/bin/never\n",
		"usr/lib/systemd/system/a.service":         "ExecStart=/bin/a\n",
		"usr/lib/systemd/system/c.service":         "ExecStart=/bin/c\n",
		"etc/systemd/system/a.service.d/more.conf": "Environment=A=1\n",
		"etc/systemd/system/d.socket":              "ListenStream=1\n",
	})
	found, err := Find(t.Context(), root, func(s Service) bool { return s.Program() != "/bin/c" })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range found {
		got = append(got, s.Name+" "+s.Path+" "+s.Program()+" "+s.Variable("A").Value)
	}
	want := []string{"b.service /etc/systemd/system/b.service /bin/b ", "a.service /usr/lib/systemd/system/a.service /bin/a 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Find(ended, root, func(Service) bool { return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
}

func FuzzUnit(f *testing.F) {
	f.Add("[Service]\nEnvironment=\"A=b c\" 'B=1' \\\n X=\\\"\nEnvironmentFile=/x\nExecStart=-/bin/x ${A} $B \\x4")
	f.Add("A='b\nc'\n#\nexport D=\"\\")
	f.Fuzz(func(t *testing.T, text string) {
		s := Service{Name: "x.service"}
		s.parse("x", text)
		for _, v := range s.Env {
			if v.Name == "" || strings.Contains(v.Name, "=") {
				t.Errorf("%q: a variable %q", text, v.Name)
			}
		}
		s.Args()
		for rest := text; rest != ""; {
			_, after := shellValue(rest)
			if after == rest && rest[0] != '\n' && strings.TrimLeft(rest, " \t") == rest {
				t.Fatalf("%q: no progress", rest)
			}
			if len(after) >= len(rest) {
				break
			}
			rest = after
		}
	})
}

// TestForeignFilesDoNotBlock: units are read through links, and a FIFO in the
// place of one, or of an environment file, counts as none, even while it is
// exchanged for the file and back.
func TestForeignFilesDoNotBlock(t *testing.T) {
	root := tree(t, map[string]string{
		"etc/systemd/system/x.service": "[Service]\nExecStart=/bin/a\nEnvironmentFile=/home/env\n", "home/file": "A=1\n",
		"lib/systemd/system/y.service": "ExecStart=/bin/b\n",
	})
	file, fifo, env, spare := filepath.Join(root, "home/file"), filepath.Join(root, "home/fifo"), filepath.Join(root, "home/env"), filepath.Join(root, "home/spare")
	for _, err := range []error{
		unix.Mkfifo(fifo, 0o600), os.Link(file, env), os.Link(fifo, spare),
		os.Symlink("../../../lib/systemd/system/y.service", filepath.Join(root, "etc/systemd/system/y.service")),
		os.Symlink(fifo, filepath.Join(root, "etc/systemd/system/z.service")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if y, ok := Load(root, "y.service"); !ok || y.Program() != "/bin/b" || y.Path != "/etc/systemd/system/y.service" {
		t.Errorf("behind a link: %v, %+v", ok, y)
	}
	if _, ok := Load(root, "z.service"); ok {
		t.Error("a FIFO is a unit")
	}
	read := map[string]int{}
	done := make(chan struct{})
	swapping := make(chan error, 1)
	go func() {
		for {
			select {
			case <-done:
				swapping <- nil
				return
			default:
				if err := unix.Renameat2(unix.AT_FDCWD, env, unix.AT_FDCWD, spare, unix.RENAME_EXCHANGE); err != nil {
					swapping <- err
					return
				}
			}
		}
	}()
	for n := 0; n < 20000 && (n < 2000 || len(read) < 2); n++ {
		x, ok := Load(root, "x.service")
		if !ok {
			t.Fatal("there is no x.service")
		}
		read[x.Variable("A").Value]++
	}
	close(done)
	if err := <-swapping; err != nil {
		t.Fatal(err)
	}
	if len(read) != 2 || read["1"] == 0 || read[""] == 0 {
		t.Errorf("read %v", read)
	}
}
