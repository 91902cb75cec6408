package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// TestJSONEndsWithTheError: a program that reads the lines is told of every failure, once,
// with the exit code, whatever came of it first.
func TestJSONEndsWithTheError(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	for name, args := range map[string][]string{
		"no run to undo":      {"undo", "--json", "--yes"},
		"no such run":         {"undo", "--json", "--yes", "20261130-1"},
		"undo, no answers":    {"undo", "--json", "--yes", "--answers", nowhere},
		"recover, no folder":  {"recover", "--json", "--yes", "--state-dir", "/dev/null"},
		"apply, no answers":   {"apply", "--json", "--yes", "--answers", nowhere},
		"apply, no plan":      {"apply", "--json", "--yes", nowhere},
		"apply, what is left": {"apply", "--json", "--yes"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, _ := inProcess(t, map[string]string{"BITGATE_STATE_DIR": t.TempDir()}, "", args...)
			lines := strings.Split(strings.TrimSpace(out), "\n")
			var last struct{ Error struct{ Exit int } }
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || code == 0 || last.Error.Exit != code || strings.Count(out, `{"error":`) != 1 {
				t.Errorf("exit code %d, %v\n%s", code, err, out)
			}
		})
	}
}
