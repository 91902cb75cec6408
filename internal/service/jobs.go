package service

import (
	"context"
	"strconv"
	"strings"

	"bitgate/internal/child"
)

// Restarting reports whether systemd stops the unit whose main process is pid only to
// start it again: whether a job of it is a restart (systemctl(1), list-jobs). Where
// systemd cannot be asked it is false; all but root ask it over D-Bus.
func Restarting(ctx context.Context, pid int) bool {
	jobs, err := child.Output(ctx, "systemctl", "list-jobs", "--no-legend", "--plain", "--no-pager")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(jobs)) { // "123 bitgate-proxy.service restart running"
		f := strings.Fields(line)
		if len(f) < 3 || f[2] != "restart" {
			continue
		}
		main, err := child.Output(ctx, "systemctl", "show", "--value", "--property=MainPID", f[1])
		if err == nil && strings.TrimSpace(string(main)) == strconv.Itoa(pid) {
			return true
		}
	}
	return false
}
