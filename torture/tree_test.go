package torture

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// tree is what must be the same: of every file and folder its kind, mode and
// owner, its extended attributes (an ACL is one) and its bytes.
type tree map[string]string

// administered are the parts of a machine that belong to the administrator.
var administered = []string{"bitbucket/home/shared", "bitbucket/install", "haproxy", "etc", "tls"}

// tree reads the administered files. What Bitbucket itself writes is left out.
func (m *machine) tree(t *testing.T) tree {
	t.Helper()
	out := tree{}
	for _, top := range administered {
		err := filepath.WalkDir(m.path(top), func(path string, d fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil {
				return err
			}
			if d.IsDir() && d.Name() == "data" {
				return fs.SkipDir
			}
			name, err := filepath.Rel(m.Dir, path)
			if err != nil {
				return err
			}
			out[name], err = describe(path)
			return err
		})
		must(t, err)
	}
	return out
}

func describe(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	st := info.Sys().(*syscall.Stat_t)
	line := fmt.Sprintf("%v %d:%d", info.Mode(), st.Uid, st.Gid)
	attrs, err := xattrs(path)
	if err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		line += fmt.Sprintf(" %s=%x", name, attrs[name])
	}
	if info.Mode().IsRegular() {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		line += fmt.Sprintf(" %d bytes %x", len(data), sha256.Sum256(data))
	}
	return line, nil
}

func xattrs(path string) (map[string]string, error) {
	buf := make([]byte, 4096)
	n, err := unix.Llistxattr(path, buf)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name := range strings.SplitSeq(strings.TrimRight(string(buf[:n]), "\x00"), "\x00") {
		if name == "" {
			continue
		}
		value := make([]byte, 4096)
		n, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return nil, err
		}
		out[name] = string(value[:n])
	}
	return out, nil
}

// differences names what is not the same, one line each.
func (have tree) differences(want tree) []string {
	var out []string
	for name, line := range want {
		if have[name] != line {
			out = append(out, fmt.Sprintf("%s: %q, not %q", name, have[name], line))
		}
	}
	for name := range have {
		if _, known := want[name]; !known {
			out = append(out, name+" was left")
		}
	}
	slices.Sort(out)
	return out
}

func (have tree) is(want tree) bool { return len(have.differences(want)) == 0 }

func temporary(name string) bool { return strings.HasPrefix(filepath.Base(name), ".bitgate-") }

// leftovers are the temporary files that should not be there.
func (m *machine) leftovers(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(m.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if temporary(path) || filepath.Dir(path) == m.path("tmp") {
			out = append(out, path)
		}
		return nil
	})
	must(t, err)
	return out
}
