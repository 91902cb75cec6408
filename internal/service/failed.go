package service

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"bitgate/internal/child"
	"bitgate/internal/problem"
)

// startFaults are what systemd itself could not do before the program ran, by the
// status it gives the process (systemd.exec(5), "Process Exit Codes").
var startFaults = map[int]struct{ why, do string }{
	203: {
		"systemd could not run the program: it is not there, not executable for the unit's user, or in a folder that the unit does not see (/home, /root, /tmp)",
		"install it where the unit can run it: install -m 755 -t /usr/local/bin PROGRAM",
	},
	209: {"systemd could not open the unit's standard output", "look at StandardOutput= in its drop-ins (systemctl cat)"},
	217: {"systemd could not find or make the unit's user", "look at User= and DynamicUser= in its drop-ins (systemctl cat), and at nss-systemd in /etc/nsswitch.conf"},
	226: {
		"systemd could not make the unit's view of the files, as ProtectSystem=, PrivateTmp= and their like ask; containers often forbid that",
		"take what is refused out of the unit by a drop-in (systemctl edit)",
	},
	233: {"systemd could not make the unit's folder in /run", "see who owns it (RuntimeDirectory=)"},
	238: {"systemd could not make the unit's folder in /var/lib", "see who owns it (StateDirectory=)"},
	240: {"systemd could not make the unit's folder in /var/log", "see who owns it (LogsDirectory=)"},
}

// whyFailed adds the status of the unit's main process and its last lines in the
// journal to err, which is what systemctl said.
func whyFailed(ctx context.Context, unit string, err error) error {
	status := 0
	if said, shown := child.Output(ctx, "systemctl", "show", "--value", "-p", "ExecMainStatus", unit); shown == nil {
		status, _ = strconv.Atoi(strings.TrimSpace(string(said))) // 0 where it is no number
	}
	found := &problem.Error{Found: unit + " does not do as it was told", Cause: err, Do: "see its log: journalctl -u " + unit}
	if status != 0 {
		found.Found = fmt.Sprintf("%s failed with status %d", unit, status)
	}
	if fault, known := startFaults[status]; known {
		found.Why, found.Do = fault.why, fault.do
	}
	if lines, read := child.Output(ctx, "journalctl", "-u", unit, "-n", "5", "-o", "cat", "--no-pager", "-q"); read == nil && len(lines) > 0 {
		found.Cause = fmt.Errorf("%w\nits last lines in the journal:\n%s", err, strings.TrimSpace(string(lines)))
	}
	return found
}
