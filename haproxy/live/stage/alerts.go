package stage

import (
	"slices"
	"strings"

	"bitgate/haproxy/live"
)

// alerts are what HAProxy says when it does not start.
func alerts(output string) []live.Message {
	return slices.DeleteFunc(live.ParseMessages(output), func(m live.Message) bool { return m.Level != "ALERT" })
}

func firstAlert(output string) string {
	for _, a := range alerts(output) {
		return a.Text
	}
	return strings.TrimSpace(output)
}
