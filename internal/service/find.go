package service

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"bitgate/internal/child"
	"bitgate/internal/unit"
)

// unitDirs is where units are, the strongest directory first. The generator's has
// those that systemd makes of init scripts.
var unitDirs = append(slices.Clone(unit.Dirs), "/run/systemd/generator.late")

var initDirs = []string{"/etc/init.d", "/etc/rc.d/init.d"}

// bitbucketNames: atlbitbucket and atlstash are the installer's, the others
// are what guides and configuration management use.
var bitbucketNames = []string{
	"atlbitbucket", "bitbucket", "atlassian-bitbucket", "bitbucket-server",
	"atlstash", "stash", "atlassian-stash",
}

// haproxyNames: rh-haproxy18-haproxy is Red Hat's software collection.
var haproxyNames = []string{"haproxy", "rh-haproxy18-haproxy", "haproxy-lts"}

// hosts are units that may have started Bitbucket without being Bitbucket:
// restarting one of them would hit everything else it runs.
var hosts = []string{
	"ssh", "sshd", "cron", "crond", "atd", "docker", "containerd", "podman", "crio",
	"supervisor", "supervisord", "rc-local", "getty", "screen", "tmux", "dbus",
}

// FindBitbucket looks for the unit or init script that runs Bitbucket: the unit
// of process pid (its cgroup), else the usual names. Root prefixes /etc, /run,
// /lib and /proc for tests.
func FindBitbucket(_ context.Context, root string, pid int) (Control, bool) {
	if c, ok := UnitOf(root, pid); ok {
		return c, true
	}
	return findNamed(root, bitbucketNames)
}

// FindHAProxy looks for HAProxy's by the usual names.
func FindHAProxy(root string) (Control, bool) {
	return findNamed(root, haproxyNames)
}

// HasSystemd reports whether systemd is the running init (/run/systemd/system,
// as sd_booted(3) decides it).
func HasSystemd(root string) bool {
	info, err := os.Stat(filepath.Join(root, "/run/systemd/system"))
	return err == nil && info.IsDir()
}

// SystemdVersion is the number that systemctl gives itself ("systemd 252 (...)"),
// or 0 where there is no systemctl that says one.
func SystemdVersion(ctx context.Context) int {
	version := 0
	if said, err := child.Output(ctx, "systemctl", "--version"); err != nil {
		return 0
	} else if _, err := fmt.Sscanf(string(said), "systemd %d", &version); err != nil {
		return 0
	}
	return version
}

// UnitOf reads the unit out of /proc/PID/cgroup, "0::/system.slice/x.service".
func UnitOf(root string, pid int) (Control, bool) {
	if pid <= 0 || !HasSystemd(root) {
		return Control{}, false
	}
	name := RunsIn(filepath.Join(root, "/proc"), pid)
	why := fmt.Sprintf("unit of process %d (/proc/%d/cgroup)", pid, pid)
	return Control{How: Systemd, Name: name, Why: why}, name != ""
}

// RunsIn is the service of systemd's in which a process of that process table runs, ""
// for none: a login session, a container, a unit that runs many things.
func RunsIn(proc string, pid int) string {
	data, _ := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "cgroup"))
	for line := range strings.SplitSeq(strings.TrimSpace(string(data)), "\n") {
		_, path, _ := strings.Cut(line, "/") // may be another controller's
		for name := range strings.SplitSeq(path, "/") {
			if base, isService := strings.CutSuffix(name, ".service"); isService {
				if base, _, _ = strings.Cut(base, "@"); !slices.Contains(hosts, base) {
					return name
				}
			} else if name == "user.slice" || !strings.HasSuffix(name, ".slice") {
				break
			}
		}
	}
	return ""
}

func findNamed(root string, names []string) (Control, bool) {
	if HasSystemd(root) {
		names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return unit.Masked(root, name+".service") })
		for _, name := range names {
			for _, dir := range unitDirs {
				path := filepath.Join(dir, name+".service")
				if info, err := os.Stat(filepath.Join(root, path)); err == nil && info.Mode().IsRegular() {
					return Control{How: Systemd, Name: ownName(root, path), Why: "unit " + path}, true
				}
			}
		}
	}
	for _, name := range names {
		for _, dir := range initDirs {
			path := filepath.Join(dir, name)
			info, err := os.Stat(filepath.Join(root, path))
			if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return Control{How: Init, Name: filepath.Join(root, path), Why: "init script " + path}, true
			}
		}
	}
	return Control{}, false
}

// ownName is that of a unit which may have others: a link to another unit is an alias of
// that (systemd.unit(5)).
func ownName(root, path string) string {
	real, err := filepath.EvalSymlinks(filepath.Join(root, path))
	name := filepath.Base(real)
	if err == nil && strings.HasSuffix(name, ".service") && !strings.HasSuffix(name, "@.service") && slices.Contains(unitDirs, strings.TrimPrefix(filepath.Dir(real), root)) {
		return name
	}
	return filepath.Base(path)
}
