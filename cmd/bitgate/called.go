package main

import (
	"cmp"
	"os"
	"regexp"
	"slices"
	"strings"

	"bitgate/internal/child"
	"bitgate/internal/problem"
)

// calledAs is how a person starts this program: its name where that leads to it, else
// the path that was typed.
func calledAs(typed, program string) string {
	if !strings.Contains(typed, "/") || strings.Contains(typed, "/go-build") { // of go run, which removes it
		return programName
	}
	if found, err := child.Lookup(programName); err == nil {
		a, errA := os.Stat(found)
		b, errB := os.Stat(program)
		if errA == nil && errB == nil && os.SameFile(a, b) {
			return programName
		}
	}
	return typed
}

// ownCommand is a command of this program in a text, with what follows it.
var ownCommand = regexp.MustCompile(`(sudo |^|[^\w/.-])bitgate (setup|plan|apply|verify|undo|recover|history|rehearse|report|render|cert deploy|cert import|cert renew|cert request|cert status|cert|demo|proxy)\b( --help)?`)

// forRoot are the commands that look at, or change, what only root may.
var forRoot = []string{"setup", "plan", "apply", "verify", "undo", "recover", "history", "rehearse", "report", "cert deploy", "cert import", "cert renew", "cert request", "cert status"}

// asCalled spells the commands of this program in a text so that they can be copied:
// with the path that it was called by, and with sudo where they need root and the one
// who reads this is not.
func (p process) asCalled(text string) string {
	return ownCommand.ReplaceAllStringFunc(text, func(found string) string {
		part := ownCommand.FindStringSubmatch(found)
		name := problem.ShellWord(cmp.Or(p.Called, programName))
		if p.needsSudo() && slices.Contains(forRoot, part[2]) && part[3] == "" && !strings.HasPrefix(part[1], "sudo") {
			name = "sudo " + name
		}
		return part[1] + name + " " + part[2] + part[3]
	})
}

// needsSudo: whoever types the next command is not root, and it is about this machine
// and not a folder of their own.
func (p process) needsSudo() bool {
	if p.env("SUDO_UID") != "" {
		return true
	}
	own := p.env(envName("state-dir")) != "" || slices.ContainsFunc(p.Args, func(a string) bool { return strings.HasPrefix(a, "--state-dir") })
	return p.NotRoot && !own
}
