package certs

import (
	"os"
	"path/filepath"
	"testing"
)

// debians is what Debian's certbot gives cron.
const debians = `# /etc/cron.d/certbot: crontab entries for the certbot package
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin

0 */12 * * * root test -x /usr/bin/certbot -a \! -d /run/systemd/system && perl -e 'sleep int(rand(43200))' && certbot -q renew --no-random-sleep-on-renew
`

// TestTimerBelow: what runs a renewer regularly, as packages and installers leave it.
func TestTimerBelow(t *testing.T) {
	const (
		wants  = "/etc/systemd/system/timers.target.wants/"
		unit   = "[Timer]\nOnCalendar=daily\n"
		boots  = "/run/systemd/system/"
		masked = "-> /dev/null"
	)
	acme := "7 0 * * * \"/root/.acme.sh\"/acme.sh --cron --home \"/root/.acme.sh\" > /dev/null\n"
	for name, c := range map[string]struct {
		renewer string
		files   map[string]string
		want    string
	}{
		"Debian's certbot":        {"certbot", map[string]string{boots: "", wants + "certbot.timer": unit, "/etc/cron.d/certbot": debians}, "certbot.timer"},
		"Red Hat's":               {"certbot", map[string]string{boots: "", wants + "certbot-renew.timer": unit}, "certbot-renew.timer"},
		"masked":                  {"certbot", map[string]string{boots: "", wants + "certbot.timer": unit, "/etc/systemd/system/certbot.timer": masked, "/etc/cron.d/certbot": debians}, ""},
		"masked until a reboot":   {"certbot", map[string]string{wants + "certbot.timer": unit, boots + "certbot.timer": masked}, ""},
		"masked by an empty file": {"certbot", map[string]string{boots: "", wants + "certbot.timer": unit, "/etc/systemd/system/certbot.timer": ""}, ""},
		"a timer of one's own":    {"certbot", map[string]string{boots: "", wants + "certbot.timer": unit, "/etc/systemd/system/certbot.timer": unit}, "certbot.timer"},
		"disabled":                {"certbot", map[string]string{boots: "", "/lib/systemd/system/certbot.timer": unit, "/etc/cron.d/certbot": debians}, ""},
		"another's timer":         {"lego", map[string]string{boots: "", wants + "certbot.timer": unit}, ""},
		"without systemd":         {"certbot", map[string]string{wants + "certbot.timer": unit, "/etc/cron.d/certbot": debians}, "/etc/cron.d/certbot"},
		"only the timer, without": {"certbot", map[string]string{wants + "certbot.timer": unit}, ""},
		"changed by hand":         {"certbot", map[string]string{boots: "", "/etc/cron.d/certbot": "7 0 * * * root /opt/renew\n"}, "/etc/cron.d/certbot"},
		"commented out":           {"certbot", map[string]string{"/etc/cron.d/certbot": "MAILTO=root\n\n#7 0 * * * root certbot renew\n"}, ""},
		"only spoken of":          {"certbot", map[string]string{"/etc/crontab": "# certbot has a timer\nMAILTO=certbot@example.com\n7 0 * * * root run-parts /etc/cron.daily\n"}, ""},
		"a name like it":          {"lego", map[string]string{"/etc/crontab": "7 0 * * * root /srv/legolas/backup; lego-shop\n"}, ""},
		"a file of one's own":     {"certbot", map[string]string{boots: "", "/etc/cron.d/renewals": "7 0 * * * root /opt/certbot-auto renew\n"}, "/etc/cron.d/renewals"},
		"put aside":               {"certbot", map[string]string{"/etc/cron.d/certbot.dpkg-old": debians}, ""},
		"Debian's crontab":        {"acme.sh", map[string]string{"/var/spool/cron/crontabs/root": acme}, "/var/spool/cron/crontabs/root"},
		"Red Hat's crontab":       {"acme.sh", map[string]string{"/var/spool/cron/root": acme}, "/var/spool/cron/root"},
		"SUSE's crontab":          {"acme.sh", map[string]string{boots: "", "/var/spool/cron/tabs/root": acme}, "/var/spool/cron/tabs/root"},
		"Alpine's crontab":        {"acme.sh", map[string]string{"/etc/crontabs/root": acme}, "/etc/crontabs/root"},
		"the system's crontab":    {"dehydrated", map[string]string{"/etc/crontab": "7 0 * * * root dehydrated -c\n"}, "/etc/crontab"},
		"a daily program":         {"uacme", map[string]string{"/etc/cron.daily/uacme": "#!/bin/sh\nuacme issue git.example.com\n"}, "/etc/cron.daily/uacme"},
		"nobody renews":           {"", map[string]string{"/etc/crontab": "7 0 * * * root certbot renew\n"}, ""},
	} {
		root := t.TempDir()
		for path, text := range c.files {
			path = root + path
			if err := os.MkdirAll(filepath.Dir(path+"x"), 0o755); err != nil {
				t.Fatal(err)
			}
			var err error
			switch {
			case text == masked:
				err = os.Symlink(os.DevNull, path)
			case path[len(path)-1] != '/':
				err = os.WriteFile(path, []byte(text), 0o700)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if got := (Renewer{Name: c.renewer}).TimerBelow(root); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
