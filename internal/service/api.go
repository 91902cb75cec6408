// Package service runs programs and finds and drives the services of this
// machine: systemd units, init scripts, or a command of the administrator's.
package service

import (
	"context"
	"io"
)

// How a service is driven.
type How string

const (
	Systemd How = "systemd" // Name is the unit
	Init    How = "init"    // Name is the script's path
	Command How = "command" // Command is the administrator's own
	Manual  How = "manual"  // a person does it
	Never   How = "never"   // nobody does it now; listed as pending
)

// Control says how one service is restarted or reloaded. Plain data, part of a plan.
type Control struct {
	How     How    `json:"how"`
	Name    string `json:"name,omitempty"`
	Command string `json:"command,omitempty"` // run by /bin/sh -c
	Why     string `json:"-"`                 // where this was found
}

// Verb is what to do with it.
type Verb string

const (
	Restart Verb = "restart"
	Reload  Verb = "reload"
	Start   Verb = "start" // systemd: daemon-reload, enable --now
	Stop    Verb = "stop"  // systemd: disable --now, daemon-reload
)

// Do carries it out and waits for it to end; output goes to log. Manual and
// Never do nothing. An error carries the program's last lines of output.
func Do(ctx context.Context, c Control, v Verb, log io.Writer) error { panic("not built yet") }

// FindBitbucket looks for the unit or init script that runs Bitbucket: the unit
// of process pid (its cgroup), else the usual names. Root prefixes /etc and /lib for tests.
func FindBitbucket(ctx context.Context, root string, pid int) (Control, bool) { panic("not built yet") }

// FindHAProxy does the same for HAProxy.
func FindHAProxy(ctx context.Context, root string) (Control, bool) { panic("not built yet") }

// HasSystemd reports whether systemd is the running init (/run/systemd/system).
func HasSystemd(root string) bool { panic("not built yet") }

// Run executes name with args, no shell, a minimal environment without BITGATE_*
// and secrets, and returns combined output (at most 1 MiB).
func Run(ctx context.Context, name string, args ...string) (out []byte, err error) {
	panic("not built yet")
}
