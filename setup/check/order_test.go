package check

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"bitgate/internal/peers"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// TestBeforeAnOrder: what an authority would refuse is found before it is asked.
func TestBeforeAnOrder(t *testing.T) {
	d := peers.StartDNS(t)
	d.Host("here.test", "192.0.2.1", "2001:db8::1")
	d.Host("stale.test", "192.0.2.1", "2001:db8::bad")
	d.Host("two.test", "192.0.2.1", "192.0.2.2")
	d.Host("nat.test", "198.51.100.7")
	for _, name := range []string{"other.test", "own.test", "account.test", "broken.test"} {
		d.Host(name, "192.0.2.1")
	}
	d.CAA("other.test", 0, "issue", "elsewhere.test")
	d.CAA("own.test", 0, "issue", "ca.test; validationmethods=http-01")
	d.CAA("account.test", 0, "issue", "ca.test; accounturi=https://ca.test/2")
	d.TXT("_validation-persist.persists.test", "ca.test; accounturi=https://ca.test/1")
	d.Fail("broken.test")
	pr := Prover{DNS: DNS{Server: d.Address, Own: func() ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, nil
	}}}
	for what, c := range map[string]struct {
		name, challenge string
		ahead           time.Duration
		want            []string // level and a part of each finding
	}{
		"as it should be":      {"here.test", setup.HTTP01, 2 * time.Second, []string{"ok leads to this machine (192.0.2.1, 2001:db8::1)"}},
		"by DNS":               {"nowhere.test", setup.DNS01, 0, nil},
		"an address":           {"192.0.2.9", setup.HTTP01, 0, nil},
		"a stale AAAA":         {"stale.test", setup.HTTP01, 0, []string{"warn 2001:db8::bad, which is no address"}},
		"two machines":         {"two.test", setup.HTTP01, 0, []string{"warn 192.0.2.2 as well"}},
		"behind a router":      {"nat.test", setup.TLSALPN01, 0, []string{"note 198.51.100.7"}},
		"no such name":         {"nowhere.test", setup.HTTP01, 0, []string{"warn no address"}},
		"another authority's":  {"git.other.test", setup.DNS01, 0, []string{"fail names another authority (at other.test)"}},
		"ours, by one way":     {"own.test", setup.HTTP01, 0, []string{"ok leads"}},
		"ours, by another way": {"own.test", setup.DNS01, 0, []string{"fail no validation by dns-01"}},
		"another account":      {"account.test", setup.DNS01, 0, []string{"fail another account"}},
		"its record":           {"persists.test", setup.DNSPersist01, 0, []string{"ok names the account https://ca.test/1"}},
		"no record":            {"nowhere.test", setup.DNSPersist01, 0, []string{"warn not seen from this machine at _validation-persist.nowhere.test"}},
		"no account, persists": {"persists.test", setup.DNSPersist01, 0, []string{"warn there is no account"}},
		"no account, CAA":      {"account.test", setup.DNS01, 0, []string{"warn there is no account"}},
		"servers fail":         {"broken.test", setup.DNS01, 0, []string{"warn SERVFAIL"}},
		"a clock that is slow": {"nowhere.test", setup.DNS01, 5 * time.Minute, []string{"warn 5m0s behind"}},
		"a wrong clock":        {"nowhere.test", setup.DNS01, -48 * time.Hour, []string{"fail 48h0m0s ahead"}},
	} {
		p := setup.Plan{Steps: []setup.Step{{Changes: []setup.Change{{Obtain: &setup.ObtainChange{Order: setup.Order{Names: []string{c.name}, Challenge: c.challenge}}}}}}}
		f := setup.Facts{Authority: setup.Authority{Asked: true, Ahead: c.ahead, Issuers: []string{"ca.test"}, Account: "https://ca.test/1"}}
		if strings.HasPrefix(what, "no account") {
			f.Authority.Account = ""
		}
		got := pr.checkOrder(t.Context(), f, p)
		if len(got) != len(c.want) {
			t.Errorf("%s: %+v", what, got)
			continue
		}
		for i, g := range got {
			level, part, _ := strings.Cut(c.want[i], " ")
			if string(g.Level) != level || !strings.Contains(g.Found, part) || level != "ok" && (g.Why == "" || g.Do == "") {
				t.Errorf("%s: %s %s", what, g.Level, problem.Finding(g).Found)
			}
		}
	}
}
