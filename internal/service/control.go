// Package service runs programs and finds and drives the services of this
// machine: systemd units, init scripts, or a command of the administrator's.
package service

import (
	"context"
	"fmt"
	"io"

	"bitgate/internal/child"
	"bitgate/internal/problem"
)

// How a service is driven.
type How string

// The ways to drive a service.
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

// String says it to a person: "systemd haproxy.service", a command, "by hand".
func (c Control) String() string {
	switch c.How {
	case Systemd, Init:
		return string(c.How) + " " + c.Name
	case Command:
		return c.Command
	case Manual:
		return "by hand"
	}
	return string(c.How)
}

// Verb is what to do with it.
type Verb string

// The verbs.
const (
	Restart Verb = "restart"
	Reload  Verb = "reload"
	Start   Verb = "start" // systemd: daemon-reload, enable --now
	Stop    Verb = "stop"  // systemd: disable --now, daemon-reload
)

// Do carries it out and waits for it to end; output goes to log. Manual and
// Never do nothing. An error carries the program's last lines of output.
func Do(ctx context.Context, c Control, v Verb, log io.Writer) error {
	switch c.How {
	case Manual, Never:
		return nil
	case Systemd:
		err := doSystemd(ctx, c.Name, v, log)
		if err != nil && ctx.Err() == nil && v != Stop {
			return whyFailed(ctx, c.Name, err)
		}
		return err
	case Init:
		return runApart(ctx, log, c.Name, string(v))
	case Command:
		return runApart(ctx, log, "/bin/sh", "-c", c.Command)
	}
	return problem.New(
		fmt.Sprintf("a service is to be driven by %q, which bitgate does not know", c.How),
		"the plan was made by another version or edited by hand", "make a new plan")
}

// ReadUnits has systemd read the files of all units anew.
func ReadUnits(ctx context.Context, log io.Writer) error {
	return runLogged(ctx, log, "systemctl", "daemon-reload")
}

// Active reports whether systemd runs a unit, and in the case of a timer waits for its time.
func Active(ctx context.Context, unit string) bool {
	_, err := child.Output(ctx, "systemctl", "is-active", "--quiet", unit)
	return err == nil
}

// doSystemd goes through systemctl. A unit that is not running cannot be
// reloaded, systemctl says; then the configuration is new to it anyway and
// starting it is what was meant.
func doSystemd(ctx context.Context, unit string, v Verb, log io.Writer) error {
	var calls [][]string
	switch v {
	case Start:
		calls = [][]string{{"daemon-reload"}, {"enable", "--now", unit}}
	case Stop:
		calls = [][]string{{"disable", "--now", unit}, {"daemon-reload"}}
	case Reload:
		err := runLogged(ctx, log, "systemctl", "reload", unit)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if _, inactive := child.Output(ctx, "systemctl", "is-active", "--quiet", unit); inactive == nil {
			return err
		}
		return runLogged(ctx, log, "systemctl", "start", unit)
	default:
		calls = [][]string{{string(v), unit}}
	}
	for _, args := range calls {
		if err := runLogged(ctx, log, "systemctl", args...); err != nil {
			return err
		}
	}
	return nil
}
