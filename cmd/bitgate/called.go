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
var ownCommand = regexp.MustCompile(`(sudo |^|[^\w/.-])bitgate (setup|plan|apply|verify|undo|recover|history|rehearse|report|render|cert deploy|cert import|cert renew|cert request|cert status|cert|demo|proxy)\b( --help| --state-dir)?`)

// forRoot are the commands that look at, or change, what only root may.
var forRoot = []string{"setup", "plan", "apply", "verify", "undo", "recover", "history", "rehearse", "report", "cert deploy", "cert import", "cert renew", "cert request", "cert status"}

// asCalled spells the commands of this program in a text so that they can be copied:
// with the path that it was called by, with the state directory that it was given, and
// with sudo where they need root and the one who reads this is not. What is spelled so
// already stays.
func (p process) asCalled(text string) string {
	return ownCommand.ReplaceAllStringFunc(text, func(found string) string {
		part := ownCommand.FindStringSubmatch(found)
		name := problem.ShellWord(cmp.Or(p.Called, programName))
		if !slices.Contains(forRoot, part[2]) || part[3] == " --help" {
			return part[1] + name + " " + part[2] + part[3]
		}
		if p.needsSudo() && !strings.HasPrefix(part[1], "sudo") {
			name = "sudo " + name
		}
		if dir := p.stateDir(); dir != "" && dir != defaultStateDir && part[2] != "rehearse" && part[3] == "" { // rehearse keeps nothing
			part[3] = " --state-dir " + problem.ShellWord(dir)
		}
		return part[1] + name + " " + part[2] + part[3]
	})
}

// stateDir is the state directory that was given, "" for none.
func (p process) stateDir() string {
	dir := p.env(envName("state-dir"))
	for i, arg := range p.Args {
		given, ok := strings.CutPrefix(arg, "--state-dir=")
		if arg == "--state-dir" && i+1 < len(p.Args) {
			given, ok = p.Args[i+1], true
		}
		if ok && given != "" {
			dir = given
		}
	}
	return dir
}

// needsSudo: whoever types the next command is not root, and it is about this machine
// and not a folder of their own.
func (p process) needsSudo() bool {
	if p.env("SUDO_UID") != "" {
		return true
	}
	return p.NotRoot && p.stateDir() == ""
}
