package bitbucket

import (
	"io"
	"path/filepath"
	"regexp"
	"strings"

	"bitgate/internal/atomicfile"
	"bitgate/internal/pattern"
)

// findVersion reads the version from the files; the running instance, which
// setup asks, knows better.
func (in *Install) findVersion(s Search) {
	in.set("Version", &in.Version, strings.TrimSpace(s.Version), "given")
	if in.Dir != "" && in.Version == "" {
		in.versionFromInstall()
	}
	if in.Home != "" && in.Version == "" {
		for _, log := range []string{"log/atlassian-bitbucket.log", "log/atlassian-stash.log"} {
			path := filepath.Join(in.Home, log)
			in.set("Version", &in.Version, versionInLog(tail(path, 8<<20)), path)
		}
	}
	in.set("Version", &in.Version, dottedVersion().FindString(filepath.Base(in.Dir)), "name of the install directory")
}

var (
	manifestVersion = pattern.Lazy(`(?m)^Implementation-Version:\s*(\d+\.\d+(?:\.\d+)?\S*)`)
	pomVersion      = pattern.Lazy(`(?m)^version\s*=\s*(\d+\.\d+(?:\.\d+)?\S*)`)
	logVersion      = pattern.Lazy(`(?:Bitbucket|Stash)(?: Server| Data Center)? v?(\d+\.\d+\.\d+\S*)[ ,]`)
)

// versionFromInstall asks the manifest and the Maven record of the web application.
func (in *Install) versionFromInstall() {
	for _, app := range []string{"app", "atlassian-bitbucket", "atlassian-stash"} {
		meta := filepath.Join(in.Dir, app, "META-INF")
		path := filepath.Join(meta, "MANIFEST.MF")
		in.set("Version", &in.Version, group(manifestVersion(), readLimited(path, 1<<20)), path)
		poms, _ := filepath.Glob(filepath.Join(meta, "maven", "com.atlassian.*", "*", "pom.properties"))
		for _, pom := range poms {
			in.set("Version", &in.Version, group(pomVersion(), readLimited(pom, 64<<10)), pom)
		}
	}
}

// versionInLog returns the version of the last start or stop in the log, e.g.
// "c.a.b.i.boot.log.BuildInfoLogger Bitbucket 7.12.0 has shut down".
func versionInLog(text string) string {
	version := ""
	for line := range strings.Lines(text) {
		if strings.Contains(line, "BuildInfoLogger") || strings.Contains(line, "starting up") || strings.Contains(line, "has shut down") {
			if v := group(logVersion(), line); v != "" {
				version = v
			}
		}
	}
	return version
}

func group(re *regexp.Regexp, text string) string {
	if m := re.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// tail returns the last limit bytes of a file: logs grow to gigabytes.
func tail(path string, limit int64) string {
	f, err := atomicfile.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > limit {
		if _, err := f.Seek(-limit, io.SeekEnd); err != nil {
			return ""
		}
	}
	data, _ := io.ReadAll(io.LimitReader(f, limit))
	return string(data)
}
