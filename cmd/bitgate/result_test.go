package main

import (
	"strings"
	"testing"

	"bitgate/cmd/bitgate/view"
	"bitgate/internal/problem"
	"bitgate/setup"
)

// What stays is told, and is not as before.
func TestResultOfWhatStays(t *testing.T) {
	const stays = "/etc/haproxy/git.pem was left as it is: its old key was wiped"
	for _, state := range []setup.RunState{setup.RunUndone, setup.RunTakenBack} {
		var out strings.Builder
		(&view.Text{W: &out}).Result(setup.Result{Run: "20261130-1", State: state, Notes: []problem.Finding{{ID: "stays", Level: problem.Note, Found: stays}}}, view.End{})
		if got := out.String(); strings.Contains(got, "everything is as before") || !strings.Contains(got, stays) {
			t.Errorf("%s: %q", state, got)
		}
	}
}
