package bitbucket

import (
	"path/filepath"
	"strings"

	"bitgate/internal/pattern"
	"bitgate/internal/unit"
)

// bitbucketWord keeps logstash and our own units out. Atlassian's installer calls
// its own atlbitbucket and atlstash.
var (
	bitbucketWord = pattern.Lazy(`(?i)\b(atl)?(bitbucket|stash)\b`)
	otherService  = pattern.Lazy(`(?i)(mesh|search|bitgate|haproxy|runner|mirror-proxy)`)
)

func runsBitbucket(u unit.Service) bool {
	if otherService().MatchString(u.Name) {
		return false
	}
	return bitbucketWord().MatchString(strings.ReplaceAll(u.Name, "_", "-")) ||
		bitbucketWord().MatchString(strings.ReplaceAll(u.Program(), "_", "-"))
}

// programDir returns the install directory of a unit that starts
// .../bin/start-bitbucket.sh.
func programDir(u unit.Service) string {
	bin, _ := filepath.Split(u.Program())
	if filepath.Base(bin) != "bin" {
		return ""
	}
	dir := filepath.Dir(filepath.Clean(bin))
	if !looksInstalled(dir) {
		return ""
	}
	return dir
}
