package certs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"bitgate/internal/pattern"
	"bitgate/internal/unit"
)

// timers of systemd that run each renewer, as its packages and installers call them.
var timers = map[string][]string{
	"certbot":    {"certbot.timer", "certbot-renew.timer", "snap.certbot.renew.timer"},
	"acme.sh":    {"acme-sh.timer", "acme.sh.timer", "acme_letsencrypt.timer"},
	"lego":       {"lego.timer"},
	"dehydrated": {"dehydrated.timer"},
	"uacme":      {"uacme.timer"},
}

// scripts are the folders whose programs cron runs.
var scripts = []string{"/etc/cron.daily", "/etc/cron.weekly", "/etc/periodic/daily", "/etc/periodic/weekly"}

// crontabs are the system's and root's, where Debian, Red Hat, SUSE and Alpine keep them.
var crontabs = []string{"/etc/crontab", "/var/spool/cron/crontabs/root", "/var/spool/cron/root", "/var/spool/cron/tabs/root", "/etc/crontabs/root"}

// aside is what cron passes over in /etc/cron.d: what packages and editors put aside.
var aside = pattern.Lazy(`^\.|~$|[.,](?:dpkg-\w+|rpm\w+|ucf-\w+|bak|old|orig|save|disabled)$`)

// TimerBelow is what runs the renewer regularly, on the machine below root: an enabled
// timer, or a file of cron's that has a job for it. "" where nothing was found.
func (r Renewer) TimerBelow(root string) string {
	if r.Name == "" {
		return ""
	}
	_, err := os.Stat(filepath.Join(root, "/run/systemd/system")) // sd_booted(3)
	systemd := err == nil
	for _, name := range timers[r.Name] {
		if systemd && enabled(root, name) {
			return name
		}
	}
	for _, dir := range scripts {
		path := filepath.Join(dir, r.Name)
		info, err := os.Stat(filepath.Join(root, path))
		if err == nil && info.Mode()&0o111 != 0 && len(jobs(filepath.Join(root, path), systemd)) > 0 {
			return path
		}
	}
	tabs := slices.Clone(crontabs)
	files, _ := os.ReadDir(filepath.Join(root, "/etc/cron.d"))
	for _, f := range files {
		if !aside().MatchString(f.Name()) {
			tabs = append(tabs, filepath.Join("/etc/cron.d", f.Name()))
		}
	}
	its := regexp.MustCompile(`(?:^|[^\w-])` + regexp.QuoteMeta(r.Name) + `(?:-auto)?(?:$|[^\w-])`)
	for _, path := range tabs {
		own := filepath.Base(path) == r.Name // whatever it starts
		if slices.ContainsFunc(jobs(filepath.Join(root, path), systemd), func(job string) bool { return own || its.MatchString(job) }) {
			return path
		}
	}
	return ""
}

// enabled reports whether systemd starts a timer with the machine. One that is masked
// keeps the link that enabled it.
func enabled(root, name string) bool {
	if unit.Masked(root, name) {
		return false
	}
	_, err := os.Lstat(filepath.Join(root, "/etc/systemd/system/timers.target.wants", name))
	return err == nil
}

var assignment = pattern.Lazy(`^[A-Za-z_]\w*\s*=`)

// jobs are the lines of a file of cron's that do something. What Debian's packages give
// cron steps back where systemd runs, which has their timers.
func jobs(path string, systemd bool) []string {
	data, _, err := read(OpenTrusted, path)
	if err != nil {
		return nil
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || assignment().MatchString(line) || systemd && strings.Contains(line, "/run/systemd/system") {
			continue
		}
		out = append(out, line)
	}
	return out
}
