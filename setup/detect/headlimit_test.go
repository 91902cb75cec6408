package detect

import (
	"strings"
	"testing"

	"bitgate/bitbucket"
	"bitgate/setup"
)

// The front takes the heads that Bitbucket was told to take, whichever place says so:
// logins that worked must not stop on the day it is put in front.
func TestHeadLimitIsBitbuckets(t *testing.T) {
	for name, c := range map[string]struct {
		properties string
		overrides  []bitbucket.Override
		want       int
		why        string
	}{
		"nothing said":          {},
		"the usual one":         {properties: "server.max-http-header-size=8192\n"},
		"raised":                {properties: "a=b\nserver.max-http-header-size=32768\n", want: 32768, why: "line 2"},
		"raised, Spring Boot 3": {properties: "server.max-http-request-header-size=48KB\n", want: 48 << 10, why: "line 1"},
		"more than a front has": {properties: "server.max-http-header-size=1MB\n", want: 64 << 10, why: "line 1"},
		"by the environment":    {properties: "server.max-http-header-size=9000\n", overrides: []bitbucket.Override{{Key: "server.max-http-header-size", Where: "environment of process 5, SERVER_MAX_HTTP_HEADER_SIZE", Value: "20000"}}, want: 20000, why: "process 5"},
		"nonsense":              {properties: "server.max-http-header-size=many\n"},
		"server.xml":            {properties: "XML" + `<Connector port="7990" maxHttpHeaderSize="65536"/>`, want: 65536, why: "maxHttpHeaderSize"},
		"another connector's":   {properties: "XML" + `<Connector port="7990"/><Connector port="8009" protocol="AJP/1.3" maxHttpHeaderSize="65536"/>`},
	} {
		f := configured(t, c.properties, c.overrides, nil)
		a, src := setup.Resolve(f.Facts, setup.Answers{}, nil)
		if a.MaxHeader != c.want || !strings.Contains(src["max-header"].Why, c.why) {
			t.Errorf("%s: %d (%s), want %d", name, a.MaxHeader, src["max-header"].Why, c.want)
		}
	}
}
