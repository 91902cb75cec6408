package live

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"bitgate/haproxy"
	"bitgate/internal/problem"
)

// wouldWrite refuses a check that is no look: `haproxy -c` makes the account key of an
// "acme" section whose file is missing (3.2 on; "account-key", else NAME.account.key).
func (s Service) wouldWrite(set []Candidate) error {
	for _, c := range set {
		if !bytes.Contains(c.Data, []byte("acme")) {
			continue
		}
		f := haproxy.Parse(c.Data)
		for _, section := range f.Sections {
			if section.Keyword != "acme" {
				continue
			}
			key := section.Name + ".account.key"
			for _, l := range f.Lines[section.First : section.Last+1] {
				if len(l.Words) > 1 && l.Words[0].Text == "account-key" {
					key = l.Words[1].Text
				}
			}
			if !filepath.IsAbs(key) {
				key = filepath.Join("/", s.Dir, key)
			}
			if _, err := os.Stat(key); errors.Is(err, fs.ErrNotExist) {
				return problem.New("haproxy -c would make "+key+", the account key of the section acme "+section.Name+" in "+c.Path,
					"a plan changes nothing", "have HAProxy make it by a reload, or make it: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "+problem.ShellWord(key))
			}
		}
	}
	return nil
}
