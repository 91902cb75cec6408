package service

import (
	"fmt"
	"strings"
	"testing"

	"bitgate/internal/peers"
)

// renewal is a unit as bitgate's renewal has it, in what keeps a daemon from being started there.
const renewal = `[Service]
Type=oneshot
Environment="%s" HOME=/srv/home
ExecStart=/srv/bitgate
KillMode=mixed
ProtectSystem=strict
ReadWritePaths=/run
PrivateTmp=yes
NoNewPrivileges=yes
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
`

// TestDaemonOutlivesTheTimer: a reload command that a timer's unit runs may start a
// daemon, which goes on when the unit has ended, and may use chroot(2) as HAProxy does.
// How it ends and what it says come back.
func TestDaemonOutlivesTheTimer(t *testing.T) {
	m := peers.NewMachine(t)
	m.Copy(t, "/proc/self/exe", "/srv/bitgate")
	run := func(command string) (string, error) {
		m.Write(t, "/etc/systemd/system/renewal.service", fmt.Appendf(nil, renewal, peers.JobEnv(reloadJob, command)), 0o644)
		m.Run(t, "systemctl", "daemon-reload")
		_, err := m.Try("systemctl", "start", "renewal.service")
		m.Run(t, "journalctl", "--sync")
		return m.Run(t, "journalctl", "-q", "-o", "cat", "-u", "renewal.service"), err
	}
	m.Write(t, "/srv/daemon", []byte("#!/bin/sh\necho it starts\nchroot / sleep 3000 >/dev/null 2>&1 &\necho $! >/run/daemon.pid\nsleep 1\nkill -0 $!\n"), 0o755)
	out, err := run("/srv/daemon")
	if err != nil {
		t.Errorf("the command fails where a timer runs it: %v\n%s", err, out)
	}
	if pid := strings.TrimSpace(m.Run(t, "cat", "/run/daemon.pid")); m.Command("kill", "-0", pid).Run() != nil {
		t.Error("the daemon that it started ended with the timer's unit")
	}
	// Variables are the shell's, and systemd puts none in.
	if out, err := run("x=a; echo ${x}b$x; [ $$ -gt 1 ] && echo pid"); err != nil || !strings.Contains(out, "aba\npid\n") {
		t.Errorf("a command with variables: %v\n%s", err, out)
	}
	m.Write(t, "/srv/fails", []byte("#!/bin/sh\necho $HOME: no such thing\nexit 7\n"), 0o755)
	if out, err := run("/srv/fails"); err == nil || !strings.Contains(out, "/srv/home: no such thing") || !strings.Contains(out, "exit status 7") {
		t.Errorf("a command that fails: %v\n%s", err, out)
	}
	m.Run(t, "systemctl", "stop", "dbus.socket", "dbus.service")
	m.Run(t, "rm", "-f", systemBus)
	if out, err := run("echo it runs without D-Bus"); err != nil || !strings.Contains(out, "it runs without D-Bus") {
		t.Errorf("a machine without D-Bus: %v\n%s", err, out)
	}
}
