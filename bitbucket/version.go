package bitbucket

import (
	"strconv"
	"strings"

	"bitgate/internal/pattern"
)

// release is a version as far as the table of generations needs it.
type release struct{ major, minor int }

func (r release) before(major, minor int) bool {
	return r.major < major || r.major == major && r.minor < minor
}

// parseRelease reads "9.4.16", "5.0", "4" or "8.19.0-rc1".
func parseRelease(version string) (release, bool) {
	m := releasePattern().FindStringSubmatch(strings.TrimSpace(version))
	if m == nil {
		return release{}, false
	}
	major, err := strconv.Atoi(m[1])
	if err != nil || major < 1 {
		return release{}, false
	}
	minor, err := strconv.Atoi("0" + m[2])
	if err != nil {
		return release{}, false
	}
	return release{major, minor}, true
}

var (
	releasePattern = pattern.Lazy(`^(\d{1,3})(?:\.(\d{1,3}))?(?:[.\-+_].*)?$`)
	// dottedVersion finds a full version inside a file or directory name.
	dottedVersion = pattern.Lazy(`\d{1,3}\.\d{1,3}\.\d{1,3}`)
)

// productOf names the product of a release: Stash became Bitbucket with 4.0.
func productOf(r release) string {
	if r.major < 4 {
		return "Stash"
	}
	return "Bitbucket"
}
