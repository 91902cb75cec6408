// Package mountinfo reads the mount table of a process (proc(5), /proc/PID/mountinfo).
package mountinfo

import (
	"os"
	"strings"
)

// Mount is one line of it.
type Mount struct {
	Device string // "major:minor"
	Root   string // the folder of that file system which is mounted
	Point  string // where it is mounted
	Type   string // "ext4", "nfs4"
}

// Read returns the mounts in the table at path, the last first: it covers those
// before it. A table that cannot be read is empty.
func Read(path string) []Mount {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var out []Mount
	for line := range strings.Lines(string(text)) {
		if m, ok := parse(line); ok {
			out = append([]Mount{m}, out...)
		}
	}
	return out
}

var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func parse(line string) (Mount, bool) {
	before, after, ok := strings.Cut(line, " - ")
	fields, kind := strings.Fields(before), strings.Fields(after)
	if !ok || len(fields) < 5 || len(kind) == 0 {
		return Mount{}, false
	}
	return Mount{Device: fields[2], Root: unescape.Replace(fields[3]), Point: unescape.Replace(fields[4]), Type: kind[0]}, true
}

// Below returns what of path lies below dir, "" for dir itself.
func Below(path, dir string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, strings.TrimSuffix(dir, "/"))
	return rest, ok && (rest == "" || rest[0] == '/')
}

// Of returns the mount that holds path.
func Of(table []Mount, path string) (Mount, bool) {
	best, found := Mount{}, false
	for _, m := range table {
		if _, ok := Below(path, m.Point); ok && (!found || len(m.Point) > len(best.Point)) {
			best, found = m, true
		}
	}
	return best, found
}
