package templates

import (
	"fmt"
	"strings"
)

// Unit is what the systemd unit of the built-in proxy depends on.
type Unit struct {
	Program string // path of the bitgate binary
	Config  string // path of proxy.yaml
}

// SystemdUnit returns the hardened unit of the built-in proxy (systemd.exec(5)).
// The proxy starts as root to bind its ports and read its key, and gives root
// up itself before it parses a byte from the network; the unit takes away
// everything that this does not need.
func SystemdUnit(u Unit) (string, error) {
	for _, path := range []string{u.Program, u.Config} {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \t\r\n\"'\\%$") {
			return "", fmt.Errorf("%q cannot stand in a systemd unit: give an absolute path without blanks, quotes, %% or $", path)
		}
	}
	return fill("bitgate-proxy.service.tmpl", u)
}
