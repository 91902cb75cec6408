package bitbuckettest

import (
	"fmt"
	"strconv"
	"strings"
)

// generation is what differs between versions.
type generation struct {
	version      string
	major, minor int
}

func parseGeneration(version string) (generation, error) {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return generation{}, fmt.Errorf("bitbuckettest: version %q is not like 9.4.16", version)
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	if err1 != nil || err2 != nil || major < 3 {
		return generation{}, fmt.Errorf("bitbuckettest: version %q is not like 9.4.16, or older than 3.0", version)
	}
	return generation{version: version, major: major, minor: minor}, nil
}

func (g generation) atLeast(major, minor int) bool {
	return g.major > major || g.major == major && g.minor >= minor
}

// stash tells the product's name before 4.0.
func (g generation) stash() bool { return g.major < 4 }

// product is the display name, lower is the form used in file names.
func (g generation) product() string {
	if g.stash() {
		return "Stash"
	}
	return "Bitbucket"
}

func (g generation) lower() string { return strings.ToLower(g.product()) }

// usesXML tells the generations whose connector stands in server.xml; from 5.0
// on the embedded Tomcat is set up by bitbucket.properties alone.
func (g generation) usesXML() bool { return g.major < 5 }

// sharedXML tells where: from 3.8 on in the home, before in the install directory.
func (g generation) sharedXML() bool { return g.atLeast(3, 8) }

// sharedHome: <home>/shared exists from 3.2 on.
func (g generation) sharedHome() bool { return g.atLeast(3, 2) }

func (g generation) propertiesName() string {
	if g.stash() {
		return "stash-config.properties"
	}
	return "bitbucket.properties"
}

func (g generation) cookie() string {
	if g.major < 5 {
		return "JSESSIONID"
	}
	return "BITBUCKETSESSIONID"
}

// jsonLogin: rest/tsv; formLogin: j_atl_security_check. 8.x has both.
func (g generation) jsonLogin() bool { return g.major >= 8 }
func (g generation) formLogin() bool { return g.major <= 8 }

// hasWebSudo: secure administrator sessions are documented from 9.0 on.
func (g generation) hasWebSudo() bool { return g.major >= 9 }

// tokensOnRestOnly: since 8.9.22, 8.19.12 and 9.3.2 HTTP access tokens are
// refused outside /rest and /scm.
func (g generation) tokensOnRestOnly() bool {
	patch := 0
	if p := strings.Split(g.version, "."); len(p) > 2 {
		patch, _ = strconv.Atoi(p[2])
	}
	switch {
	case g.major == 8 && g.minor == 9:
		return patch >= 22
	case g.major == 8 && g.minor == 19:
		return patch >= 12
	case g.major == 9 && g.minor == 3:
		return patch >= 2
	}
	return g.atLeast(9, 4)
}

// search is the bundled search server's folder, "" where there is none.
func (g generation) search() string {
	switch {
	case !g.atLeast(4, 6) || g.major >= 10:
		return ""
	case g.atLeast(7, 21):
		return "opensearch"
	}
	return "elasticsearch"
}
