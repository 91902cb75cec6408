package detect

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxHostNames is more than a file has that somebody wrote by hand; lists of
// advertisers' names are of no interest.
const maxHostNames = 1000

// readNames finds out how this machine comes by addresses: what stands in /etc/hosts,
// and whether there are name servers at all.
func (f *facts) readNames(root string) {
	text, err := os.ReadFile(filepath.Join(root, "/etc/hosts"))
	if err == nil {
		f.HostNames = hostNames(string(text))
	}
	_, err = os.Stat(filepath.Join(root, "/etc/resolv.conf"))
	f.NoResolver = errors.Is(err, fs.ErrNotExist)
}

// hostNames are the names of a hosts(5).
func hostNames(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) > 1 {
			out = append(out, words[1:]...)
		}
		if len(out) > maxHostNames {
			return out[:maxHostNames]
		}
	}
	return out
}
