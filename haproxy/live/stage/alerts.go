package stage

import (
	"strings"

	"bitgate/haproxy/live"
)

// alerts are what HAProxy says when it does not start.
func alerts(output string) []live.Message {
	var out []live.Message
	for _, m := range live.ParseMessages(output) {
		if m.Level == "ALERT" {
			out = append(out, m)
		}
	}
	return out
}

func firstAlert(output string) string {
	for _, a := range alerts(output) {
		return a.Text
	}
	return strings.TrimSpace(output)
}
