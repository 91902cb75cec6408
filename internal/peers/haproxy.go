package peers

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// HAProxy is a real one, in master-worker mode, as a systemd unit would run it.
type HAProxy struct {
	*Process
	Config string // the configuration file it was started with and reloads
}

// StartHAProxy runs haproxy with the configuration file and waits until every
// address accepts and the master can be asked to reload. -db keeps it in the foreground even where the file says
// "daemon"; -W makes SIGUSR2 reload it.
func StartHAProxy(t testing.TB, config string, addresses ...string) *HAProxy {
	t.Helper()
	return StartHAProxyOf(t, Path(t, "haproxy"), config, addresses...)
}

// StartHAProxyOf is StartHAProxy for another program than Debian's.
func StartHAProxyOf(t testing.TB, program, config string, addresses ...string) *HAProxy {
	t.Helper()
	return startHAProxy(t, config, exec.Command(program, "-W", "-db", "-f", config), addresses)
}

// StartHAProxyWith is StartHAProxy with more arguments, such as -S for the master's
// socket.
func StartHAProxyWith(t testing.TB, config string, args []string, addresses ...string) *HAProxy {
	t.Helper()
	return startHAProxy(t, config, exec.Command(Path(t, "haproxy"), append([]string{"-W", "-db", "-f", config}, args...)...), addresses)
}

func startHAProxy(t testing.TB, config string, cmd *exec.Cmd, addresses []string) *HAProxy {
	t.Helper()
	h := &HAProxy{Process: Start(t, cmd), Config: config}
	for _, a := range addresses {
		h.waitReady(t, a)
	}
	WaitFor(t, "the HAProxy master to handle SIGUSR2", func() bool { return catches(h.PID(), syscall.SIGUSR2) })
	return h
}

// ReloadCommand is the shell command that makes it read its file again, as
// bitgate's --reload takes it. The reload is done a moment later: wait for
// Reloads or for what the new configuration does.
func (h *HAProxy) ReloadCommand() string { return fmt.Sprintf("kill -USR2 %d", h.PID()) }

// Reloads counts the reloads that loaded a configuration successfully.
func (h *HAProxy) Reloads() int {
	return strings.Count(h.Output(), "Loading success") - 1
}
