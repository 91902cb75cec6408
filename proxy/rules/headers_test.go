package rules

import (
	"slices"
	"strings"
	"testing"

	"bitgate/internal/fieldnames"
)

// The built-in proxy takes away what the HAProxy sections take away: both are
// made from one table.
func TestNamesThatGoNoFurther(t *testing.T) {
	names := slices.Concat(fieldnames.Identity, fieldnames.HopByHop, []string{"X_Forwarded_For", "Host", "Connection", "Upgrade"})
	for _, p := range fieldnames.Prefixes {
		names = append(names, p, p+"User")
	}
	for _, name := range names {
		for _, spelled := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			if forwardable([]byte(spelled)) {
				t.Errorf("%s goes to Bitbucket", spelled)
			}
		}
	}
	for _, name := range []string{
		"x-forwarded-for", "X-Forwarded-Access-Token", "X-FORWARDED", "x-client-ip", "X-SSL-Client-CN",
		"Client-Cert", "proxy", "x-remote-user", "CF-Connecting-IPv6",
	} {
		if forwardable([]byte(name)) {
			t.Errorf("%s goes to Bitbucket", name)
		}
	}
	for _, name := range []string{
		"Authorization", "Cookie", "Accept", "X-Atlassian-Token", "X-Auth-Token", "Git-Protocol", "X-Forwarde", "X", "Content-Type", "X-SSLX",
		"X-Requested-With", "",
	} {
		if !forwardable([]byte(name)) {
			t.Errorf("%s does not reach Bitbucket", name)
		}
	}
}
