package service

import (
	"context"
	"io"
	"os"
	"strings"

	"bitgate/internal/child"
)

// leastRun is the systemd whose systemd-run can wait, pass output on and leave nothing
// behind (--wait, --pipe, --collect; its NEWS file).
const leastRun = 236

// systemBus is D-Bus's socket (D-Bus specification, well-known message bus instances).
const systemBus = "/run/dbus/system_bus_socket"

// runApart runs a program that may leave a daemon behind, as `haproxy -D -sf PID` does.
// From within a unit, as of a timer, it goes out of that: systemd would end the daemon
// with the unit (systemd.kill(5)), and the unit's sandbox is not for the daemon, which
// may be refused its chroot(2) there. KillMode=process leaves alone what the program
// started. An older systemd has no way out, nor has one without D-Bus, by which
// systemd-run waits: it runs where it is.
func runApart(ctx context.Context, log io.Writer, name string, args ...string) error {
	if _, inside := UnitOf("/", os.Getpid()); !inside || os.Geteuid() != 0 || SystemdVersion(ctx) < leastRun {
		return runLogged(ctx, log, name, args...)
	}
	_, err := child.Lookup("systemd-run")
	if err == nil {
		_, err = os.Stat(systemBus)
	}
	if err != nil {
		return runLogged(ctx, log, name, args...)
	}
	apart := []string{"--quiet", "--collect", "--wait", "--pipe", "--property=KillMode=process"}
	for _, v := range child.Environment() {
		apart = append(apart, "--setenv="+v)
	}
	apart = append(apart, "--")
	for _, word := range append([]string{name}, args...) {
		apart = append(apart, strings.ReplaceAll(word, "$", "$$")) // it puts variables in (systemd.service(5), "Command lines")
	}
	return runLogged(ctx, log, "systemd-run", apart...)
}
