package setup

import (
	"fmt"
	"strings"

	"bitgate/internal/hostport"
	"bitgate/proxy/config"
)

// ForwardsSSH is where bitgate's front takes SSH today, by its configuration; ""
// where it does not.
func (f Facts) ForwardsSSH() string {
	for _, b := range f.HAProxyConfig.Binds() {
		if b.Ours && strings.HasSuffix(b.Section, "bitgate_bitbucket_ssh") {
			if a, err := hostport.Parse(b.Address); err == nil {
				return a.String()
			}
		}
	}
	if c, err := config.Parse(f.ProxyConfig.Path, f.ProxyConfig.Data); err == nil && len(f.ProxyConfig.Data) > 0 {
		return c.SSHListen
	}
	return ""
}

// ssh is the optional step. Its lines are part of the front's file and of the
// base URL's form, so it only says so.
func (b *builder) ssh(s Step) (Step, error) {
	switch now := b.f.ForwardsSSH(); {
	case b.a.Front == FrontTomcat && now == "":
		s.Skipped = "Bitbucket takes SSH itself, on its own port; it stays as it is"
	case b.a.SSHListen == "" && now != "":
		s.Skipped = "the front stops taking SSH on " + now + " (step 4)"
	case b.a.SSHListen == "":
		s.Skipped = "the front takes no SSH; it stays as it is"
	default:
		s.Skipped = fmt.Sprintf("the front passes SSH on %s to %s (step 4); the SSH base URL is %s (step 2)",
			b.a.SSHListen, b.a.SSHUpstream, SSHBaseURL(b.a))
	}
	return s, nil
}

// sshNotes say what people who use SSH will notice.
func (b *builder) sshNotes() {
	now := b.f.ForwardsSSH()
	switch {
	case b.a.SSHListen != "":
	case now != "":
		at, _ := hostport.Parse(now)
		at.Host = b.a.URL.Host()
		b.warn(StepSSH, "the front stops taking SSH on "+now, "clones, pushes and builds that use ssh://"+at.String()+" fail from then on",
			"keep it by leaving out --no-ssh; otherwise set the SSH base URL back in Bitbucket (Administration, Server settings)")
	default:
		b.note(StepSSH, []string{"Git over SSH is not affected; securing it is a separate matter"})
	}
}
